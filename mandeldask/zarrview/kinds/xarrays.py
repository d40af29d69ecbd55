"""xarray's DataTree, Dataset, DataArray and Variable, encoded by xarray's own CF conventions, window by window.

Follows what `DataTree.to_zarr` does, which is the oracle of the tests. The only module here that knows xarray's
semi-private encoding functions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from xarray.backends.zarr import encode_zarr_attr_value, encode_zarr_variable
from xarray.conventions import encode_dataset_coordinates
from xarray.indexes import PandasIndex

from mandeldask.zarrview.cf import with_missing
from mandeldask.zarrview.identity import digest, identity
from mandeldask.zarrview.kinds.dask_arrays import dask_chunks
from mandeldask.zarrview.nodes import Array, Group, Node, as_node, default_chunks, member

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from numpy.typing import NDArray

_PACKING = {"_FillValue", "missing_value", "scale_factor", "add_offset", "dtype", "_Unsigned", "_Encoding"}
"""Encodings that change elements."""


@dataclass(frozen=True, slots=True)
class Window:
    """Reads windows of a variable as they are, computing dask arrays in this thread."""

    variable: xr.Variable
    dtype: np.dtype[Any]

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        data = self.variable[window].data
        if hasattr(data, "compute"):
            data = data.compute(scheduler="synchronous")
        return np.asarray(data).astype(self.dtype, copy=False)


@dataclass(frozen=True, slots=True)
class Encoded:
    """Reads windows of a variable and encodes each as xarray encodes the whole."""

    variable: xr.Variable
    dtype: np.dtype[Any]

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the encoded elements of `window`."""
        variable = self.variable[window]
        if variable.chunks is not None:
            variable = variable.compute(scheduler="synchronous")
        return np.asarray(encode_zarr_variable(variable).data).astype(self.dtype, copy=False)


@as_node.register(xr.DataTree)
def _(tree: xr.DataTree) -> Group:
    group = _dataset(tree.to_dataset(inherit=tree.parent is None))
    children = {name: member(name, partial(as_node, child)) for name, child in tree.children.items()}
    return Group({**group.members, **children}, group.attrs)


@as_node.register(xr.Dataset)
def _(tree: xr.Dataset) -> Group:
    return _dataset(tree)


@as_node.register(xr.DataArray)
def _(tree: xr.DataArray) -> Node:
    return variable_node(tree.variable, tree.name)


@as_node.register(xr.Variable)
def _(tree: xr.Variable) -> Node:
    return variable_node(tree)


def _dataset(dataset: xr.Dataset) -> Group:
    variables, attrs = encode_dataset_coordinates(dataset.drop_vars(_computed_coordinates(dataset)))
    members = {
        str(name): member(str(name), partial(variable_node, variable, name)) for name, variable in variables.items()
    }
    return Group(members, _attrs(attrs))


def _computed_coordinates(dataset: xr.Dataset) -> list[Hashable]:
    """Return the coordinates that an index computes instead of holding them.

    They are left out: xarray's readers load every dimension coordinate whole when they open a group, which a level
    2^59 pixels wide does not survive.
    """
    return [name for name, index in dataset.xindexes.items() if not isinstance(index, PandasIndex)]


def _attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    encode: Any = encode_zarr_attr_value  # untyped
    return {str(name): encode(value) for name, value in attrs.items()}


def array_of_dates_or_objects(data: Any) -> Array:
    """Return the Array of a plain array of datetimes, timedeltas or objects, encoded as a variable's would be."""
    dims = tuple(f"dim_{axis}" for axis in range(data.ndim))
    node = variable_node(xr.Variable(dims, data))
    return replace(node, dims=None)


def variable_node(variable: xr.Variable, name: Any = None) -> Array:
    """Return the Array of a variable.

    Numbers and text are encoded window by window. What needs the values to choose an encoding (dates without a unit,
    objects) is encoded here and now, or by dask when read, as `to_zarr` does.
    """
    source = variable
    chunks = _chunks(variable)
    if variable.dtype.kind in "OMm" or "_Encoding" in variable.encoding:
        variable = template = encode_zarr_variable(variable, name=name)
        packed = False
    else:
        packed = bool(_PACKING & variable.encoding.keys()) or variable.dtype.kind == "b"
        empty = np.empty((0,) * variable.ndim, variable.dtype)
        template = encode_zarr_variable(xr.Variable(variable.dims, empty, variable.attrs, variable.encoding), name=name)
    dtype = np.dtypes.StringDType() if template.dtype.kind == "O" else template.dtype
    attrs = dict(template.attrs)
    missing = attrs.pop("_FillValue", None)
    attrs = with_missing(_attrs(attrs), missing, dtype)
    encoding = {key: variable.encoding.get(key) for key in sorted(_PACKING)}
    return Array(
        shape=variable.shape,
        dtype=dtype,
        read=(Encoded if packed else Window)(variable, dtype),
        chunks=chunks,
        dims=tuple(map(str, variable.dims)),
        attrs=attrs,
        fill_value=variable.encoding.get("fill_value"),
        missing=missing,
        fingerprint=digest(identity(source._data), dtype, sorted(attrs.items()), encoding),  # noqa: SLF001
    )


def _chunks(variable: xr.Variable) -> tuple[int, ...]:
    """Return the chunks that the variable's encoding asks for, or else those of its dask array."""
    asked = variable.encoding.get("chunks")
    if asked is None and variable.chunks is not None:
        return dask_chunks(variable.data)
    if asked is None:
        return default_chunks(variable.shape, max(1, variable.dtype.itemsize))
    return tuple(max(1, int(size)) for size in asked)
