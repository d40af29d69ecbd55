"""Numbers only: exact geometry and the kernels that compute at its pixels."""
