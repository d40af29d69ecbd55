"""Functions that open a tree through a store with each client."""

from __future__ import annotations

import warnings

import pytest
import xarray as xr
import zarr

from mandeldask.zarrview.store import to_store

FORMATS = pytest.mark.parametrize("zarr_format", [2, 3], ids=["v2", "v3"])


def shown(tree, zarr_format):
    """Return what zarr-python reads of a tree, whole."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr's, of data types without a v3 specification
        group = zarr.open_group(to_store({"a": tree}, zarr_format), mode="r")["a"]
        if isinstance(group, zarr.Array):
            return group[...]
        return {path: array[...] for path, array in group.arrays()}


def loaded(tree, zarr_format):
    """Return what xarray reads of a tree, whole."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return opened(tree, zarr_format).load()


def opened(tree, zarr_format=3):
    """Return a tree as xarray opens it."""
    return xr.open_datatree(to_store(tree, zarr_format), engine="zarr")


def group(tree, zarr_format=3, **options):
    """Return a tree as zarr-python opens it."""
    return zarr.open_group(to_store(tree, zarr_format, **options), mode="r")


def array(source, zarr_format=3, **options):
    """Return what zarr-python reads of one array."""
    return group({"a": source}, zarr_format, **options)["a"][...]
