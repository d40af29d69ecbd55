"""Positions of pixels as pairs of float64, high + low."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.cancellation import current

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Axis

FAR = 2**20
"""Positions are clipped to this: no stage needs larger ones exactly."""

POSITION_ERROR = 2.0**-100
"""Bound on |high + low - position|, for positions within 8 of 0."""

_SPLIT = 2.0**27 + 1


def positions(axis: Axis, origin: Fraction = Fraction(0), exponent: int = 0) -> NDArray[np.float64]:
    """Return the positions of `axis`, shape (2, size): ``high``, the nearest float64, and ``low``, its rounding error.

    They are relative to `origin`, in units of 2^exponent, and wrong by up to `POSITION_ERROR`, those next to 0 too.
    ``start + i * step`` in double-double: `i` has at most 26 bits, so that its products with the halves of the step
    are exact (Dekker 1971), and sums keep their error (Knuth's TwoSum).
    """
    (start_high, start_low), (step_high, step_low) = (
        as_pair(axis.start - origin, exponent),
        as_pair(axis.step, exponent),
    )
    if abs(start_high) == FAR or abs(step_high) == FAR:  # other positions may still be near
        return each_position(axis, origin, exponent, np.arange(axis.size))
    i = np.arange(axis.size, dtype=np.float64)
    head = _SPLIT * step_high - (_SPLIT * step_high - step_high)
    high, low = _two_sum(i * head, i * (step_high - head))
    high, error = _two_sum(start_high, high)
    low = low + i * step_low + start_low + error
    return np.array(_two_sum(high, low))


def each_position(axis: Axis, origin: Fraction, exponent: int, pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the positions of some `pixels` as `positions`, each rounded by itself: exact to 2^-106 of it."""
    pairs, cancellation = np.zeros((2, axis.size)), current()
    for i in np.flatnonzero(np.bincount(pixels)).tolist():
        cancellation.check()
        pairs[:, i] = as_pair(axis[i] - origin, exponent)
    return np.take(pairs, pixels, axis=1)


def as_pair(value: Fraction, exponent: int = 0) -> tuple[float, float]:
    """Return `value` in units of 2^exponent, clipped to `FAR`, as the nearest float64 and the rest, rounded once."""
    numerator, denominator = _scaled(value, exponent)
    if abs(numerator) > FAR * denominator:
        return (float(FAR) if numerator > 0 else -float(FAR)), 0.0
    high = numerator / denominator
    p, q = high.as_integer_ratio()
    return high, (numerator * q - p * denominator) / (denominator * q)


def _scaled(value: Fraction, exponent: int) -> tuple[int, int]:
    """Return numerator and denominator of ``value / 2**exponent``, not reduced, which would be slow."""
    numerator, denominator = value.as_integer_ratio()
    return (numerator, denominator << exponent) if exponent > 0 else (numerator << -exponent, denominator)


def clipped(value: Fraction) -> Fraction:
    """Return `value`, or the nearest within `FAR` of 0."""
    return max(Fraction(-FAR), min(value, Fraction(FAR)))


def _two_sum(a: float | NDArray[np.float64], b: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``a + b`` rounded, and its rounding error, exactly."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)
