"""Files and folders as trees: read in place, block by block, in their current state."""
