"""Points that never escape by a formula, exact at any precision: main cardioid, disc of period 2, real segment.

Writing w = c - 1/4, the multiplier of the fixed point is below 1 in modulus where
``|w|^2 (|w|^2 + re w) < (im w)^2 / 4``; that of the 2-cycle, 4 (c + 1), where ``|c + 1|^2 < 1/16``. Edges belong to
the set, which is closed. For real c in [-2, 1/4] the orbit of 0 stays in [-b, b], ``b = (1 + sqrt(1 - 4c)) / 2 <= 2``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mandeldask.fractal.escape.arithmetic.whole_numbers import integer, product, scaled

if TYPE_CHECKING:
    from mandeldask.fractal.rationals import Point

_FIRST_BITS = 64
"""Fractional bits that nearly always suffice."""

_CARDIOID_BITS, _DISC_BITS = 10, 5
"""log2 of bounds on the change of both formulas when both parts of c, |c| <= 3, change by two units."""


def known_period(c: Point) -> int | None:
    """Return the period of the attracting cycle at `c` if a formula gives it.

    0: `c` never escapes, and no attracting cycle is known. None: no formula applies, and `c` may escape or not.

    Examples
    --------
    >>> from mandeldask.fractal.rationals import as_point
    >>> [known_period(as_point(c)) for c in ("0.1j", "-1.1", "0.25", "-2", "-0.1+0.75j")]
    [1, 2, 0, 0, None]
    """
    if abs(c.re.numerator) > 2 * c.re.denominator or abs(c.im.numerator) > 2 * c.im.denominator:
        return None
    edges = _sides(c)
    for period, side in enumerate(edges, start=1):
        if side < 0:
            return period
    on_real_segment = c.im == 0 and 4 * c.re.numerator <= c.re.denominator
    return 0 if on_real_segment or 0 in edges else None


def _sides(c: Point) -> tuple[int, int]:
    """Return for the cardioid and the disc -1 inside, 0 on the edge, 1 outside.

    As many bits of c are used as necessary. Both formulas are integers over 256 q^4, where q is a common denominator: a
    value that is known to less than that, and may be 0, is 0.
    """
    bits, most = _FIRST_BITS, 0
    while True:
        x, y = (integer(scaled(part, bits)) for part in c)
        sides = _side(_cardioid(x, y, bits), 3 * bits + _CARDIOID_BITS), _side(_disc(x, y, bits), bits + _DISC_BITS)
        if min(sides) < 0 or 0 not in sides or (most and bits > most):
            return sides
        most = most or 4 * sum(part.denominator.bit_length() for part in c) + 24
        bits = min(2 * bits, most + 1)


def _side(value: int, error_bits: int) -> int:
    """Return the sign of a number, 0 where it may be 0."""
    return 0 if abs(value) >> error_bits == 0 else (-1 if value < 0 else 1)


def _cardioid(x: Any, y: Any, bits: int) -> int:
    """Return a value that is negative inside the main cardioid and 0 on its edge, in units of 2^(-4 bits)."""
    re = x - (1 << (bits - 2))
    square_of_im = product(y, y)
    square = product(re, re) + square_of_im
    return int(product(square, square + (re << bits)) - (square_of_im << (2 * bits - 2)))


def _disc(x: Any, y: Any, bits: int) -> int:
    """Return a value that is negative inside the disc of period 2 and 0 on its edge, in units of 2^(-2 bits)."""
    re = x + (1 << bits)
    return int(product(re, re) + product(y, y) - (1 << (2 * bits - 4)))
