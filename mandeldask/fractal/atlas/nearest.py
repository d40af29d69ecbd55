"""Find the nucleus of least period in a disc, with bounds that hold at every point of the disc, at any depth."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

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

_LOOK = 64
"""Iterates between two checks of the cancellation flag."""

_ANGLES_UP_TO = 10
"""Greatest period for which external angles are returned."""


def nucleus(
    center: CenterLike, radius: RationalLike, *, most: int = MOST_PERIOD, allow_huge: bool = False
) -> Nucleus | None:
    """Return the nucleus of least period in a disc; None if none is found up to `most`.

    z_n is bounded over the whole disc, from its value and derivative in the middle and a bound on the rest. For the
    first n at which 0 is possible, Newton's method finds a root, which interval arithmetic proves. So no nucleus of a
    smaller period lies in the disc. In a disc that is large beside its minibrots, the bounds may become useless before
    a nucleus is found: a smaller disc finds it.

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
    bits = max(64, 64 - 2 * exponent_of(around))
    for period in _possible(point, around, positive_int(most, "most"), bits):
        root = root_near(nucleus_function(period), point, bits)
        if root is None:
            continue
        distance = (root.center.re - point.re) ** 2 + (root.center.im - point.im) ** 2
        if distance <= around**2 and not _has_shorter_period(root.center, root.radius, period, bits):
            return _with_angles(nucleus_at(root, period))
    return None


def _possible(center: Point, radius: Fraction, most: int, bits: int) -> Iterator[int]:
    """Yield every n up to `most` at which z_n can be 0 for some c in the disc; stop when the bounds become useless.

    ``z_n(c) = z_n + z'_n d + e`` with |d| <= radius; e_{n+1} = 2 |z_n| e_n + (|z'_n| radius + e_n)^2 bounds the rest.
    """
    one, c = number(1, bits), ball_of(center, bits)
    around = ball_of(Point(radius, Fraction(0)), bits).farthest
    z, slope, rest = number(0, bits), number(0, bits), 0
    for n in range(1, most + 1):
        if n % _LOOK == 0:
            current().check()
        spread = ((slope.farthest * around) >> bits) + 1
        rest = ((2 * z.farthest * rest + (spread + rest) ** 2) >> bits) + 2
        slope = z.times(slope, bits).doubled().plus(one)
        z = z.squared(bits).plus(c)
        spread = ((slope.farthest * around) >> bits) + 1
        if z.nearest <= spread + rest:
            yield n
        if spread + rest > 4 << bits or z.nearest > (4 << bits) + spread + rest:
            return


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
