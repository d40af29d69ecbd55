"""Arrays in memory, masked or not, and scalars."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mandeldask.zarrview.blocks import declared, dense, is_read_as
from mandeldask.zarrview.cf import with_missing
from mandeldask.zarrview.chunking import default_chunks
from mandeldask.zarrview.dtypes import DIGITS, plain
from mandeldask.zarrview.identity import identity
from mandeldask.zarrview.kinds.objects import typed
from mandeldask.zarrview.nodes import Array, as_node

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WIDEST, _NARROW = 8, 2
"""Size in bytes of the integers that float64 cannot all represent, and of those that float32 can all represent."""

_UNITS = ("s", "ms", "us", "ns")
"""Time units that xarray supports."""

_STEP = 2**12
"""Distance between candidates for the missing value: float64 represents each of them exactly, even near 2**64."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """Reads windows of any object with numpy's indexing that `np.asarray` converts."""

    data: Any

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        return dense(self.data[window or ...])  # () would return a scalar, which loses types that are not numpy's


@as_node.register(np.ndarray)
@as_node.register(np.generic)
@as_node.register(bool)
@as_node.register(int)
@as_node.register(float)
@as_node.register(complex)
@as_node.register(str)
@as_node.register(bytes)
def _(tree: Any) -> Array:
    return array_node(np.asanyarray(tree))


def array_node(data: NDArray[Any]) -> Array:
    """Return the Array of an ndarray.

    Dates and durations are encoded by CF conventions. Arrays of objects become arrays of the type of the objects.
    Masked elements become the missing value; see `dtype_and_missing`.
    """
    if data.dtype.kind == "O":
        return _objects_node(data)
    masked = isinstance(data, np.ma.MaskedArray) and bool(np.ma.getmaskarray(data).any())
    if data.dtype.kind in "Mm":
        return with_conventions(unmasked(data)[0])
    values = data if masked else np.asarray(data)
    dtype, missing = dtype_and_missing(data) if masked else (data.dtype, None)
    return Array(
        shape=data.shape,
        dtype=dtype,
        read=Indexed(values),
        chunks=default_chunks(data.shape, dtype.itemsize),
        attrs=with_missing({}, missing, dtype),
        missing=missing,
        fingerprint=identity(values),
        encoding={"text": True} if data.dtype.kind == "S" and _is_ascii(values) else {},
    )


def unmasked(values: NDArray[Any]) -> tuple[NDArray[Any], Any]:
    """Return an array without a mask, and its missing value (see `dtype_and_missing`); NaT stays NaT."""
    if not isinstance(values, np.ma.MaskedArray):
        return values, None
    if values.dtype.kind in "Mm":
        return np.where(np.ma.getmaskarray(values), np.array("NaT", values.dtype), np.ma.getdata(values)), None
    if values.dtype.kind == "O":
        return np.ma.filled(values, b""), None
    dtype, missing = dtype_and_missing(values)
    return declared(values, values.shape, plain(dtype), missing), missing if dtype.kind in "iu" else None


def dtype_and_missing(data: Any) -> tuple[np.dtype[Any], Any]:
    """Return the dtype for an array with masked elements, and its missing value.

    As in xarray, integers and booleans become floats with NaN. Integers that floats cannot represent stay integers; a
    value that does not occur becomes the missing value.

    Raises
    ------
    TypeError
        If no value of the dtype can be the missing value.
    """
    dtype = data.dtype
    if dtype.kind in "fc":
        return dtype, dtype.type(np.nan)
    if dtype.kind == "b":
        return np.dtype(np.float64), np.nan
    if dtype.kind in "iu":
        return _integer_and_missing(dtype, data.compressed() if isinstance(data, np.ma.MaskedArray) else None)
    if dtype.kind in "TUS":
        return dtype, None  # missing text is empty
    msg = f"masked elements of dtype {dtype} cannot be shown: this dtype has no value for missing elements"
    raise TypeError(msg)


def _integer_and_missing(dtype: np.dtype[Any], present: NDArray[Any] | None) -> tuple[np.dtype[Any], Any]:
    """Return the dtype and the missing value for integers; `present` are the elements, or None if they are unknown."""
    if dtype.itemsize < _WIDEST or (present is not None and _are_exact_in_float64(present)):
        return np.dtype(np.float32 if dtype.itemsize <= _NARROW else np.float64), np.nan
    limits = np.iinfo(dtype)
    largest = int(limits.max) + 1
    for candidate in (limits.min, limits.max, *range(largest - _STEP, largest - _STEP * 2**16, -_STEP)):
        if candidate and (present is None or not is_read_as(present, candidate)):
            return dtype, dtype.type(candidate)
    msg = "masked elements cannot be shown: no integer of the dtype is unused, so none can represent missing elements"
    raise TypeError(msg)


def _are_exact_in_float64(numbers: NDArray[Any]) -> bool:
    return not numbers.size or -DIGITS <= int(numbers.min()) <= int(numbers.max()) <= DIGITS


def with_conventions(data: Any) -> Array:
    """Return the Array of an array of dates or durations, encoded by CF conventions."""
    from xarray import Variable  # noqa: PLC0415  0.3 s of import, for those who have such arrays

    data = in_units_of_xarray(data) if data.dtype.kind in "Mm" else data
    node = as_node(Variable(tuple(f"dim_{axis}" for axis in range(data.ndim)), data))
    return replace(cast("Array", node), dims=None)


def in_units_of_xarray(times: NDArray[Any]) -> NDArray[Any]:
    """Return dates or durations in a unit that xarray supports: seconds to nanoseconds.

    Raises
    ------
    TypeError
        If the conversion is not exact, or if the unit has no fixed number of seconds.
    """
    unit, count = np.datetime_data(times.dtype)
    if unit in _UNITS and count == 1:
        return times
    kind = times.dtype.kind
    is_vague = unit == "generic" if kind == "M" else unit in {"generic", "Y", "M"}
    target = unit if unit in _UNITS else "ns" if unit in {"ps", "fs", "as"} else "s"
    counted: NDArray[Any] = times.astype(f"{kind}8[{target}]")
    lost = (counted.astype(times.dtype) != times) & ~np.isnat(times)
    if (is_vague and not np.isnat(times).all()) or lost.any():
        msg = f"elements of dtype {times.dtype} cannot be converted exactly to seconds or nanoseconds of 64 bits"
        raise TypeError(msg)
    return counted


def _objects_node(data: NDArray[Any]) -> Array:
    if any(type(element).__module__.partition(".")[0] == "cftime" for element in np.ma.getdata(data).flat):
        return with_conventions(data)  # calendars that numpy does not support
    values = typed(np.where(np.ma.getmaskarray(data), np.array(None), np.ma.getdata(data)))
    if values.dtype.kind == "O":
        return bytes_node(np.ma.filled(values, b""))
    return array_node(values)


def bytes_node(values: NDArray[Any]) -> Array:
    """Return the Array of an array of `bytes` objects, which may end in zeros."""
    longest = max(map(len, values.flat), default=1)
    chunks = default_chunks(values.shape, max(1, longest))
    return Array(values.shape, values.dtype, Indexed(values), chunks, fingerprint=identity(values))


def _is_ascii(data: NDArray[Any]) -> bool:
    """Return whether every byte of an array of fixed-length bytes is ASCII: then any reader can read it as text."""
    return np.ma.getdata(data).tobytes().isascii()
