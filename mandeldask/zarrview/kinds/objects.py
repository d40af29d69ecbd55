"""Python objects as arrays of a data type that Zarr has. What depends on the elements is decided by the elements."""

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
    """Return an array of objects as one of numbers, text, bytes, dates or durations, masked where some are missing.

    Bytes stay objects, since numpy's own end where zeros do. Decimals, times of day, periods, intervals and UUIDs
    become their text, dates midnight, times in a zone UTC. Lists of equal length add a dimension.

    Raises
    ------
    TypeError
        If the elements are of several types, or of one that Zarr has nothing for.
    """
    elements = objects.ravel().tolist()
    gaps = np.array([is_missing(element) for element in elements], bool)
    present = [element for element, gap in zip(elements, gaps, strict=True) if not gap]
    kind = _kind(present)
    made = kind(present)
    if made.ndim > 1:
        if gaps.any():
            msg = "lists of which some are missing are no array"
            raise TypeError(msg)
        return made.reshape(objects.shape + made.shape[1:])
    whole = np.full(len(elements), b"" if made.dtype.kind == "O" else np.zeros((), made.dtype), made.dtype)
    whole[~gaps] = made
    if not gaps.any():
        return whole.reshape(objects.shape)
    masked: NDArray[Any] = np.ma.masked_array(whole, gaps).reshape(objects.shape)
    return masked


def _kind(elements: Sequence[Any]) -> Callable[[Any], NDArray[Any]]:
    """Return what makes an array of `elements`, none of which is missing."""
    if not elements:
        return _numbers
    for types, make in _MAKERS:
        if all(isinstance(element, types) for element in elements):
            return make
    if {type(element).__name__ for element in elements} <= {"Interval", "Period"}:  # of pandas
        return _text
    names = sorted({type(element).__name__ for element in elements})
    msg = f"objects of mixed native types, or of types that Zarr has nothing for, cannot be shown: {', '.join(names)}"
    raise TypeError(msg)


def _numbers(elements: Sequence[Any]) -> NDArray[Any]:
    """Return numbers; whole ones as int64, or uint64 where they need it."""
    if any(isinstance(element, (bool, np.bool_)) for element in elements):
        msg = "objects of mixed native types cannot be shown: truth values among numbers"
        raise TypeError(msg)
    wholes = [int(element) for element in elements if isinstance(element, (int, np.integer))]
    if elements and len(wholes) == len(elements):
        return _whole_numbers(wholes)
    if any(abs(number) > DIGITS for number in wholes):
        msg = "whole numbers beyond 2**53 among fractions would lose digits"
        raise TypeError(msg)
    return np.array(elements) if elements else np.zeros(0)


def _whole_numbers(numbers: Sequence[int]) -> NDArray[Any]:
    for dtype in (np.int64, np.uint64):
        limits = np.iinfo(dtype)
        if limits.min <= min(numbers) and max(numbers) <= limits.max:
            return np.array(numbers, dtype)
    msg = f"whole numbers from {min(numbers)} to {max(numbers)} need more than 64 bits"
    raise TypeError(msg)


def _text(elements: Sequence[Any]) -> NDArray[Any]:
    return np.array([str(element) for element in elements], TEXT)


def _bytes(elements: Sequence[Any]) -> NDArray[Any]:
    array = np.empty(len(elements), object)
    array[:] = [bytes(element) for element in elements]
    return array


def _times(elements: Sequence[Any]) -> NDArray[Any]:
    """Return times; those that know their zone in UTC."""
    if len({element.tzinfo is None for element in elements}) > 1:
        msg = "times of which some are in a zone and some in none are no array"
        raise TypeError(msg)
    if hasattr(elements[0], "to_datetime64"):  # pandas' knows nanoseconds
        in_utc = [each.tz_convert(None) if each.tzinfo else each for each in elements]
        return np.array([each.to_datetime64() for each in in_utc])
    naive = [each.astimezone(dt.UTC).replace(tzinfo=None) if each.tzinfo else each for each in elements]
    return np.array(naive, "M8[us]")


def _dates(elements: Sequence[dt.date]) -> NDArray[Any]:
    if any(isinstance(element, dt.datetime) for element in elements):
        msg = "objects of mixed native types cannot be shown: dates among times"
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
        msg = "lists of different lengths are no array"
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
"""What makes an array of elements that are all of some types; the first that fits."""
