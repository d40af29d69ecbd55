"""The last stage: pixel by pixel in arithmetic that can prove anything, for the few that the stages before left."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt, log, log2
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.cancellation import current
from mandeldask.fractal.escape.exact.bigint_ball import escape_count, scaled, squared, steps_between_looks
from mandeldask.fractal.escape.units import in_pixels

if TYPE_CHECKING:
    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.rationals import Point

_FAR_OUT_BITS = 24
"""As `potential.FAR_OUT`: |z|^2 > 2^24 (1 + |c|^2)."""
_GOOD_BITS = 20
"""Bits of z and dz/dc that fields are computed from."""


def answer_exactly(tile: Tile) -> None:
    """Answer every open pixel of `tile`."""
    unit = abs(tile.grid.spacing) if in_pixels(tile.grid.spacing) else Fraction(1)
    for pixel in tile.open.tolist():
        tile.cancellation.check()
        c = tile.grid.point(*divmod(pixel, tile.grid.re.size))
        count = tile.counts[pixel] = escape_count(c, tile.maxiter)
        if count < tile.maxiter and tile.wants_orbits:
            smooth, distance = potential_fields(c, unit)
            if tile.smooth is not None:
                tile.smooth[pixel] = smooth
            if tile.distance is not None:
                tile.distance[pixel] = distance
    tile.close("exact", np.ones(tile.open.size, np.bool_))


def potential_fields(c: Point, unit: Fraction = Fraction(1)) -> tuple[float, float]:
    """Return the smooth escape time and the distance estimate of a point outside the set; `potential` defines them.

    The distance is in units of `unit`, which float64 may not hold.

    Examples
    --------
    >>> from mandeldask.fractal.rationals import as_point
    >>> [round(value, 6) for value in potential_fields(as_point("0.5+0.5j"))]
    [4.09852, 0.192314]
    """
    bits = 96
    while (fields := _fields_with(c, bits, unit)) is None:
        bits *= 2
    return fields


def _fields_with(c: Point, bits: int, unit: Fraction) -> tuple[float, float] | None:
    """Return the fields by an orbit of `bits` fractional bits, or None where its error is too large.

    As in `fixed`, a number is a pair of integers in units of 2^-bits and a bound in the same units; `dx, dy` is dz/dc.
    """
    cx, ex = scaled(c.re.numerator, c.re.denominator, bits)
    cy, ey = scaled(c.im.numerator, c.im.denominator, bits)
    one = 1 << bits
    far = (one * one + cx * cx + cy * cy) << _FAR_OUT_BITS
    x = y = dx = dy = error = slope_error = n = 0
    cancellation, look = current(), steps_between_looks(bits)
    while (square := x * x + y * y) <= far:
        if n % look == 0:
            cancellation.check()
        modulus, slope = isqrt(square) + 1, isqrt(dx * dx + dy * dy) + 1
        if error << _GOOD_BITS > modulus + one or slope_error << _GOOD_BITS > slope + one:
            return None
        slope_error = ((2 * (modulus + error) * slope_error + 2 * error * slope) >> bits) + 3
        dx, dy = ((2 * (x * dx - y * dy)) >> bits) + one, (2 * (x * dy + y * dx)) >> bits
        slack = (2 * modulus + error) * error
        x, y, lost = squared(x, y, bits)
        x, y, n = x + cx, y + cy, n + 1
        error = (slack >> bits) + 1 + lost + ex + ey
    slope_square = dx * dx + dy * dy
    if error << _GOOD_BITS > isqrt(square) or slope_error << _GOOD_BITS > isqrt(slope_square):
        return None
    twice = log2(square) - 2 * bits  # log2|z|^2
    exponent = (log2(square) - log2(slope_square)) / 2 - log2(unit.numerator) + log2(unit.denominator)
    return n + 1 - log2(twice), 2.0 ** min(exponent, 1000.0) * twice * log(2)
