"""Double-double arithmetic: numbers of 106 bits as unevaluated sums ``high + low`` of two float64.

Without fused multiply-add, so that every machine rounds alike. The error bounds are those of Joldes, Muller and
Popescu (ACM TOMS 44, 2017), https://doi.org/10.1145/3121432, rounded up.
"""

from __future__ import annotations

import numba

_SPLIT = 2.0**27 + 1


@numba.njit(nogil=True, cache=True, inline="always")
def two_sum(a, b):
    """Return ``a + b`` rounded, and exactly what the rounding lost."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@numba.njit(nogil=True, cache=True, inline="always")
def fast_two_sum(a, b):
    """Return the same as `two_sum`, for ``|a| >= |b|``."""
    total = a + b
    return total, b - (total - a)


@numba.njit(nogil=True, cache=True, inline="always")
def two_product(a, b):
    """Return ``a * b`` rounded, and exactly what the rounding lost (Dekker 1971), unless it underflows."""
    product = a * b
    t = _SPLIT * a
    a_high = t - (t - a)
    a_low = a - a_high
    t = _SPLIT * b
    b_high = t - (t - b)
    b_low = b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@numba.njit(nogil=True, cache=True, inline="always")
def add(a_high, a_low, b_high, b_low):
    """Return ``a + b`` with a relative error below 2^-104 of ``|a| + |b|``."""
    high, low = two_sum(a_high, b_high)
    return fast_two_sum(high, low + (a_low + b_low))


@numba.njit(nogil=True, cache=True, inline="always")
def multiply(a_high, a_low, b_high, b_low):
    """Return ``a * b`` with a relative error below 2^-102."""
    high, low = two_product(a_high, b_high)
    return fast_two_sum(high, low + (a_high * b_low + a_low * b_high))


@numba.njit(nogil=True, cache=True, inline="always")
def iterate(x_high, x_low, y_high, y_low, cx_high, cx_low, cy_high, cy_low):
    """Return ``z^2 + c`` as ``x_high, x_low, y_high, y_low``."""
    xx_high, xx_low = multiply(x_high, x_low, x_high, x_low)
    yy_high, yy_low = multiply(y_high, y_low, y_high, y_low)
    xy_high, xy_low = multiply(x_high, x_low, y_high, y_low)
    x_high, x_low = add(xx_high, xx_low, -yy_high, -yy_low)
    x_high, x_low = add(x_high, x_low, cx_high, cx_low)
    y_high, y_low = add(2.0 * xy_high, 2.0 * xy_low, cy_high, cy_low)
    return x_high, x_low, y_high, y_low
