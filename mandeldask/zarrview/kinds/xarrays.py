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
from xarray.indexes import PandasIndex

from mandeldask.internals.xarray_names import CoordinateTransformIndexingAdapter, as_it_is, content_of
from mandeldask.internals.xarray_zarr_names import (
    encode_dataset_coordinates,
    encode_zarr_attr_value,
    encode_zarr_variable,
)
from mandeldask.zarrview.blocked import in_dask_blocks, in_shared_blocks
from mandeldask.zarrview.blocks import declared, dense
from mandeldask.zarrview.cf import with_missing
from mandeldask.zarrview.chunking import aligned_chunks, block_chunks, default_chunks
from mandeldask.zarrview.identity import digest, identity
from mandeldask.zarrview.kinds.numpy_arrays import bytes_node, unmasked
from mandeldask.zarrview.kinds.objects import typed
from mandeldask.zarrview.kinds.packing import check_packing, without_stale_dtype
from mandeldask.zarrview.nodes import SKIPPED, Array, Group, Node, as_node, group_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

_PACKING = {"_FillValue", "missing_value", "scale_factor", "add_offset", "dtype", "_Unsigned", "_Encoding"}
"""Encodings that change elements."""

_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
"""What CF conventions call the units of numpy's that xarray counts in."""

COMPUTED = 2**16
"""Elements, at most, of a coordinate that an index computes and that xarray's readers load when they open a group."""


@dataclass(frozen=True, slots=True)
class Window:
    """Reads windows of a variable as they are, computing dask arrays in this thread."""

    variable: xr.Variable

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        data = self.variable[window].data
        if hasattr(data, "compute"):
            data = data.compute(scheduler="synchronous")
        return dense(data)


@dataclass(frozen=True, slots=True)
class Known:
    """Asks lazily indexed arrays that know it (their method `constant`) whether a window has one value."""

    variable: xr.Variable

    def __call__(self, window: tuple[slice, ...]) -> Any:
        """Return the value, or None if it is not known."""
        data: Any = content_of(self.variable[window])
        return data.constant()


@dataclass(frozen=True, slots=True)
class Encoded:
    """Reads windows of a variable and encodes each as xarray encodes the whole.

    Raises ValueError where that would make another element of one.
    """

    variable: xr.Variable

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the encoded elements of `window`."""
        variable = self.variable[window]
        if variable.chunks is not None:
            variable = variable.compute(scheduler="synchronous")
        with np.errstate(invalid="ignore"):  # which is checked
            packed = _encode(variable)
        check_packing(variable, packed)
        return np.asarray(packed.data)


@as_node.register(xr.DataTree)
def _(tree: xr.DataTree) -> Group:
    return _tree(tree, inherit=True)


def _tree(tree: xr.DataTree, *, inherit: bool = False) -> Group:
    """Return the Group of a tree; as in `to_zarr`, only its root has the coordinates that it inherits."""
    variables, attrs = _variables(tree.to_dataset(inherit=inherit))
    return group_of({**variables, **{name: partial(_tree, child) for name, child in tree.children.items()}}, attrs)


@as_node.register(xr.Dataset)
def _(tree: xr.Dataset) -> Group:
    return group_of(*_variables(tree))


@as_node.register(xr.DataArray)
def _(tree: xr.DataArray) -> Node:
    return variable_node(tree.variable, tree.name)


@as_node.register(xr.Variable)
def _(tree: xr.Variable) -> Node:
    return variable_node(tree)


def _variables(dataset: xr.Dataset) -> tuple[dict[str, Callable[[], Node]], dict[str, Any]]:
    """Return what makes the Array of each variable, and the attributes."""
    skipped = _long_coordinates(dataset)
    variables, attrs = encode_dataset_coordinates(dataset.drop_vars(skipped))
    listed = {SKIPPED: skipped} if skipped else {}
    makers: dict[str, Callable[[], Node]] = {
        str(name): partial(variable_node, variable, name) for name, variable in variables.items()
    }
    return makers, _attrs(attrs) | listed


def _long_coordinates(dataset: xr.Dataset) -> dict[str, str]:
    """Return the coordinates that an index computes and that are too long to be loaded, with the reason.

    xarray's readers load every dimension coordinate whole when they open a group, which a level 2^59 pixels wide does
    not survive.
    """
    return {
        str(name): f"its {dataset.sizes[name]} elements are computed, and readers would load them all"
        for name, index in dataset.xindexes.items()
        if not isinstance(index, PandasIndex) and dataset[name].dims == (name,) and dataset.sizes[name] > COMPUTED
    }


def _attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    encode: Any = encode_zarr_attr_value  # untyped
    return {str(name): encode(value) for name, value in attrs.items()}


def variable_node(variable: xr.Variable, name: Any = None) -> Array:
    """Return the Array of a variable.

    Numbers and text are encoded window by window. What needs the values to choose an encoding (dates without a unit,
    objects) is encoded here and now, or by dask when read, as `to_zarr` does.
    """
    if variable.dtype.kind == "O" or not isinstance(variable.dtype, np.dtype):  # or of a type of pandas' own
        variable, missing = _of_objects(variable)
        if variable.dtype.kind == "O":
            return _bytes(variable)
    else:
        missing = None
    variable = without_stale_dtype(variable)
    encoded, packed = _encoded(variable, name)
    missing = encoded.attrs.get("_FillValue") if missing is None else missing
    attrs = _attrs({key: value for key, value in encoded.attrs.items() if key != "_FillValue"})
    packing = {key: variable.encoding.get(key) for key in sorted(_PACKING)}
    node = Array(
        shape=variable.shape,
        dtype=encoded.dtype,
        read=Encoded(variable) if packed else Window(encoded),
        chunks=_chunks(variable, encoded.dtype.itemsize),
        dims=tuple(map(str, variable.dims)),
        attrs=with_missing(attrs, missing, encoded.dtype),
        fill_value=_fill_value(variable.encoding.get("fill_value"), encoded.dtype),
        missing=missing,
        constant=Known(encoded) if not packed and hasattr(content_of(encoded), "constant") else None,
        fingerprint=digest(_identity(variable), encoded.dtype, sorted(attrs.items()), packing),
        encoding={key: variable.encoding[key] for key in ("compressors", "shards") if key in variable.encoding},
    )
    return _in_blocks(node, variable)


def _fill_value(asked: Any, dtype: np.dtype[Any]) -> Any:
    """Return the fill value of an encoding; None if it is of another dtype, of the file that elements came from."""
    if asked is None or dtype.kind not in "biufc":
        return asked
    try:
        return declared(np.asarray(asked), (), dtype)[()]
    except TypeError:
        return None


def _identity(variable: xr.Variable) -> str:
    """Return the identity of a variable's elements; short coordinates that an index computes are computed for it."""
    data: Any = content_of(variable)
    is_computed = isinstance(data, CoordinateTransformIndexingAdapter) and not hasattr(data, "__dask_tokenize__")
    return identity(np.asarray(variable.data) if is_computed and variable.size <= COMPUTED else data)


def _of_objects(variable: xr.Variable) -> tuple[xr.Variable, Any]:
    """Return a variable of objects as one of a type of numpy's, or of bytes, and what stands for missing elements."""
    objects = (
        variable.compute(scheduler="synchronous").to_numpy() if variable.chunks is not None else variable.to_numpy()
    ).astype(object)
    if any(type(element).__module__.partition(".")[0] == "cftime" for element in objects.flat):
        return _encode(variable), None
    values, missing = unmasked(typed(objects))
    if values.dtype.kind == "O" and not any(element.endswith(b"\0") for element in values.flat):
        values = values.astype("S")
    encoding = {key: value for key, value in variable.encoding.items() if key != "dtype"}
    return xr.Variable(variable.dims, values, variable.attrs, encoding), missing


def _bytes(variable: xr.Variable) -> Array:
    """Return the Array of bytes that end in zeros, which numpy's own type would lose."""
    node = bytes_node(variable.to_numpy())
    return replace(node, dims=tuple(map(str, variable.dims)), attrs=_attrs(variable.attrs))


def _encoded(variable: xr.Variable, name: Any) -> tuple[xr.Variable, bool]:
    """Return `variable` with the attributes, dtype and, where they change, elements of its encoding.

    Elements of numbers that are packed are left to be encoded when they are read; the second value says so. Text stays
    text: how many bytes it would take is not known before all of it is read.
    """
    if variable.dtype.kind in "UT":
        return as_it_is(variable.dims, content_of(variable), variable.attrs), False
    if variable.dtype.kind in "Mm" or "_Encoding" in variable.encoding:
        return _encode(variable, name), False
    nothing = np.empty((0,) * variable.ndim, variable.dtype)
    empty = xr.Variable(variable.dims, nothing, variable.attrs, variable.encoding, fastpath=True)  # without dask
    like = _encode(empty, name)
    if _PACKING & variable.encoding.keys() or like.dtype != variable.dtype:
        return like, True
    return as_it_is(variable.dims, content_of(variable), like.attrs), False


def _encode(variable: xr.Variable, name: Any = None) -> xr.Variable:
    """Return what `to_zarr` writes of a variable; text of variable length stays so, in Zarr v2 as well."""
    try:
        encoded: xr.Variable = encode_zarr_variable(variable, name=name, zarr_format=3)
    except (AttributeError, KeyError, OverflowError):
        if variable.dtype.kind != "M" or "units" in variable.encoding:
            raise
        encoded = encode_zarr_variable(_since_1970(variable), name=name, zarr_format=3)
    return encoded


def _since_1970(variable: xr.Variable) -> xr.Variable:
    """Return times as counts of their own unit since 1970.

    xarray counts from the first, and 64 bits of nanoseconds are 292 years. It refuses dates that Python does not have.
    """
    times = np.asarray(variable.values)
    unit = np.datetime_data(times.dtype)[0]
    attrs = {**variable.attrs, "units": f"{_UNITS[unit]} since 1970-01-01", "calendar": "proleptic_gregorian"}
    if np.isnat(times).any():
        attrs["_FillValue"] = np.int64(np.iinfo(np.int64).min)
    return xr.Variable(variable.dims, times.astype(f"<M8[{unit}]").view(np.int64), attrs, variable.encoding)


def _chunks(variable: xr.Variable, itemsize: int) -> tuple[int, ...]:
    """Return the chunks that the variable's encoding asks for, otherwise those that suit how it is computed or read.

    Backends note the chunks of their files, for each dimension by name. Their other notes (`chunks`, `chunksizes`)
    are of the array as it was in the file, and selecting and transposing do not change them.
    """
    itemsize = max(1, itemsize)
    asked = variable.encoding.get("chunks") or None
    preferred = variable.encoding.get("preferred_chunks")
    if isinstance(preferred, dict) and preferred and asked is not None:
        asked = None if tuple(asked) == tuple(preferred.values()) else asked
    if asked is not None and not isinstance(asked, (str, int)) and len(tuple(asked)) == variable.ndim:
        return tuple(max(1, int(size)) for size in asked)
    if variable.chunks is not None:
        return block_chunks(variable.shape, itemsize, variable.chunks)
    block = _block_of_file(variable)
    return (
        default_chunks(variable.shape, itemsize) if block is None else aligned_chunks(variable.shape, itemsize, block)
    )


def _block_of_file(variable: xr.Variable) -> tuple[int, ...] | None:
    """Return the block in which a backend would best be read; None if it says nothing."""
    preferred = variable.encoding.get("preferred_chunks")
    if not isinstance(preferred, dict) or not preferred.keys() & set(variable.dims):
        return None
    return tuple(_length(preferred.get(dim), size) for dim, size in variable.sizes.items())


def _in_blocks(node: Array, variable: xr.Variable) -> Array:
    """Return the Array of a variable, computed or read in the blocks that its chunks are parts of."""
    if variable.chunks is not None:
        return in_dask_blocks(node, variable.chunks)
    block = _block_of_file(variable)
    return node if block is None else in_shared_blocks(node, block)


def _length(asked: Any, size: int) -> int:
    """Return the length of a block along a dimension of `size`."""
    if isinstance(asked, (tuple, list)):
        asked = max(asked, default=1)
    return max(1, size) if asked in {-1, None} else max(1, int(asked))
