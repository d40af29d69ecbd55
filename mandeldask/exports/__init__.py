"""Trees written out: what a view of the tree would serve, chunk by chunk, whole or not at all."""
