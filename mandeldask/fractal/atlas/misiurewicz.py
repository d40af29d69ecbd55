"""Misiurewicz points: points whose critical orbit is preperiodic but not periodic.

The points of preperiod m and period n are the roots of ``z_{m+n-1} + z_{m-1}``, except for the nuclei and the points of
shorter periods among them. For their number, see B. Hutz and A. Towsley, Misiurewicz points for polynomial maps and
transversality (2015), https://arxiv.org/abs/1309.4048.
"""

from __future__ import annotations

import cmath
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.fractal.atlas.ball import ball_of
from mandeldask.fractal.atlas.certified import misiurewicz_function, orbit_end, root_near
from mandeldask.fractal.atlas.nuclei import DIGITS_BITS, component_count, divisors, nuclei
from mandeldask.fractal.atlas.roots import all_roots
from mandeldask.fractal.geometry import positive_int
from mandeldask.fractal.rationals import Point

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_POINTS = 2048
"""Greatest number of points of a list."""


@dataclass(frozen=True, slots=True)
class Misiurewicz:
    """A point at which the critical orbit is preperiodic: around it the set looks the same at all scales."""

    preperiod: int
    """Least m with z_m periodic, where z_0 = 0."""
    period: int
    """Least n with z_{m+n} = z_m."""
    center: Point
    """The point, within `error` of the true one."""
    error: Fraction
    """Radius, in plane units, of a disc around `center` that is proven to contain the point."""
    multiplier: complex
    """Derivative of the period's iteration: the complex factor by which the neighbourhood repeats."""


def misiurewicz(preperiod: int, period: int) -> tuple[Misiurewicz, ...]:
    """Return all Misiurewicz points of a preperiod and a period, by real and then imaginary part.

    Parameters
    ----------
    preperiod : int
        Iterates from z_0 = 0 to the first periodic one, at least 2.
    period : int
        Period of the orbit from there on.

    Raises
    ------
    ValueError
        If there are no such points, or more than 2,048.

    Examples
    --------
    >>> misiurewicz(2, 1)[0].center
    Point(re=Fraction(-2, 1), im=Fraction(0, 1))
    >>> len(misiurewicz(2, 2)), len(misiurewicz(4, 1))
    (2, 7)
    """
    m, n = positive_int(preperiod, "preperiod"), positive_int(period, "period")
    if m < 2:  # noqa: PLR2004  z_1 = c is periodic only if 0 is
        msg = f"preperiod must be at least 2, not {m}: z_1 = c is periodic only if z_0 = 0 is"
        raise ValueError(msg)
    if m + n > 14 or point_count(m, n) > MOST_POINTS:  # noqa: PLR2004  a bound on 2^(m + n)
        msg = f"there are more than {MOST_POINTS} points of preperiod {m} and period {n}"
        raise ValueError(msg)
    return _points(m, n)


def point_count(preperiod: int, period: int) -> int:
    """Return the number of Misiurewicz points of a preperiod (2 or more) and a period.

    Examples
    --------
    >>> [point_count(m, 1) for m in (2, 3, 4, 5)], point_count(2, 2), point_count(3, 2)
    ([1, 3, 7, 15], 2, 3)
    """
    without = 1 if (preperiod - 1) % period == 0 else 0
    return (int(2 ** (preperiod - 1)) - without) * component_count(period)


@lru_cache(maxsize=64)
def _points(m: int, n: int) -> tuple[Misiurewicz, ...]:
    count = point_count(m, n)
    found = [_point(complex(each), m, n) for each in all_roots(lambda c: _newton_step(c, m, n), count)]
    points = sorted({point.center: point for point in found}.values(), key=lambda point: point.center)
    others = [nucleus.center for part in divisors(n) if (m - 1) % part == 0 for nucleus in nuclei(part)]
    others += [point.center for part in divisors(n)[:-1] for point in _points(m, part)]
    if len(points) != count or any(_touch(point.center, other) for point in points for other in others):
        msg = f"{len(points)} points of preperiod {m} and period {n} were proven, not {count}"
        raise ArithmeticError(msg)
    return tuple(points)


def _touch(one: Point, other: Point) -> bool:
    """Return whether two discs may overlap, so that one root may have been found twice."""
    return all(abs(a - b) <= Fraction(4, 2**DIGITS_BITS) for a, b in zip(one, other, strict=True))


def _newton_step(c: NDArray[Any], m: int, n: int) -> NDArray[Any]:
    """Return f / f' for the polynomial whose roots are the Misiurewicz points of exactly this kind."""
    inverse: NDArray[Any] = 1 / _sum_step(c, m, n)
    for part in divisors(n)[:-1]:
        inverse = inverse - sum(1 / (c - _float(point.center)) for point in _points(m, part))
    for part in divisors(n):
        if (m - 1) % part == 0:
            inverse = inverse - sum(1 / (c - _float(nucleus.center)) for nucleus in nuclei(part))
    return 1 / inverse


def _sum_step(c: NDArray[Any], m: int, n: int) -> NDArray[Any]:
    """Return f / f' for ``f = z_{m+n-1} + z_{m-1}``."""
    z, slope = np.zeros_like(c), np.zeros_like(c)
    early = early_slope = z
    for index in range(m + n - 1):
        if index == m - 1:
            early, early_slope = z, slope
        slope = 2 * z * slope + 1
        z = z * z + c
    step: NDArray[Any] = (z + early) / (slope + early_slope)
    return step


def _float(point: Point) -> complex:
    return complex(float(point.re), float(point.im))


def _point(start: complex, m: int, n: int) -> Misiurewicz:
    root = root_near(misiurewicz_function(m, n), Point(Fraction(start.real), Fraction(start.imag)), DIGITS_BITS)
    if root is None:
        msg = f"no root was proven near {start}"
        raise ArithmeticError(msg)
    return Misiurewicz(m, n, root.center, root.radius, _multiplier(root.center, m, n))


def _multiplier(center: Point, m: int, n: int) -> complex:
    """Return the product of 2 z over the period."""
    product, bits = 1 + 0j, DIGITS_BITS + 64
    c = ball_of(center, bits)
    for index in range(m, m + n):
        z, _ = orbit_end(c, index, bits)
        product *= 2 * complex(float(Fraction(int(z.x), 1 << bits)), float(Fraction(int(z.y), 1 << bits)))
    return cmath.rect(*cmath.polar(product))
