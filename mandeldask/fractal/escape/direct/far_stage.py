"""The stage for pixels so far out that c itself is far out: their fields follow from its logarithm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic.positions import as_pair
from mandeldask.fractal.rationals import exponent_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.geometry import Axis

_FAR = 64.0
"""log2|c| from here on: z_2 differs from c^2 by 2^-64 of it, and dz_2/dc from 2c by less."""


def answer_far(tile: Tile) -> None:
    """Answer the pixels of `tile` with |c| > 2^64, where fields are wanted: ``z_1 = c`` is their first outside."""
    if not tile.wants_orbits:
        return
    exponent = max(_reach(tile.grid.re), _reach(tile.grid.im))
    if exponent + 1 < _FAR:
        return
    x, y = (_positions(axis, exponent) for axis in (tile.grid.re, tile.grid.im))
    with np.errstate(divide="ignore"):
        logarithm = (exponent + np.log2(np.hypot(x[None, :], y[:, None]))).ravel()
    far = logarithm[tile.open] > _FAR
    pixels = tile.open[far]
    logarithm = logarithm[pixels]
    tile.counts[pixels] = 0
    if tile.smooth is not None:
        tile.smooth[pixels] = 1.0 - np.log2(logarithm)
    if tile.distance is not None:
        most = float(np.finfo(np.float32).max)
        told = 1.0 + logarithm + np.log2(logarithm * np.log(2.0))
        tile.distance[pixels] = np.minimum(np.exp2(np.minimum(told, 200.0)), most)
    tile.close("far out", far)


def _reach(axis: Axis) -> int:
    """Return e such that positions of `axis` are within 2^e of 0."""
    return max(exponent_of(abs(end)) if end else 0 for end in (axis[0], axis[-1]))


def _positions(axis: Axis, exponent: int) -> NDArray[np.float64]:
    """Return the positions of `axis` in units of 2^exponent, each rounded by itself."""
    return np.array([as_pair(position, exponent)[0] for position in map(axis.__getitem__, range(axis.size))])
