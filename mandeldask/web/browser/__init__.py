"""The pages that show what is served: a tree to browse, and any array of it. Plain HTML first; scripts draw into it."""
