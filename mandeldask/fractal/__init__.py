"""Exact geometry, and the kernels that compute fields at its pixels."""
