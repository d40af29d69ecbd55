"""Find the nucleus of least period in a disc, with bounds that hold at every point of the disc, at any depth."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from mandeldask.cancellation import current
from mandeldask.fractal.atlas.ball import Ball, ball_of, number
from mandeldask.fractal.atlas.certified import nucleus_function, root_near
from mandeldask.fractal.atlas.nuclei import nuclei, nucleus_at
from mandeldask.fractal.geometry import positive, positive_int
from mandeldask.fractal.rationals import CenterLike, Point, RationalLike, as_point, exponent_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mandeldask.fractal.atlas.nuclei import Nucleus

MOST_PERIOD = 100_000
"""Default of the greatest period to search for."""

_CANCEL_INTERVAL = 64
"""Iterates between two checks of the cancellation flag."""

_MOST_ITERATES = 300_000
"""Iterates of squares after which the search is given up."""

_CIRCUMSCRIBED = Fraction(1415, 1000)
"""At least the radius of the circle around a square, as a multiple of half its side."""

_ANGLES_UP_TO = 10
"""Greatest period for which external angles are returned."""


class _Cell(NamedTuple):
    """A part of the disc, ordered by the least period that is possible in it, then by its distance from the middle."""

    period: int
    away: Fraction
    """Square of the distance of its nearest point from the disc's middle."""
    center: Point
    half: Fraction
    """Half its side."""


def nucleus(
    center: CenterLike, radius: RationalLike, *, most: int = MOST_PERIOD, allow_huge: bool = False
) -> Nucleus | None:
    """Return the nucleus of least period in a disc; None if none is found up to `most`.

    z_n is bounded over the whole disc, from its value and derivative in the middle and a bound on the rest. For the
    first n at which 0 is possible, Newton's method finds a root, which interval arithmetic proves. If it finds none,
    the disc is divided into squares, and the square with the least possible period is next. So no nucleus of a smaller
    period lies in the disc. The search is given up after 300,000 iterates in squares: a smaller disc needs less.

    Parameters
    ----------
    center : str, complex or (re, im)
        Exact centre of the disc.
    radius : str, Decimal, Fraction, int or float
        Exact radius of the disc, in plane units.
    most : int
        Greatest period to search for.
    allow_huge : bool
        Accept numbers of more than 100,000 digits.

    Raises
    ------
    ValueError, TypeError
        If a value is out of its range.

    Examples
    --------
    >>> nucleus("-1.75", "0.01").period
    3
    """
    point, around = as_point(center, allow_huge=allow_huge), positive(radius, "radius", allow_huge=allow_huge)
    most, bits = positive_int(most, "most"), max(64, 64 - 2 * exponent_of(around))
    first = _first_possible(point, around, most, bits)
    cells = [] if first is None else [_Cell(first, Fraction(0), point, around)]
    iterates = 0
    while cells and iterates < _MOST_ITERATES:
        cell = heappop(cells)
        found = _nucleus_near(cell.center, cell.period, bits)
        if found and _square(found.center, point) <= around**2:
            return _with_angles(found)
        for part, half in _quarters(cell):
            away = _square_from(point, part, half)
            if away <= around**2:
                period = _first_possible(part, half * _CIRCUMSCRIBED, most, bits)
                iterates += period or cell.period
                if period is not None:
                    heappush(cells, _Cell(period, away, part, half))
    return None


def _first_possible(center: Point, radius: Fraction, most: int, bits: int) -> int | None:
    """Return the least n at which z_n can be 0 for some c in the disc; None if there is none up to `most`.

    ``z_n(c) = z_n + z'_n d + e`` with |d| <= radius; e_{n+1} = 2 |z_n| e_n + (|z'_n| radius + e_n)^2 bounds the rest.
    """
    one, c = number(1, bits), ball_of(center, bits)
    around = ball_of(Point(radius, Fraction(0)), bits).farthest
    z, slope, rest = number(0, bits), number(0, bits), 0
    for n in range(1, most + 1):
        if n % _CANCEL_INTERVAL == 0:
            current().check()
        spread = ((slope.farthest * around) >> bits) + 1
        rest = ((2 * z.farthest * rest + (spread + rest) ** 2) >> bits) + 2
        slope = z.times(slope, bits).doubled().plus(one)
        z = z.squared(bits).plus(c)
        spread = ((slope.farthest * around) >> bits) + 1
        if z.nearest > (4 << bits) + spread + rest:
            return None
        if z.nearest <= spread + rest or spread + rest > 4 << bits:
            return n
    return None


def _nucleus_near(start: Point, period: int, bits: int) -> Nucleus | None:
    """Return the nucleus of that period to which Newton's method leads."""
    root = root_near(nucleus_function(period), start, bits)
    if root is None or _has_shorter_period(root.center, root.radius, period, bits):
        return None
    return nucleus_at(root, period)


def _quarters(cell: _Cell) -> Iterator[tuple[Point, Fraction]]:
    """Yield centre and half side of the four quarters of a square."""
    half = cell.half / 2
    for re in (-half, half):
        for im in (-half, half):
            yield Point(cell.center.re + re, cell.center.im + im), half


def _square(a: Point, b: Point) -> Fraction:
    """Return the square of the distance of two points."""
    return (a.re - b.re) ** 2 + (a.im - b.im) ** 2


def _square_from(point: Point, center: Point, half: Fraction) -> Fraction:
    """Return the square of the distance of `point` from a square."""
    apart = (abs(a - b) - half for a, b in zip(point, center, strict=True))
    return sum((max(gap, Fraction(0)) ** 2 for gap in apart), Fraction(0))


def _has_shorter_period(center: Point, error: Fraction, period: int, bits: int) -> bool:
    """Return whether a root of z_period may be a nucleus of a proper divisor of `period`."""
    parts = {part for part in range(1, int(period**0.5) + 1) if period % part == 0}
    parts = {part for part in parts | {period // part for part in parts} if part < period}
    c = ball_of(center, bits + 64, error)
    z = Ball(c.x * 0, c.y * 0, 0)
    for n in range(1, period):
        z = z.squared(bits + 64).plus(c)
        if n in parts and not z.nearest:
            return True
    return False


def _with_angles(found: Nucleus) -> Nucleus:
    """Return a nucleus with its external angles, if its period is listed."""
    if found.period > _ANGLES_UP_TO:
        return found
    reach = found.error + Fraction(1, 2**100)
    for listed in nuclei(found.period):
        if all(abs(a - b) <= reach for a, b in zip(listed.center, found.center, strict=True)):
            return replace(found, angles=listed.angles)
    return found
