"""xarray's DataTree, Dataset, DataArray and Variable, encoded by xarray's own CF conventions, window by window.

The result equals that of `DataTree.to_zarr`, with which the tests compare it. No other module of this package uses
xarray's semi-private encoding functions.
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
"""CF names of the numpy time units that xarray supports."""

COMPUTED = 2**16
"""Largest number of elements of a computed index coordinate that is shown: xarray loads it when it opens a group."""


@dataclass(frozen=True, slots=True)
class Window:
    """Reads windows of a variable without encoding; dask arrays are computed in this thread."""

    variable: xr.Variable

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        data = self.variable[window].data
        if hasattr(data, "compute"):
            data = data.compute(scheduler="synchronous")
        return dense(data)


@dataclass(frozen=True, slots=True)
class Known:
    """Asks a lazily indexed array with a method `constant` whether a window has only one value."""

    variable: xr.Variable

    def __call__(self, window: tuple[slice, ...]) -> Any:
        """Return the value, or None if it is not known."""
        data: Any = content_of(self.variable[window])
        return data.constant()


@dataclass(frozen=True, slots=True)
class Encoded:
    """Reads windows of a variable and encodes each as xarray would encode the whole variable.

    Raises ValueError if the encoding would change an element by more than rounding.
    """

    variable: xr.Variable

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the encoded elements of `window`."""
        variable = self.variable[window]
        if variable.chunks is not None:
            variable = variable.compute(scheduler="synchronous")
        with np.errstate(invalid="ignore"):  # checked below
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
    """Return functions that make the Array of each variable, and the attributes."""
    skipped = _long_coordinates(dataset)
    variables, attrs = encode_dataset_coordinates(dataset.drop_vars(skipped))
    listed = {SKIPPED: skipped} if skipped else {}
    makers: dict[str, Callable[[], Node]] = {
        str(name): partial(variable_node, variable, name) for name, variable in variables.items()
    }
    return makers, _attrs(attrs) | listed


def _long_coordinates(dataset: xr.Dataset) -> dict[str, str]:
    """Return the coordinates that an index computes and that are too long to be loaded, with the reason.

    xarray's readers load every dimension coordinate completely when they open a group, which is impossible for a level
    of 2^59 pixels.
    """
    return {
        str(name): f"its {dataset.sizes[name]} elements are computed, and readers would load all of them"
        for name, index in dataset.xindexes.items()
        if not isinstance(index, PandasIndex) and dataset[name].dims == (name,) and dataset.sizes[name] > COMPUTED
    }


def _attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    encode: Any = encode_zarr_attr_value  # untyped
    return {str(name): encode(value) for name, value in attrs.items()}


def variable_node(variable: xr.Variable, name: Any = None) -> Array:
    """Return the Array of a variable.

    Numbers and text are encoded window by window. If the encoding depends on the values (dates without a unit,
    objects), they are encoded immediately, or by dask when they are read, as `to_zarr` does.
    """
    if variable.dtype.kind == "O" or not isinstance(variable.dtype, np.dtype):  # or a pandas type
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
    """Return the fill value of an encoding; None if it is for another dtype, that of the original file."""
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
    """Return a variable of objects as one of a numpy type or of bytes objects, and its missing value."""
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
    """Return the Array of bytes that may end in zeros, which numpy's own type would drop."""
    node = bytes_node(variable.to_numpy())
    return replace(node, dims=tuple(map(str, variable.dims)), attrs=_attrs(variable.attrs))


def _encoded(variable: xr.Variable, name: Any) -> tuple[xr.Variable, bool]:
    """Return `variable` with the attributes, dtype and, if they change, the elements of its encoding.

    Packed numbers are encoded later, when they are read; then the second value is True. Text stays text: its size as
    bytes is not known before all of it is read.
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
    """Return a variable as `to_zarr` writes it; text of variable length keeps its type, also in Zarr v2."""
    try:
        encoded: xr.Variable = encode_zarr_variable(variable, name=name, zarr_format=3)
    except (AttributeError, KeyError, OverflowError):
        if variable.dtype.kind != "M" or "units" in variable.encoding:
            raise
        encoded = encode_zarr_variable(_since_1970(variable), name=name, zarr_format=3)
    return encoded


def _since_1970(variable: xr.Variable) -> xr.Variable:
    """Return times as numbers of their own unit since 1970.

    xarray would count from the first time, but 64 bits of nanoseconds cover only 292 years. xarray also refuses dates
    that Python's datetime does not support.
    """
    times = np.asarray(variable.values)
    unit = np.datetime_data(times.dtype)[0]
    attrs = {**variable.attrs, "units": f"{_UNITS[unit]} since 1970-01-01", "calendar": "proleptic_gregorian"}
    if np.isnat(times).any():
        attrs["_FillValue"] = np.int64(np.iinfo(np.int64).min)
    return xr.Variable(variable.dims, times.astype(f"<M8[{unit}]").view(np.int64), attrs, variable.encoding)


def _chunks(variable: xr.Variable, itemsize: int) -> tuple[int, ...]:
    """Return the chunks in the variable's encoding; otherwise chunks that fit its blocks.

    Backends store the chunks of their files by dimension name (`preferred_chunks`). The encodings `chunks` and
    `chunksizes` describe the array in the file: selecting and transposing do not change them.
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
    """Return the block in which a backend prefers to be read; None if it does not define one."""
    preferred = variable.encoding.get("preferred_chunks")
    if not isinstance(preferred, dict) or not preferred.keys() & set(variable.dims):
        return None
    return tuple(_length(preferred.get(dim), size) for dim, size in variable.sizes.items())


def _in_blocks(node: Array, variable: xr.Variable) -> Array:
    """Return the Array of a variable; if its chunks are parts of blocks, whole blocks are computed or read."""
    if variable.chunks is not None:
        return in_dask_blocks(node, variable.chunks)
    block = _block_of_file(variable)
    return node if block is None else in_shared_blocks(node, block)


def _length(asked: Any, size: int) -> int:
    """Return the length of a block along a dimension of `size`."""
    if isinstance(asked, (tuple, list)):
        asked = max(asked, default=1)
    return max(1, size) if asked in {-1, None} else max(1, int(asked))
