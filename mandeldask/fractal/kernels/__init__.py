"""Numba kernels: scalars and vectors in, fields out. Nothing imports these modules before something computes."""
