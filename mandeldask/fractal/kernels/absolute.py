"""Certified escape counts in float64: a count is given only where a running error bound proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Axis
    from mandeldask.fractal.kernels.tile import Tile

_ULP = 2.0**-50
"""More than what rounding adds to one step while |z| <= 2 (each of 6 operations loses at most 2^-53 * 8)."""


def answer_absolutely(tile: Tile) -> None:
    """Answer the open pixels of `tile` whose counts float64 can prove."""
    proven = np.zeros(tile.open.size, np.bool_)
    im, re = _positions(tile.grid.im), _positions(tile.grid.re)
    _fill(im, re, tile.maxiter, tile.open, tile.counts, proven, tile.cancellation.flag)
    tile.close("absolute", proven)


def _positions(axis: Axis) -> NDArray[np.float64]:
    """Round exact positions to the nearest float64."""
    return np.array([float(axis[i]) for i in range(axis.size)])


@numba.njit(nogil=True, cache=True)
def _count(cx: float, cy: float, maxiter: int) -> int:
    """Return the proven count, or -1."""
    x, y = cx, cy
    c_error = 2.0**-52 * max(abs(cx), abs(cy))
    error = c_error
    for n in range(maxiter):
        square = x * x + y * y
        modulus = np.sqrt(square)
        if modulus - error > 2.0 + _ULP:
            return n
        if not modulus + error < 2.0 - _ULP:
            return -1
        x, y = x * x - y * y + cx, 2.0 * x * y + cy
        error = ((2.0 * modulus + error) * error) * (1.0 + _ULP) + _ULP + c_error
    return maxiter


@numba.njit(nogil=True, cache=True)
def _fill(im: Any, re: Any, maxiter: int, pixels: Any, counts: Any, proven: Any, flag: Any) -> None:
    for i in range(pixels.size):
        if flag[0]:
            return
        row, col = divmod(pixels[i], re.size)
        count = _count(re[col], im[row], maxiter)
        if count >= 0:
            counts[pixels[i]] = count
            proven[i] = True
