"""The stage for pixels whose c is beyond the escape radius: their fields follow from the logarithm of c."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic.positions import as_pair
from mandeldask.fractal.escape.limits import FAR_OUT_EXPONENT
from mandeldask.fractal.rationals import exponent_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.geometry import Axis


def answer_far_out(tile: Tile, n: int = 1, least: int = FAR_OUT_EXPONENT) -> None:
    """Answer the open pixels of `tile` farther than 2^least from 0: their own c, or z_0, is already far out."""
    exponent = max(exponent_of(abs(end)) for axis in (tile.grid.re, tile.grid.im) for end in (axis[0], axis[-1]) if end)
    x, y = (_positions(axis, exponent) for axis in (tile.grid.re, tile.grid.im))
    with np.errstate(divide="ignore"):
        logarithm = (exponent + np.log2(np.hypot(x[None, :], y[:, None]))).ravel()
    far = logarithm[tile.open] > least
    pixels = tile.open[far]
    logarithm = logarithm[pixels]
    tile.counts[pixels] = 0
    if tile.smooth is not None:
        tile.smooth[pixels] = n - np.log2(logarithm)
    if tile.distance is not None:
        most = float(np.finfo(np.float32).max)
        logarithms = 1.0 + logarithm + np.log2(logarithm * np.log(2.0))
        tile.distance[pixels] = np.minimum(np.exp2(np.minimum(logarithms, 200.0)), most)
    tile.close(far)


def _positions(axis: Axis, exponent: int) -> NDArray[np.float64]:
    """Return the positions of `axis` in units of 2^exponent, each rounded by itself."""
    return np.array([as_pair(position, exponent)[0] for position in map(axis.__getitem__, range(axis.size))])
