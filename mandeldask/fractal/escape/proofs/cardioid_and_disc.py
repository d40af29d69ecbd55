"""The closed forms of `closed_form` for blocks and pixels of a grid, at any depth.

Both polynomials are expanded around the grid's middle. The constant term is exact before it is rounded and the offsets
are small. So float64 decides every pixel, at any depth, except those within about 2^-45 grid widths of an edge.
"""

from __future__ import annotations

import cmath
from fractions import Fraction
from math import ceil, floor, lcm, sqrt
from typing import TYPE_CHECKING, NamedTuple

from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import inner

if TYPE_CHECKING:
    from mandeldask.fractal.geometry import Axis, Grid
    from mandeldask.fractal.rationals import Point

OUTSIDE, CARDIOID, DISC, UNDECIDED = range(4)
"""Positions of a block; the number of a component is its period."""

_MARGIN: ErrorBound = 2.0**-47
"""Bound on the sum of 36 roundings of 2^-53, relative to the sum of the moduli of all terms."""

_SLACK = 1e-6
"""Bound on the rounding error of a square root near 0."""


class Components(NamedTuple):
    """The main cardioid and the disc of period 2 as polynomials of offsets from the middle of a grid."""

    unit: float
    """Unit of the offsets, a power of 2: no pixel's is beyond 1."""
    cardioid: float
    """Value of the cardioid's polynomial in the middle, over `unit`."""
    disc: float
    """Value of the disc's."""
    square: float
    """|w|^2 in the middle, where w = c - 1/4."""
    re: float
    """re w there."""
    disc_re: float
    """re (c + 1) there."""
    im: float
    """im c there."""
    cardioid_margin: float
    """Bound on the rounding error of a value of the first polynomial, and of its change over a block."""
    disc_margin: float
    """The same for the second."""


NO_COMPONENTS = Components(1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""No component, so that no block is inside one."""


def components(middle: Point, exponent: int) -> Components:
    """Return the components around the `middle` of a grid; `NO_COMPONENTS` if neither is within the unit of it.

    The unit is 2^exponent, with `unit_exponent`.
    """
    unit = 2.0**exponent
    if not _may_meet(complex(float(middle.re), float(middle.im)), unit):
        return NO_COMPONENTS
    d = 4 * lcm(middle.re.denominator, middle.im.denominator)  # integers over d, as reducing Fractions is slow
    x, y = (part.numerator * (d // part.denominator) for part in middle)
    a, a1 = x - d // 4, x + d
    q = a * a + y * y
    cardioid = _ratio((4 * q * (q + a * d) - y * y * d * d), 4 * d**4, exponent)
    disc = _ratio((16 * (a1 * a1 + y * y) - d * d), 16 * d * d, exponent)
    square, re, disc_re, im = q / (d * d), a / d, a1 / d, y / d
    return Components(
        unit, cardioid, disc, square, re, disc_re, im,
        _MARGIN * (abs(cardioid) + _cardioid_change(re, im, unit, 1.0)),
        _MARGIN * (abs(disc) + _disc_change(disc_re, im, unit, 1.0)),
    )  # fmt: skip


def unit_exponent(grid: Grid) -> int:
    """Return the exponent of a power of 2 that bounds the offsets of pixels from the middle of `grid`."""
    steps = ((axis.size * abs(axis.step.numerator), axis.step.denominator) for axis in (grid.re, grid.im))
    return max(extent.bit_length() - denominator.bit_length() + 1 for extent, denominator in steps)


def real_segment(grid: Grid) -> range:
    """Return the flat pixels of `grid` at -2 <= re <= 1/4, im = 0."""
    row = grid.im.index(Fraction(0))
    if row.denominator != 1 or not 0 <= row < grid.im.size:
        return range(0)
    first, last = sorted(_clipped_index(grid.re, end) for end in (Fraction(-2), Fraction(1, 4)))
    start = int(row) * grid.re.size
    return range(start + max(0, ceil(first)), start + max(0, ceil(first), min(grid.re.size, floor(last) + 1)))


def _clipped_index(axis: Axis, position: Fraction) -> Fraction:
    return max(Fraction(-1), min(axis.index(position), Fraction(axis.size)))


def _may_meet(c: complex, unit: float) -> bool:
    """Whether a component may be within `unit` of `c` in both directions: only False is certain.

    Multipliers of fixed points are 1 ± r, r = sqrt(1 - 4c). Where c moves by d <= 1.42 unit, -r or r moves by
    4 d / abs(r + r') at most, r' being the nearer of the new roots: below 6 unit / abs(r), and below 2 sqrt(d) too.
    """
    root = cmath.sqrt(1 - 4 * c)
    moved = min(3 * sqrt(unit), 6 * unit / max(abs(root), _SLACK))
    near_cardioid = min(abs(1 - root), abs(1 + root)) < 1 + moved + _SLACK
    return near_cardioid or abs(c + 1) < 1 / 4 + 2 * unit + _SLACK


def _ratio(numerator: int, denominator: int, exponent: int) -> float:
    """Return the nearest float64 in units of 2^exponent; beyond the range of float64 only the sign matters."""
    try:
        return (numerator << max(0, -exponent)) / (denominator << max(0, exponent))
    except OverflowError:
        return 1e300 if numerator > 0 else -1e300


@inner
def component_of(components: Components, u: float, v: float, reach: float) -> int:
    """Return the component that contains all offsets within `reach` of u, v in both directions.

    `OUTSIDE` if all are outside of both.
    """
    s, f, g, q, a, a1, b, f_margin, g_margin = components
    f = _cardioid(u, v, s, f, q, a, b)
    f_change = _cardioid_change(a + s * u, b + s * v, s, reach)
    if f + f_change < -f_margin:
        return CARDIOID
    g = _disc(u, v, s, g, a1, b)
    g_change = _disc_change(a1 + s * u, b + s * v, s, reach)
    if g + g_change < -g_margin:
        return DISC
    return OUTSIDE if f - f_change > f_margin and g - g_change > g_margin else UNDECIDED


@inner
def component_at(components: Components, u: float, v: float) -> int:
    """Return the component that certainly contains u, v, otherwise `OUTSIDE`."""
    s, f, g, q, a, a1, b, f_margin, g_margin = components
    if _cardioid(u, v, s, f, q, a, b) < -f_margin:
        return CARDIOID
    return DISC if _disc(u, v, s, g, a1, b) < -g_margin else OUTSIDE


@inner
def _cardioid(u: float, v: float, s: float, value: float, q: float, a: float, b: float) -> float:
    """Return (q^2 + q a - b^2 / 4) / s at a + s u, b + s v, where q = a^2 + b^2; `value` is the one at u = v = 0."""
    change = 2.0 * (a * u + b * v) + s * (u * u + v * v)
    return value + change * (2.0 * q + a + s * change + s * u) + q * u - 0.5 * b * v - 0.25 * s * v * v


@inner
def _cardioid_change(a: float, b: float, s: float, reach: float) -> float:
    """Return the sum of the moduli of all terms of `_cardioid` but the value, for u and v up to `reach`."""
    a, b, q = abs(a), abs(b), a * a + b * b
    change = 2.0 * reach * (a + b + s * reach)
    return change * (2.0 * q + a + s * change + s * reach) + reach * (q + 0.5 * b + 0.25 * s * reach)


@inner
def _disc(u: float, v: float, s: float, value: float, a: float, b: float) -> float:
    """Return (a^2 + b^2 - 1/16) / s at a + s u, b + s v; `value` is the one at u = v = 0."""
    return value + 2.0 * (a * u + b * v) + s * (u * u + v * v)


@inner
def _disc_change(a: float, b: float, s: float, reach: float) -> float:
    """Return the sum of the moduli of all terms of `_disc` but the value, for u and v up to `reach`."""
    return 2.0 * reach * (abs(a) + abs(b) + s * reach)
