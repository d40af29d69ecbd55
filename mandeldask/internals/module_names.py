"""Modules of other packages by name, to recognise their objects without importing them."""

LAZY_MODULE = "xarray.core.indexing"
"""Module of xarray's wrappers of lazily indexed arrays."""
