"""Counts that exact rationals decide: orbits that stay on a line or in a cycle, and those that escape soon."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mandeldask.fractal.rationals import Point

_MOST_BITS = 4096
"""Bits of the numbers up to which an orbit is computed exactly."""
_STEPS = 64
"""Most iterations of such an orbit."""


def known_count(z: Point, c: Point, maxiter: int) -> int | None:
    """Return the count of the orbit of `z` if exact arithmetic decides it soon; None if not.

    Examples
    --------
    >>> from mandeldask.fractal.rationals import as_point
    >>> [known_count(as_point(z), as_point(c), 99) for z, c in (("1.5", "-2"), ("1+1j", "0"), ("1j", "1j"))]
    [99, 1, 99]
    """
    if _is_bounded(z, c):
        return maxiter
    (x, y), seen = z, set()
    for n in range(min(_STEPS, maxiter)):
        if (x, y) in seen:
            return maxiter
        seen.add((x, y))
        if max(x.denominator, y.denominator).bit_length() > _MOST_BITS:
            return None
        x, y = x * x - y * y + c.re, 2 * x * y + c.im
        if x * x + y * y > 4:
            return n
    return maxiter if maxiter <= _STEPS else None


def _is_bounded(z: Point, c: Point) -> bool:
    """Whether a formula proves that the orbit is bounded.

    For real c in [-2, 1/4] the interval [-b, b], ``b = (1 + sqrt(1 - 4c)) / 2``, is mapped into itself: real z in it
    stay, and so do those of the imaginary axis that come to it. For c = 0 the disc of radius 1 does.
    """
    if c.im != 0:
        return False
    if c.re == 0:
        return z.re * z.re + z.im * z.im <= 1
    if not -2 <= c.re <= Fraction(1, 4) or (z.im != 0 and z.re != 0):
        return False
    x = z.re if z.im == 0 else c.re - z.im * z.im
    return abs(x) <= Fraction(1, 2) or x * x - abs(x) + c.re <= 0
