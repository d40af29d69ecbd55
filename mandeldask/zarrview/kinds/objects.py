"""Python objects as arrays of a Zarr data type, which is chosen by inspecting the elements."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.zarrview.blocks import is_missing
from mandeldask.zarrview.dtypes import DIGITS, TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


def typed(objects: NDArray[Any]) -> NDArray[Any]:
    """Convert an array of objects to numbers, text, bytes, dates or durations; missing elements are masked.

    Bytes stay objects, since numpy's own type drops zeros at the end. Decimals, times of day, periods, intervals and
    UUIDs become text, dates become midnight, and times with a zone are converted to UTC. Lists of equal length add a
    dimension.

    Raises
    ------
    TypeError
        If the elements have different types, or a type without an equivalent in Zarr.
    """
    elements = objects.ravel().tolist()
    missing = np.array([is_missing(element) for element in elements], bool)
    present = [element for element, absent in zip(elements, missing, strict=True) if not absent]
    kind = _kind(present)
    made = kind(present)
    if made.ndim > 1:
        if missing.any():
            msg = "lists, some of which are missing, cannot be shown as an array"
            raise TypeError(msg)
        return made.reshape(objects.shape + made.shape[1:])
    whole = np.full(len(elements), b"" if made.dtype.kind == "O" else np.zeros((), made.dtype), made.dtype)
    whole[~missing] = made
    if not missing.any():
        return whole.reshape(objects.shape)
    masked: NDArray[Any] = np.ma.masked_array(whole, missing).reshape(objects.shape)
    return masked


def _kind(elements: Sequence[Any]) -> Callable[[Any], NDArray[Any]]:
    """Return the function that converts `elements`, none of which is missing, to an array."""
    if not elements:
        return _numbers
    for types, make in _MAKERS:
        if all(isinstance(element, types) for element in elements):
            return make
    if {type(element).__name__ for element in elements} <= {"Interval", "Period"}:  # of pandas
        return _text
    names = sorted({type(element).__name__ for element in elements})
    msg = f"objects of mixed types, or of types without an equivalent in Zarr, cannot be shown: {', '.join(names)}"
    raise TypeError(msg)


def _numbers(elements: Sequence[Any]) -> NDArray[Any]:
    """Return numbers; integers as int64, or as uint64 if necessary."""
    if any(isinstance(element, (bool, np.bool_)) for element in elements):
        msg = "objects of mixed types cannot be shown: booleans among numbers"
        raise TypeError(msg)
    wholes = [int(element) for element in elements if isinstance(element, (int, np.integer))]
    if elements and len(wholes) == len(elements):
        return _whole_numbers(wholes)
    if any(abs(number) > DIGITS for number in wholes):
        msg = "integers beyond 2**53 among floats would lose digits"
        raise TypeError(msg)
    return np.array(elements) if elements else np.zeros(0)


def _whole_numbers(numbers: Sequence[int]) -> NDArray[Any]:
    for dtype in (np.int64, np.uint64):
        limits = np.iinfo(dtype)
        if limits.min <= min(numbers) and max(numbers) <= limits.max:
            return np.array(numbers, dtype)
    msg = f"integers from {min(numbers)} to {max(numbers)} need more than 64 bits"
    raise TypeError(msg)


def _text(elements: Sequence[Any]) -> NDArray[Any]:
    return np.array([str(element) for element in elements], TEXT)


def _bytes(elements: Sequence[Any]) -> NDArray[Any]:
    array = np.empty(len(elements), object)
    array[:] = [bytes(element) for element in elements]
    return array


def _times(elements: Sequence[Any]) -> NDArray[Any]:
    """Return times; those with a zone are converted to UTC."""
    if len({element.tzinfo is None for element in elements}) > 1:
        msg = "times with and without a time zone cannot be in one array"
        raise TypeError(msg)
    if hasattr(elements[0], "to_datetime64"):  # pandas' knows nanoseconds
        in_utc = [each.tz_convert(None) if each.tzinfo else each for each in elements]
        return np.array([each.to_datetime64() for each in in_utc])
    naive = [each.astimezone(dt.UTC).replace(tzinfo=None) if each.tzinfo else each for each in elements]
    return np.array(naive, "M8[us]")


def _dates(elements: Sequence[dt.date]) -> NDArray[Any]:
    if any(isinstance(element, dt.datetime) for element in elements):
        msg = "objects of mixed types cannot be shown: dates among times"
        raise TypeError(msg)
    return np.array(elements, "M8[D]").astype("M8[s]")


def _durations(elements: Sequence[Any]) -> NDArray[Any]:
    if hasattr(elements[0], "to_timedelta64"):  # pandas' knows nanoseconds
        return np.array([element.to_timedelta64() for element in elements])
    return np.array(elements, "m8[us]")


def _lists(elements: Sequence[Any]) -> NDArray[Any]:
    """Return lists of equal length as rows."""
    rows = [np.asarray(element) if isinstance(element, np.ndarray) else _row(element) for element in elements]
    if len({row.shape for row in rows}) > 1:
        msg = "lists of different lengths cannot be shown as an array"
        raise TypeError(msg)
    whole = np.stack(rows)
    if whole.dtype.kind == "O":
        return typed(whole)
    return whole


def _row(elements: Sequence[Any]) -> NDArray[Any]:
    row = np.empty(len(elements), object)
    row[:] = list(elements)
    return typed(row)


def _numpy_times(elements: Sequence[Any]) -> NDArray[Any]:
    return np.array(elements)


_MAKERS: tuple[tuple[Any, Callable[[Any], NDArray[Any]]], ...] = (
    (str, _text),
    ((bytes, bytearray, memoryview), _bytes),
    ((bool, np.bool_), lambda elements: np.array(elements, bool)),
    ((int, np.integer, float, np.floating, complex, np.complexfloating), _numbers),
    (dt.datetime, _times),
    (dt.date, _dates),
    (np.datetime64, _numpy_times),
    (dt.timedelta, _durations),
    (np.timedelta64, _numpy_times),
    ((decimal.Decimal, uuid.UUID), _text),
    (dt.time, _text),
    ((list, tuple, np.ndarray), _lists),
)
"""Types, and the function that converts elements of these types to an array; the first match is used."""
