"""Export of trees: write the chunks and documents of a view of the tree, each completely or not at all."""
