"""Levels as dask and xarray: lazy arrays, the exact index, the tree and its metadata."""
