"""The escape-time engine: the stages that answer the pixels of a tile, and what they compute with."""
