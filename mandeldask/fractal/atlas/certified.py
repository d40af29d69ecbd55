"""Roots that are proven: of z_p(c) = 0 for nuclei, and of z_{m+n}(c) = z_m(c) for Misiurewicz points.

Newton's method finds a root, and the interval Newton operator proves it: if ``c - f(c) / f'(D)`` is inside the disc D
around c, then D contains exactly one root of f (R. Krawczyk; W. Tucker, Validated Numerics, 2011, chapter 5).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from mandeldask.cancellation import current
from mandeldask.fractal.atlas.ball import Ball, ball_of, number
from mandeldask.fractal.rationals import Point

if TYPE_CHECKING:
    from collections.abc import Callable

SPARE_BITS = 64
"""Bits of the arithmetic in addition to the requested bits of the root."""

_MOST_STEPS = 60
"""Greatest number of Newton steps."""

_FAR_OUT_BITS = 16
"""log2 of |z| from which an orbit cannot come back."""

_CANCEL_INTERVAL = 64
"""Iterates between two checks of the cancellation flag."""

Function = "Callable[[Ball, int], tuple[Ball, Ball]]"
"""Returns the value and the derivative at all points of a ball, given the bits."""


class Root(NamedTuple):
    """A disc that contains exactly one root."""

    center: Point
    """Its centre, exact."""
    radius: Fraction
    """Its radius, in plane units."""


def orbit_end(c: Ball, count: int, bits: int) -> tuple[Ball, Ball]:
    """Return z_count and its derivative by c, for all points of a ball.

    If an iterate is far out, the result is that iterate and a derivative of 0, so that Newton's method ends: the
    numbers of the iterates after it would double their length at each step.
    """
    z = slope = number(0, bits)
    one = number(1, bits)
    for n in range(count):
        if n % _CANCEL_INTERVAL == 0:
            current().check()
        slope = z.times(slope, bits).doubled().plus(one)
        z = z.squared(bits).plus(c)
        if (abs(z.x) + abs(z.y) + z.radius) >> (bits + _FAR_OUT_BITS):
            return z, number(0, bits)
    return z, slope


def nucleus_function(period: int) -> Callable[[Ball, int], tuple[Ball, Ball]]:
    """Return z_period: its roots are the nuclei whose period divides `period`."""
    return lambda c, bits: orbit_end(c, period, bits)


def misiurewicz_function(preperiod: int, period: int) -> Callable[[Ball, int], tuple[Ball, Ball]]:
    """Return ``z_{m+n-1} + z_{m-1}``, which is 0 if the critical orbit is periodic from z_m on."""

    def function(c: Ball, bits: int) -> tuple[Ball, Ball]:
        early, early_slope = orbit_end(c, preperiod - 1, bits)
        late, late_slope = orbit_end(c, preperiod + period - 1, bits)
        return late.plus(early), late_slope.plus(early_slope)

    return function


def root_near(function: Callable[[Ball, int], tuple[Ball, Ball]], start: Point, bits: int) -> Root | None:
    """Return the proven root that Newton's method finds from `start`; None if none is found or proven.

    Parameters
    ----------
    function : callable
        Returns value and derivative at all points of a ball.
    start : Point
        Starting point.
    bits : int
        The disc has a radius of at most 2^-bits.
    """
    work = bits + SPARE_BITS
    c = ball_of(start, work)
    for _ in range(_MOST_STEPS):
        value, slope = function(Ball(c.x, c.y, 0), work)
        step = _quotient(value, slope, work)
        if step is None or abs(step[0]) + abs(step[1]) > 4 << work:
            return None
        c = Ball(c.x - step[0], c.y - step[1], 0)
        if abs(step[0]) + abs(step[1]) < 1 << (SPARE_BITS // 2):
            return _proven(function, c, bits, work)
    return None


def _quotient(value: Ball, slope: Ball, bits: int) -> tuple[int, int] | None:
    """Return value / slope for the centres."""
    square = slope.x * slope.x + slope.y * slope.y
    if not square:
        return None
    x, y = value.x * slope.x + value.y * slope.y, value.y * slope.x - value.x * slope.y
    return (x << bits) // square, (y << bits) // square


def _proven(function: Callable[[Ball, int], tuple[Ball, Ball]], c: Ball, bits: int, work: int) -> Root | None:
    """Return the disc of radius 2^-bits around `c` if the interval Newton operator maps it into itself."""
    radius = 1 << (work - bits)
    value, _ = function(Ball(c.x, c.y, 0), work)
    _, slope = function(Ball(c.x, c.y, radius), work)
    least = slope.nearest
    if not least or (value.farthest << work) // least + 1 >= radius:
        return None
    unit = 1 << work
    return Root(Point(Fraction(int(c.x), unit), Fraction(int(c.y), unit)), Fraction(radius, unit))
