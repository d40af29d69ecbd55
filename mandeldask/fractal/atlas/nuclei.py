"""Hyperbolic components: their nuclei, kinds, sizes and external angles.

A nucleus of period p is a c with z_p(c) = 0 and no earlier zero. Sizes and shapes follow V. Dolotin and A. Morozov,
On the shapes of elementary domains (2008), https://arxiv.org/abs/hep-th/0701234, and C. Heiland-Allen's account,
https://mathr.co.uk/mandelbrot/book-draft/.
"""

from __future__ import annotations

import cmath
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import log2
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mandeldask.fractal.atlas.certified import Root, nucleus_function, root_near
from mandeldask.fractal.atlas.rays import ray_ends
from mandeldask.fractal.atlas.roots import all_roots
from mandeldask.fractal.atlas.scaled import ONE, TWO, ZERO, Scaled, scaled
from mandeldask.fractal.geometry import positive_int
from mandeldask.fractal.rationals import Point

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAX_PERIOD = 12
"""Greatest period of listed components: there are 2,010 of them, which takes some seconds."""

DIGITS_BITS = 128
"""Bits after the binary point of the listed nuclei."""


FRAME = 4
"""Width of a component's picture relative to its length: the whole set is 2.5 wide, its main cardioid about 1."""


@dataclass(frozen=True, slots=True)
class Nucleus:
    """The centre of a hyperbolic component."""

    period: int
    """Least p with z_p = 0."""
    center: Point
    """The nucleus, within `error` of the true one."""
    error: Fraction
    """Radius, in plane units, of a disc around `center` that is proven to contain this root of z_p and no other."""
    kind: Literal["cardioid", "disc"]
    """Shape of the component: a cardioid has a cusp, a disc is attached to another component."""
    size: Fraction
    """Length of the component relative to that of the main cardioid, to about float64's precision."""
    orientation: float
    """Angle, in radians, by which the component is turned relative to the main cardioid."""
    angles: tuple[Fraction, ...] = ()
    """External angles, in turns, of the rays that land at its root; empty if they were not computed."""

    @property
    def width(self) -> Fraction:
        """Width in plane units of a picture that shows the component and everything attached to it."""
        return FRAME * self.size


def nuclei(period: int) -> tuple[Nucleus, ...]:
    """Return all nuclei of one period, by real and then imaginary part.

    Their number is proven: each is in a disc that contains exactly one root of z_p, no two discs touch, and z_p has no
    other roots (OEIS A000740: 1, 1, 3, 6, 15, 27, 63, ...).

    Parameters
    ----------
    period : int
        From 1 to 12.

    Raises
    ------
    ValueError
        If the period is out of its range.

    Examples
    --------
    >>> [len(nuclei(period)) for period in (1, 2, 3, 4)]
    [1, 1, 3, 6]
    >>> nuclei(2)[0].center.re, nuclei(2)[0].kind, nuclei(2)[0].angles
    (Fraction(-1, 1), 'disc', (Fraction(1, 3), Fraction(2, 3)))
    """
    return _nuclei(positive_int(period, "period", MAX_PERIOD))


def nucleus_at(root: Root, period: int, angles: tuple[Fraction, ...] = ()) -> Nucleus:
    """Return the Nucleus, with the properties of its component, of a proven root."""
    size, kind = _measured(root.center, period)
    modulus, orientation = size.modulus(), cmath.phase(size.value)
    return Nucleus(period, root.center, root.radius, kind, modulus, orientation, angles)


@lru_cache(maxsize=MAX_PERIOD)
def _nuclei(period: int) -> tuple[Nucleus, ...]:
    count = component_count(period)
    found = [_root(point, period) for point in all_roots(lambda c: _newton_step(c, period), count)]
    roots = sorted({root.center: root for root in found}.values())
    _check_complete(roots, count, period)
    angles = _angles(roots, period)
    return tuple(nucleus_at(root, period, angles[index]) for index, root in enumerate(roots))


def component_count(period: int) -> int:
    """Return the number of hyperbolic components of a period.

    Examples
    --------
    >>> [component_count(period) for period in range(1, 11)]
    [1, 1, 3, 6, 15, 27, 63, 120, 252, 495]
    """
    return int(2 ** (period - 1)) - sum(component_count(part) for part in divisors(period) if part < period)


def divisors(number: int) -> tuple[int, ...]:
    """Return all divisors, ascending."""
    return tuple(part for part in range(1, number + 1) if number % part == 0)


def newton_step(c: NDArray[Any], period: int) -> NDArray[Any]:
    """Return z_period / (dz_period/dc)."""
    z, slope = np.zeros_like(c), np.zeros_like(c)
    for _ in range(period):
        slope = 2 * z * slope + 1
        z = z * z + c
    step: NDArray[Any] = z / slope
    return step


def _newton_step(c: NDArray[Any], period: int) -> NDArray[Any]:
    """Return f / f' for the polynomial whose roots are the nuclei of exactly this period."""
    inverse: NDArray[Any] = 1 / newton_step(c, period)
    for part in divisors(period)[:-1]:
        for nucleus in _nuclei(part):
            inverse = inverse - 1 / (c - complex(float(nucleus.center.re), float(nucleus.center.im)))
    return 1 / inverse


def _root(point: complex, period: int) -> Root:
    start = Point(Fraction(point.real), Fraction(point.imag))
    root = root_near(nucleus_function(period), start, DIGITS_BITS)
    if root is None:
        msg = f"no root was proven near {point}"
        raise ArithmeticError(msg)
    return root


def _check_complete(roots: Sequence[Root], count: int, period: int) -> None:
    """Raise ArithmeticError unless there is one disc per root, and no disc touches another or one of a lower period."""
    lower = [nucleus.center for part in divisors(period)[:-1] for nucleus in _nuclei(part)]
    points = sorted([root.center for root in roots] + lower)
    least = Fraction(4, 2**DIGITS_BITS)
    apart = all(
        abs(one.re - other.re) > least or abs(one.im - other.im) > least
        for index, one in enumerate(points)
        for other in points[index + 1 : index + 3]
    )
    if len(roots) != count or not apart:
        msg = f"{len(roots)} nuclei of period {period} were proven, not {count}"
        raise ArithmeticError(msg)


def _angles(roots: Sequence[Root], period: int) -> list[tuple[Fraction, ...]]:
    """Return the external angles of each component: two for each, except that the main one has only the ray 0."""
    if period == 1:
        return [(Fraction(0), Fraction(1))]
    centers = np.array([complex(float(root.center.re), float(root.center.im)) for root in roots])
    angles: list[tuple[Fraction, ...]] = [() for _ in roots]
    own = [k for k in range(2**period - 1) if all(k % ((2**period - 1) // (2**d - 1)) for d in divisors(period)[:-1])]
    for halvings in (6 * period, 10 * period, 16 * period):
        ends: NDArray[Any] = ray_ends(period, halvings)[own]
        for _ in range(60):
            step = newton_step(ends, period)
            ends = ends - step / np.maximum(1, np.abs(step))
        nearest = np.abs(ends[:, None] - centers[None, :]).argmin(axis=1)
        if (np.bincount(nearest, minlength=len(roots)) == 2).all():  # noqa: PLR2004  two rays land at each root
            for k, index in zip(own, nearest, strict=True):
                angles[index] = (*angles[index], Fraction(k, 2**period - 1))
            break
    return angles


def _measured(center: Point, period: int) -> tuple[Scaled, Literal["cardioid", "disc"]]:
    """Return the size of a component as a complex number, and its kind."""
    length = inverse = ONE
    z, dz, dc, dcdz, dcdc = _as_scaled(center), ONE, ONE, ZERO, ZERO
    for point in _orbit(center, period):
        z = point
        length = TWO.times(z).times(length)
        inverse = inverse.plus(ONE.over(length))
        dcdc = TWO.times(z.times(dcdc).plus(dc.times(dc)))
        dcdz = TWO.times(z.times(dcdz).plus(dc.times(dz)))
        dc = TWO.times(z).times(dc).plus(ONE)
        dz = TWO.times(z).times(dz)
    size = ONE.over(inverse.times(length).times(length))
    shape = dcdc.over(TWO.times(dc)).plus(dcdz.over(dz)).over(dc.times(dz))
    shape_value = -shape.value * 2.0**shape.exponent if abs(shape.exponent) < 100 else 0j  # noqa: PLR2004
    return size, "cardioid" if abs(shape_value) < abs(shape_value - 1) else "disc"


def _as_scaled(point: Point) -> Scaled:
    """Return a point to float64's relative precision."""
    exponent = max(_log2(abs(part)) for part in point)
    parts = [float(part / Fraction(2) ** exponent) for part in point]
    return scaled(complex(*parts), exponent)


def _log2(value: Fraction) -> int:
    return value.numerator.bit_length() - value.denominator.bit_length() if value else -(2**20)


def _orbit(center: Point, period: int) -> list[Scaled]:
    """Return z_1, ..., z_{period-1}, to float64's relative precision."""
    bits = max(DIGITS_BITS, int(log2(max(2, center.re.denominator, center.im.denominator)))) + 64
    c_x, c_y = ((part.numerator << bits) // part.denominator for part in center)
    x, y, points = c_x, c_y, []
    for _ in range(period - 1):
        points.append(_as_scaled(Point(Fraction(x, 1 << bits), Fraction(y, 1 << bits))))
        x, y = (((x - y) * (x + y)) >> bits) + c_x, ((x * y) >> (bits - 1)) + c_y
    return points
