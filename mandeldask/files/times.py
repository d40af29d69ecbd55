"""Dates and durations of numpy as CF numbers relative to a day, window by window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.files.flat import plane_chunks
from mandeldask.files.stamps import Unreadable
from mandeldask.zarrview.cf import with_missing
from mandeldask.zarrview.nodes import Array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.zarrview.nodes import Read

UNITS = {
    "D": "days",
    "h": "hours",
    "m": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
}
"""CF's names for numpy's units."""

MISSING = np.iinfo(np.int64).min
"""numpy's value for "not a time"."""

_WEEKS = {"W": 7}
_EPOCH = "1970-01-01"


@dataclass(frozen=True, slots=True)
class Numbers:
    """Reads windows of times as whole numbers since 1970."""

    read: Read
    """Reads the times."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the numbers of `window`."""
        return self.read(window).view(np.int64)


def cf_attributes(dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the attributes for CF readers of times of numpy type `dtype` that are shown as whole numbers.

    Raises
    ------
    Unreadable
        If CF has no such unit.
    """
    unit, count = np.datetime_data(dtype)
    if unit not in UNITS or count != 1:
        msg = f"its times have the unit {count} {unit}, which CF cannot express"
        raise Unreadable(msg)
    if dtype.kind == "m":
        return {"units": UNITS[unit], "dtype": f"timedelta64[{unit}]"}
    return {"units": f"{UNITS[unit]} since {_EPOCH}", "calendar": "proleptic_gregorian"}


def of_times(read: Any, fingerprint: str, **more: Any) -> Array:
    """Return the Array of the datetimes or durations that `read` (which has a shape and a dtype) returns."""
    attrs = {**more.pop("attrs", {}), **cf_attributes(read.dtype)}
    dtype = np.dtype(np.int64)
    more = {"chunks": plane_chunks(read.shape, dtype.itemsize), **more}
    return Array(
        shape=read.shape,
        dtype=dtype,
        read=Numbers(read),
        attrs=with_missing(attrs, MISSING, dtype),
        missing=MISSING,
        fingerprint=fingerprint,
        **more,
    )
