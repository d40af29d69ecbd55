"""The last stage: single pixels in arithmetic of any precision, for the few that earlier stages leave open."""

from __future__ import annotations

from fractions import Fraction
from math import log, log2, nan
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.exact.bigint_ball import FEWEST_BITS, escape
from mandeldask.fractal.escape.exact.limb_orbit import MOST_BITS
from mandeldask.fractal.escape.limits import FINEST_DIRECT
from mandeldask.fractal.pyramid import MAX_MAXITER
from mandeldask.fractal.rationals import exponent_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.rationals import Point

_SPARE_BITS = 32
"""Fractional bits beyond those that distinguish pixels: about as many as an escaping orbit loses."""

_DOUBLE_DOUBLE_BITS = 98
"""Bits of a step in double-double (Lemma 24)."""

_LATER_BITS = 64
"""Bits that nearer and later returns may lose."""


def answer_in_integers(tile: Tile) -> None:
    """Answer every open pixel of `tile`."""
    past_double_double = max(abs(tile.grid.re.step), abs(tile.grid.im.step)) <= FINEST_DIRECT

    def counted(c: Point, bits: int) -> tuple[int, tuple[int, float, float] | None]:
        return escape(c, tile.maxiter, _bits_for_return(bits) if past_double_double else bits, fields=tile.wants_orbits)

    answer_each(tile, counted)


def _bits_for_return(bits: int) -> int:
    """Return the bits for a pixel that perturbation in double-double leaves open, for `bits` that distinguish pixels.

    It is probably next to a minibrot, and its orbit loses more than the bits of double-double before it returns to 0.
    The proof by that return takes half as many again (Lemma 31), and some for the returns after it.
    """
    return max(bits, min(3 * (bits + _DOUBLE_DOUBLE_BITS) // 2 + _LATER_BITS, MOST_BITS))


def answer_each(tile: Tile, counted: Callable[[Point, int], tuple[int, tuple[int, float, float] | None]]) -> None:
    """Answer every open pixel of `tile` by ``counted(pixel, bits)``, whose result is that of `escape`."""
    bits = max(FEWEST_BITS, _SPARE_BITS - exponent_of(min(abs(tile.grid.re.step), abs(tile.grid.im.step))))
    for pixel in tile.open.tolist():
        tile.cancellation.check()
        point = tile.grid.point(*divmod(pixel, tile.grid.re.size))
        tile.counts[pixel], potential = counted(point, bits)
        if potential is None:
            continue
        smooth, distance = _fields(*potential, tile.unit)
        if tile.smooth is not None:
            tile.smooth[pixel] = smooth
        if tile.distance is not None:
            tile.distance[pixel] = min(distance, float(np.finfo(np.float32).max))
    tile.close(np.ones(tile.open.size, np.bool_))


def potential_fields(c: Point, unit: Fraction = Fraction(1)) -> tuple[float, float]:
    """Return the smooth escape time and the distance estimate of a point outside the set; `fields` defines them.

    The distance is in units of `unit`, which float64 may not hold.

    Examples
    --------
    >>> from mandeldask.fractal.rationals import as_point
    >>> [round(value, 6) for value in potential_fields(as_point("0.5+0.5j"))]
    [4.09852, 0.192314]
    """
    _, potential = escape(c, MAX_MAXITER, FEWEST_BITS, fields=True)
    return (nan, nan) if potential is None else _fields(*potential, unit)


def _fields(n: int, square: float, slope_square: float, unit: Fraction) -> tuple[float, float]:
    """Return `smooth` and `distance` from log2 |z_n|^2 and log2 |dz_n/dc|^2 far out."""
    exponent = (square - slope_square) / 2 - log2(unit.numerator) + log2(unit.denominator)
    return n + 1 - log2(square), 2.0 ** min(exponent, 1000.0) * square * log(2)
