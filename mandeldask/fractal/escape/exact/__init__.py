"""The last stage: integers of any size, which decide every pixel."""
