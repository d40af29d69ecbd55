"""The escape-time engine: the stages that answer the pixels of a tile, and what they compute with.

Lemmas 1 to 28 are in docs/explanation/exactness.md, Lemmas P1 to P5 in docs/explanation/proofs.md.
"""
