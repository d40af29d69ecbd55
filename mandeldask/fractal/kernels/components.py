"""The closed forms of `closed_form` at every pixel of a grid, at any depth.

Both polynomials are expanded around the grid's middle: the constant term is exact before it is rounded, the offsets are
small, so float64 decides every pixel but those within some 2^-45 grid widths of an edge, however deep the grid lies.
"""

from __future__ import annotations

import cmath
from fractions import Fraction
from math import ceil, floor, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.fractal.kernels.compiled import inner, kernel
from mandeldask.fractal.rationals import exponent_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Axis, Grid

_MARGIN = 2.0**-47
"""Relative to the sum of all terms' moduli: four times what 16 roundings of 2^-53 can add up to."""

_FARTHEST = 2**30
"""Grids that reach farther are left to the orbits, which end there at once: here floats must hold their squares."""

_SLACK = 1e-6
"""More than float64 loses in a square root near 0."""

_BLOCK = 16
"""Pixels a side that are decided at once where no edge is near."""

_LEFT, _RIGHT, _HEIGHT = -1.51, 0.13, 0.66
"""Box that both components lie in: real parts of c - 1/4, modulus of the imaginary part."""


def closed_form_periods(grid: Grid) -> NDArray[np.int8] | None:
    """Return, by flat pixel, 1 or 2 where a formula proves a cycle of that period, 0 on the real segment, else -1.

    None where no formula proves any pixel.
    """
    half = _half_extent(grid)
    real_pixels = _real_segment(grid)
    meets = half <= _FARTHEST and _may_meet(grid, float(half))
    if not meets and not real_pixels:
        return None
    periods = np.full(grid.im.size * grid.re.size, -1, np.int8)
    periods[real_pixels.start : real_pixels.stop] = 0
    if meets:
        re, im = _middle(grid)
        steps = float(grid.re.step / (2 * half)), float(grid.im.step / (2 * half))
        cardioid, disc = _cardioid_terms(re, im, half), _disc_terms(re, im, half)
        _fill(grid.shape, steps, _as_float(half), cardioid, disc, periods)
    return periods


def _middle(grid: Grid) -> tuple[Fraction, Fraction]:
    """Return the point in the middle of `grid`."""
    re, im = (axis.start + axis.step * Fraction(axis.size - 1, 2) for axis in (grid.re, grid.im))
    return re, im


def _may_meet(grid: Grid, half: float) -> bool:
    """Whether either component may reach into `grid`: a quick test, certain only if False.

    Multipliers of fixed points are 1 ± r, r = sqrt(1 - 4c). Where c moves by d <= 1.42 half, -r or r moves by
    4 d / abs(r + r') at most, r' being the nearer of the new roots: below 6 half / abs(r), and below 2 sqrt(d) too.
    """
    c = complex(*map(_as_float, _middle(grid)))
    root = cmath.sqrt(1 - 4 * c)
    moved = min(3 * sqrt(half), 6 * half / max(abs(root), _SLACK))
    near_cardioid = min(abs(1 - root), abs(1 + root)) < 1 + moved + _SLACK
    return near_cardioid or abs(c + 1) < 1 / 4 + 2 * half + _SLACK


def _half_extent(grid: Grid) -> Fraction:
    """Return a power of 2 that offsets from the middle do not exceed: they are kept in units of it."""
    extent = max(abs(axis.step) * axis.size for axis in (grid.re, grid.im))
    return Fraction(2) ** exponent_of(extent)


def _cardioid_terms(re: Fraction, im: Fraction, half: Fraction) -> tuple[float, ...]:
    """Return the value in the middle, a Lipschitz constant over the grid, and the coefficients; see `_cardioid`.

    A polynomial of degree k whose terms' moduli add up to M where |u|, |v| <= 1 is Lipschitz there with k M.
    """
    exact_a = re - Fraction(1, 4)
    exact_q = exact_a * exact_a + im * im
    value = _as_float((exact_q * (exact_q + exact_a) - im * im / 4) / half)
    q, a, b, s = (_as_float(term) for term in (exact_q, exact_a, im, half))
    linear = 2 * (abs(a) + abs(b)) * (2 * q + abs(a)) + q + abs(b) / 2
    change = 2 * (abs(a) + abs(b) + s)
    rest = 2 * s * (2 * q + abs(a)) + change * s * (change + 1) + s / 4
    return value, (linear + 4 * rest) * (1 + _MARGIN), q, a, b


def _disc_terms(re: Fraction, im: Fraction, half: Fraction) -> tuple[float, ...]:
    """Return the value in the middle, a Lipschitz constant over the grid, and the coefficients; see `_disc`."""
    value = _as_float(((re + 1) ** 2 + im * im - Fraction(1, 16)) / half)
    a, b, s = _as_float(re + 1), _as_float(im), _as_float(half)
    return value, 2 * (abs(a) + abs(b) + 2 * s) * (1 + _MARGIN), a, b


def _as_float(value: Fraction) -> float:
    """Round `value`; past float64's range only the sign matters."""
    try:
        return float(value)
    except OverflowError:
        return 1e300 if value > 0 else -1e300


def _real_segment(grid: Grid) -> range:
    """Return the flat pixels at -2 <= re <= 1/4, im = 0."""
    row = grid.im.index(Fraction(0))
    if row.denominator != 1 or not 0 <= row < grid.im.size:
        return range(0)
    first, last = sorted(_clipped_index(grid.re, end) for end in (Fraction(-2), Fraction(1, 4)))
    start = int(row) * grid.re.size
    return range(start + max(0, ceil(first)), start + max(0, ceil(first), min(grid.re.size, floor(last) + 1)))


def _clipped_index(axis: Axis, position: Fraction) -> Fraction:
    return max(Fraction(-1), min(axis.index(position), Fraction(axis.size)))


@inner
def _cardioid(u: float, v: float, s: float, value: float, q: float, a: float, b: float) -> float:
    """Return (q^2 + q a - b^2 / 4) / s at a + s u, b + s v, where q = a^2 + b^2; `value` is the one at u = v = 0."""
    change = 2.0 * (a * u + b * v) + s * (u * u + v * v)
    return value + change * (2.0 * q + a + s * change + s * u) + q * u - 0.5 * b * v - 0.25 * s * v * v


@inner
def _disc(u: float, v: float, s: float, value: float, a: float, b: float) -> float:
    """Return (a^2 + b^2 - 1/16) / s at a + s u, b + s v; `value` is the one at u = v = 0."""
    return value + 2.0 * (a * u + b * v) + s * (u * u + v * v)


@kernel
def _fill(shape: Any, steps: Any, s: float, cardioid: Any, disc: Any, periods: Any) -> None:
    """Write 1 and 2 where the polynomials are certainly negative, in blocks where one value tells for all."""
    height, width = shape
    f, f_slope, q, a, b = cardioid
    g, g_slope, a1, b1 = disc
    f_margin, g_margin = _MARGIN * (abs(f) + f_slope), _MARGIN * (abs(g) + g_slope)
    reach = _BLOCK * max(abs(steps[0]), abs(steps[1]))
    for top in range(0, height, _BLOCK):
        for left in range(0, width, _BLOCK):
            bottom, right = min(top + _BLOCK, height), min(left + _BLOCK, width)
            u, v = (left + right - width) * steps[0], (top + bottom - height) * steps[1]
            if not (_LEFT - s * reach < a + s * u < _RIGHT + s * reach and abs(b + s * v) < _HEIGHT + s * reach):
                continue
            f_middle = _cardioid(u, v, s, f, q, a, b) + f_margin
            g_middle = _disc(u, v, s, g, a1, b1) + g_margin
            if f_middle > f_slope * reach + 2.0 * f_margin and g_middle > g_slope * reach + 2.0 * g_margin:
                continue
            whole = 1 if f_middle < -f_slope * reach else 2 if g_middle < -g_slope * reach else 0
            for row in range(top, bottom):
                line = periods[row * width + left : row * width + right]
                if whole:
                    line[:] = whole
                    continue
                v = (2 * row - (height - 1)) * steps[1]
                for i in range(line.size):
                    u = (2 * (left + i) - (width - 1)) * steps[0]
                    if _cardioid(u, v, s, f, q, a, b) < -f_margin:
                        line[i] = 1
                    elif _disc(u, v, s, g, a1, b1) < -g_margin:
                        line[i] = 2
