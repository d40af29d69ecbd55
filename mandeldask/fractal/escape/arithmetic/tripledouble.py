"""Triple-double arithmetic: numbers of 159 bits as unevaluated sums ``high + low + lowest`` of three float64."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic.doubledouble import fma, two_product, two_sum
from mandeldask.fractal.escape.arithmetic.jit import inlined

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

_BITS = 200
"""Bits after the point that a number is rounded to before it is split."""


def as_triple(value: Fraction) -> NDArray[np.float64]:
    """Return `value` as three float64 whose sum is within 2^-156 of it, for numbers within 8 of 0."""
    rest = (value.numerator << _BITS) // value.denominator
    parts = []
    for _ in range(3):
        parts.append(float(rest))
        rest -= int(parts[-1])
    return np.array(parts) * 2.0**-_BITS


@inlined
def iterate(
    x: float, x_low: float, x_lowest: float, y: float, y_low: float, y_lowest: float, cx: float, cx_low: float,
    cx_lowest: float, cy: float, cy_low: float, cy_lowest: float,
) -> tuple[float, float, float, float, float, float]:  # fmt: skip
    """Return ``z^2 + c`` as six parts, with an error below 2^-145 for ``|z|, |c| <= 2.1``.

    Products above 2^-106 are exact, and so are the sums of those above 2^-53.
    """
    xx, xx_low = two_product(x, x)
    yy, yy_low = two_product(y, y)
    real, a = two_sum(xx, -yy)
    real, b = two_sum(real, cx)
    xxl, xxl_low = two_product(x + x, x_low)
    yyl, yyl_low = two_product(y + y, y_low)
    low, rest = _sum(xx_low, -yy_low, xxl, -yyl)
    low, more = _sum(low, a, b, cx_low)
    lowest = (xxl_low - yyl_low) + (rest + more) + cx_lowest
    lowest = fma(x_low, x_low, fma(-y_low, y_low, lowest))
    lowest = fma(x + x, x_lowest, fma(-(y + y), y_lowest, lowest))

    xy, xy_low = two_product(x + x, y)
    imag, a = two_sum(xy, cy)
    xyl, xyl_low = two_product(x + x, y_low)
    yxl, yxl_low = two_product(y + y, x_low)
    imag_low, rest = _sum(xy_low, a, xyl, yxl)
    imag_low, more = two_sum(imag_low, cy_low)
    imag_lowest = (xyl_low + yxl_low) + (rest + more) + cy_lowest
    imag_lowest = fma(x_low + x_low, y_low, imag_lowest)
    imag_lowest = fma(x + x, y_lowest, fma(y + y, x_lowest, imag_lowest))

    x, x_low, x_lowest = _split(real, low, lowest)
    y, y_low, y_lowest = _split(imag, imag_low, imag_lowest)
    return x, x_low, x_lowest, y, y_low, y_lowest


@inlined
def _sum(a: float, b: float, c: float, d: float) -> tuple[float, float]:
    """Return the sum of four numbers, and the sum of its rounding errors."""
    total, first = two_sum(a, b)
    total, second = two_sum(total, c)
    total, third = two_sum(total, d)
    return total, (first + second) + third


@inlined
def _split(high: float, low: float, lowest: float) -> tuple[float, float, float]:
    """Return the same number in parts that overlap by few bits."""
    high, low = two_sum(high, low)
    low, lowest = two_sum(low, lowest)
    return high, low, lowest
