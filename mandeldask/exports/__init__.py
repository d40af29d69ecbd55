"""Export of trees: the chunks and documents that a view of the tree serves, each written completely or not at all."""
