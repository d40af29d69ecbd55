"""Find pixels of an Axis by labels: text and rationals are exact; a float means a displayed coordinate."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from mandeldask.fractal.rationals import as_fraction, as_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from mandeldask.fractal.geometry import Axis

METHODS = {
    "nearest": lambda at: math.floor(at + Fraction(1, 2)),
    "pad": math.floor,
    "ffill": math.floor,
    "backfill": math.ceil,
    "bfill": math.ceil,
}
"""How to round a position between two pixels, by pandas' names."""


def pixel_at(axis: Axis, label: Any, method: str | None = None, tolerance: Any = None) -> int:
    """Return the pixel of `axis` at `label`.

    Parameters
    ----------
    label : str, Decimal, Fraction, int or float
        Text and rationals are exact. A float selects the pixel that has this float64 coordinate.
    method : {"nearest", "pad", "ffill", "backfill", "bfill"}, optional
        The pixel to select for a position between two pixels.
    tolerance : str, Decimal, Fraction, int or float, optional
        Greatest distance of the pixel, in plane units.

    Raises
    ------
    KeyError
        If there is no such pixel, or if several share the float.
    ValueError
        If `method` is unknown, or if a tolerance is given without a method.
    """
    at = axis.index(as_fraction(label, "label"))
    if method is None:
        if tolerance is not None:
            msg = "tolerance needs a method, such as method='nearest'"
            raise ValueError(msg)
        return _exact(axis, label, at)
    if method not in METHODS:
        msg = f"method must be one of {', '.join(METHODS)}, not {method!r}"
        raise ValueError(msg)
    pixel = METHODS[method](at if axis.step > 0 or method == "nearest" else -at)
    pixel = pixel if axis.step > 0 or method == "nearest" else -pixel
    away = abs(at - pixel) * abs(axis.step)
    if not 0 <= pixel < axis.size or (tolerance is not None and away > as_fraction(tolerance, "tolerance")):
        raise KeyError(_missing(axis, label))
    return int(pixel)


def pixels_between(axis: Axis, labels: slice) -> slice:
    """Return the pixels of the closed interval between two labels, in the order of the axis.

    The labels may have either order, since rows count downwards.

    Raises
    ------
    TypeError
        If the step of the slice is not an integer.
    """
    ascending = axis if axis.step > 0 else axis[::-1]
    ends = [label for label in (labels.start, labels.stop) if label is not None]
    low, high = (labels.start, labels.stop) if axis.step > 0 else (labels.stop, labels.start)
    if len(ends) == 2:  # noqa: PLR2004  both ends
        low, high = sorted(ends, key=as_fraction)
    first = 0 if low is None else _bisect(bisect_left, ascending, low)
    last = ascending.size if high is None else _bisect(bisect_right, ascending, high)
    if axis.step < 0:
        first, last = axis.size - last, axis.size - first
    return slice(first, max(first, last), labels.step)


def _exact(axis: Axis, label: Any, at: Fraction) -> int:
    if at.denominator == 1 and 0 <= at < axis.size:
        return int(at)
    found = pixels_between(axis, slice(label, label))
    if isinstance(label, float) and found.stop - found.start == 1:
        return int(found.start)
    if isinstance(label, float) and found.stop > found.start:
        count = found.stop - found.start
        msg = f"{label!r} is the coordinate of {count} pixels that float64 cannot distinguish: pass text"
        raise KeyError(msg)
    raise KeyError(_missing(axis, label))


def _bisect(side: Callable[..., int], axis: Axis, label: Any) -> int:
    """Return the number of pixels before `label`, by bisection."""
    as_displayed = isinstance(label, float)
    value = label if as_displayed else as_fraction(label, "label")
    return side(range(axis.size), value, key=lambda i: float(axis[i]) if as_displayed else axis[i])


def _missing(axis: Axis, label: Any) -> str:
    if not axis.size:
        return f"no pixel at {label}: the axis is empty"
    return (
        f"no pixel at {label}: pixels are from {_short(axis[0])} to {_short(axis[-1])}, {_short(abs(axis.step))} apart"
        f" (method='nearest' takes the nearest of them)"
    )


def _short(value: Fraction) -> str:
    text = as_text(value)
    return text if len(text) <= 40 else f"{float(value)!r}"  # noqa: PLR2004  the length of a line
