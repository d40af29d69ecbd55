"""Double-double arithmetic: numbers of 106 bits as unevaluated sums ``high + low`` of two float64.

The error bounds of `add` and `multiply` are those of Joldes, Muller and Popescu (ACM TOMS 44, 2017),
https://doi.org/10.1145/3121432, rounded up. The compiler adds no multiply-adds to those written here, so that every
machine rounds in the same way.
"""

from __future__ import annotations

from typing import Any

from mandeldask.fractal.escape.arithmetic.jit import inlined
from mandeldask.internals.numba_names import float64, intrinsic


@intrinsic
def fma(_context: Any, _a: Any, _b: Any, _c: Any) -> Any:
    """Return ``a * b + c``, rounded once: one instruction if the machine has it, otherwise a call of the C library."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return float64(float64, float64, float64), generate


@inlined
def two_sum(a: float, b: float) -> tuple[float, float]:
    """Return ``a + b`` rounded, and its rounding error, exactly."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@inlined
def fast_two_sum(a: float, b: float) -> tuple[float, float]:
    """Return the same as `two_sum`, for ``|a| >= |b|``."""
    total = a + b
    return total, b - (total - a)


@inlined
def two_product(a: float, b: float) -> tuple[float, float]:
    """Return ``a * b`` rounded, and its rounding error, exactly unless it underflows."""
    product = a * b
    return product, fma(a, b, -product)


@inlined
def add(a_high: float, a_low: float, b_high: float, b_low: float) -> tuple[float, float]:
    """Return ``a + b`` with a relative error below 2^-104 of ``|a| + |b|``."""
    high, low = two_sum(a_high, b_high)
    return fast_two_sum(high, low + (a_low + b_low))


@inlined
def multiply(a_high: float, a_low: float, b_high: float, b_low: float) -> tuple[float, float]:
    """Return ``a * b`` with a relative error below 2^-102."""
    high, low = two_product(a_high, b_high)
    return fast_two_sum(high, low + (a_high * b_low + a_low * b_high))


@inlined
def iterate(
    x: float, x_low: float, y: float, y_low: float, cx: float, cx_low: float, cy: float, cy_low: float
) -> tuple[float, float, float, float]:
    """Return ``z^2 + c`` as ``x, x_low, y, y_low``, with an error below 2^-97 for ``|z|, |c| <= 2.1``.

    The high parts are multiplied and added exactly. The remaining terms are added up, and the sum is split once.
    """
    xx, xx_low = two_product(x, x)
    yy, yy_low = two_product(y, y)
    real, rest = two_sum(xx, -yy)
    real, rest_of_c = two_sum(real, cx)
    low = (xx_low - yy_low) + (rest + rest_of_c) + cx_low
    low = fma(x + x, x_low, fma(-(y + y), y_low, low))
    xy, xy_low = two_product(x + x, y)
    imag, rest = two_sum(xy, cy)
    imag_low = fma(x + x, y_low, fma(y + y, x_low, xy_low + rest + cy_low))
    x, x_low = fast_two_sum(real, low)
    y, y_low = fast_two_sum(imag, imag_low)
    return x, x_low, y, y_low


@inlined
def multiply_add(
    tx: float, tx_low: float, ty: float, ty_low: float, x: float, x_low: float, y: float, y_low: float, cx: float,
    cx_low: float, cy: float, cy_low: float,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Return the complex ``t w + c`` as ``x, x_low, y, y_low``, with an error below 2^-98 (2 |t| |w| + |c|): Lemma 24.

    As in `iterate`, the high parts are multiplied and added exactly, and the other terms added up and split once.
    """
    xx, xx_low = two_product(tx, x)
    yy, yy_low = two_product(ty, y)
    real, rest = two_sum(xx, -yy)
    real, rest_of_c = two_sum(real, cx)
    low = (xx_low - yy_low) + (rest + rest_of_c) + cx_low
    low = fma(tx, x_low, fma(tx_low, x, fma(-ty, y_low, fma(-ty_low, y, low))))
    xy, xy_low = two_product(tx, y)
    yx, yx_low = two_product(ty, x)
    imag, rest = two_sum(xy, yx)
    imag, rest_of_c = two_sum(imag, cy)
    imag_low = (xy_low + yx_low) + (rest + rest_of_c) + cy_low
    imag_low = fma(tx, y_low, fma(tx_low, y, fma(ty, x_low, fma(ty_low, x, imag_low))))
    x, x_low = fast_two_sum(real, low)
    y, y_low = fast_two_sum(imag, imag_low)
    return x, x_low, y, y_low
