"""Files and folders as trees: read in place, block by block, as they are now."""
