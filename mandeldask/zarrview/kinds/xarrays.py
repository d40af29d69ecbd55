"""xarray's DataTree, Dataset, DataArray and Variable, encoded by xarray's own CF conventions, window by window.

Follows what `DataTree.to_zarr` does, which is the oracle of the tests. The only module here that knows xarray's
semi-private encoding functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from xarray.backends.zarr import encode_zarr_attr_value, encode_zarr_variable
from xarray.conventions import encode_dataset_coordinates
from xarray.indexes import PandasIndex

from mandeldask.zarrview.blocks import dense
from mandeldask.zarrview.cf import with_missing
from mandeldask.zarrview.chunking import block_chunks, default_chunks
from mandeldask.zarrview.identity import digest, identity
from mandeldask.zarrview.nodes import Array, Group, Node, as_node, member

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
        return dense(data).astype(self.dtype, copy=False)


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
        return np.asarray(_encode(variable).data).astype(self.dtype, copy=False)


@as_node.register(xr.DataTree)
def _(tree: xr.DataTree) -> Group:
    return _tree(tree, inherit=True)


def _tree(tree: xr.DataTree, *, inherit: bool = False) -> Group:
    """Return the Group of a tree; as in `to_zarr`, only its root has the coordinates that it inherits."""
    group = _dataset(tree.to_dataset(inherit=inherit))
    children = {name: member(name, partial(_tree, child)) for name, child in tree.children.items()}
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


def variable_node(variable: xr.Variable, name: Any = None) -> Array:
    """Return the Array of a variable.

    Numbers and text are encoded window by window. What needs the values to choose an encoding (dates without a unit,
    objects) is encoded here and now, or by dask when read, as `to_zarr` does.
    """
    encoded, packed = _encoded(variable, name)
    dtype = np.dtypes.StringDType() if encoded.dtype.kind == "O" else encoded.dtype
    missing = encoded.attrs.get("_FillValue")
    attrs = _attrs({key: value for key, value in encoded.attrs.items() if key != "_FillValue"})
    packing = {key: variable.encoding.get(key) for key in sorted(_PACKING)}
    return Array(
        shape=variable.shape,
        dtype=dtype,
        read=Encoded(variable, dtype) if packed else Window(encoded, dtype),
        chunks=_chunks(variable),
        dims=tuple(map(str, variable.dims)),
        attrs=with_missing(attrs, missing, dtype),
        fill_value=variable.encoding.get("fill_value"),
        missing=missing,
        fingerprint=digest(identity(variable._data), dtype, sorted(attrs.items()), packing),  # noqa: SLF001
    )


def _encoded(variable: xr.Variable, name: Any) -> tuple[xr.Variable, bool]:
    """Return `variable` with the attributes, dtype and, where they change, elements of its encoding.

    Elements of numbers that are packed are left to be encoded when they are read; the second value says so.
    """
    if variable.dtype.kind in "OMm" or "_Encoding" in variable.encoding:
        return _encode(variable, name), False
    empty = xr.Variable(
        variable.dims, np.empty((0,) * variable.ndim, variable.dtype), variable.attrs, variable.encoding
    )
    like = _encode(empty, name)
    if _PACKING & variable.encoding.keys() or like.dtype != variable.dtype:
        return like, True
    return xr.Variable(variable.dims, variable._data, like.attrs, fastpath=True), False  # noqa: SLF001  stays lazy


def _encode(variable: xr.Variable, name: Any = None) -> xr.Variable:
    """Return what `to_zarr` writes of a variable; text of variable length stays so, in Zarr v2 as well."""
    encoded: xr.Variable = encode_zarr_variable(variable, name=name, zarr_format=3)
    return encoded


def _chunks(variable: xr.Variable) -> tuple[int, ...]:
    """Return the chunks that the variable's encoding asks for, or else those of its dask array."""
    asked = variable.encoding.get("chunks")
    if asked is None and variable.chunks is not None:
        return block_chunks(variable.shape, variable.chunks)
    if asked is None:
        return default_chunks(variable.shape, max(1, variable.dtype.itemsize))
    return tuple(max(1, int(size)) for size in asked)
