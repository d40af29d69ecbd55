"""Certified escape counts in float64: a count is given only where a running error bound proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from mandeldask.cancellation import current

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Axis, Grid

_ULP = 2.0**-50
"""More than what rounding adds to one step while |z| <= 2 (each of 6 operations loses at most 2^-53 * 8)."""


def certified_counts(grid: Grid, maxiter: int) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """Return counts of shape (height, width), and True where float64 could not prove the count."""
    counts = np.zeros(grid.shape, np.uint32)
    unproven = np.zeros(grid.shape, np.bool_)
    cancellation = current()
    _fill(_positions(grid.im), _positions(grid.re), maxiter, counts, unproven, cancellation.flag)
    cancellation.check()
    return counts, unproven


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
def _fill(im: Any, re: Any, maxiter: int, counts: Any, unproven: Any, flag: Any) -> None:
    for row in range(im.size):
        if flag[0]:
            return
        for col in range(re.size):
            count = _count(re[col], im[row], maxiter)
            if count < 0:
                unproven[row, col] = True
            else:
                counts[row, col] = count
