"""The iterates that the pixels of a block have in common, once for the block: a polynomial in c with an error bound.

Within a disc of radius rho around c0, ``z_n(c0 + rho t) = b_0 + b_1 t + ... + b_5 t^5`` up to an error E for |t| <= 1.
Squaring the polynomial iterates the whole disc; it stops where the error would grow past a tolerance or a pixel could
leave |z| <= 2. Pixels then start there: fewer iterations, and an orbit as accurate as if the start were exact.
Bounds: docs/explanation/exactness.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mandeldask.fractal.geometry import Axis, Grid
from mandeldask.fractal.kernels import doubledouble as dd
from mandeldask.fractal.kernels.compiled import inlined, inner, kernel
from mandeldask.fractal.kernels.potential import log2

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 16
"""Pixels along a block."""
_PARENT = 64
"""Pixels along a parent of blocks, which are iterated together at first."""
DEGREE = 5
TOLERANCE = 2.0**-40
"""The error E at which a block stops: far below a pixel's share of |z|, so that no answer depends on it."""

COARSE = 2.0**-36
"""The same where only counts are wanted: double-double takes the pixels that this leaves open."""

_COEFFICIENT_ERROR = 2.0**-49
"""Each coefficient is a sum of at most 4 products, rounded at most 10 times, each time by 2^-53 of what it adds up."""
_CENTER_ERROR = 2.0**-95
"""More than a double-double step with |z| <= 2 loses, the error of c0 included."""
_RECENTER_ERROR = 2.0**-47
"""What the polynomial of a part loses, times |b_1| + ... + |b_5| of the whole."""
_PARENT_SHARE = 2.0**-4
"""Share of the tolerance at which a parent stops: its blocks go on, and its error grows with them."""
_HANDOVER_ERROR = 2.0**-47, 2.0**-51
"""What evaluating the polynomial loses, times |b_1| + ... + |b_5|, plus what adding b_0 does."""

_SOON = 8
"""Iterations for which pixels are expected to go on parting as fast as they did, rho growing to |b_1| in n of them."""


class Series(NamedTuple):
    """Polynomials of the blocks of a tile, arrays with one row for each block, row-major."""

    n: NDArray[np.int64]
    """Index of the iterate that the polynomial is; z_1 ... z_n lie within |z| <= 2 for every pixel of the block."""
    real: NDArray[np.float64]
    """Real parts of b_0 ... b_5, shape (blocks, 6)."""
    imag: NDArray[np.float64]
    """Imaginary parts, shape (blocks, 6)."""
    error: NDArray[np.float64]
    """Bound on the distance of a pixel's iterate from the evaluated polynomial, rounding included."""
    parting: NDArray[np.bool_]
    """Whether most pixels are likely to leave |z| <= 2 within `_SOON` iterations."""


def frame(grid: Grid) -> tuple[Grid, int, int]:
    """Return `grid` grown to whole parents of blocks, and how many rows and columns were put before its first.

    They lie on one lattice of the plane for all windows of a level: a pixel starts at the same iterate in each.
    """
    (im, rows), (re, cols) = _frame(grid.im), _frame(grid.re)
    return Grid(im, re), rows, cols


def _frame(axis: Axis) -> tuple[Axis, int]:
    before = (axis.start // axis.step) % _PARENT
    size = -(-(before + axis.size) // _PARENT) * _PARENT
    return Axis(axis.start - before * axis.step, axis.step, size), before


@inner
def radius(dre: float, dim: float) -> float:
    """Return rho: √2 times the farthest that a pixel of a block can be from its centre, so that |t| < 0.71."""
    return 1.001 * BLOCK * max(abs(dre), abs(dim))


@kernel
def start(re: Any, im: Any, steps: Any, maxiter: int, wanted: Any, tolerance: float, flag: Any) -> Any:
    """Return the Series of every block.

    Parameters
    ----------
    re, im : float64, shape (2, width) and (2, height)
        Positions as high and low part, of whole parents.
    steps : tuple of float
        Distances of columns and of rows.
    maxiter : int
        Iterate past which no block goes.
    wanted : bool, shape (blocks,)
        Blocks to iterate; the others stay at z_0 = 0.
    tolerance : float
        Error at which a block stops, `TOLERANCE` or `COARSE`.
    flag : bool, shape (1,)
        Set to cancel.
    """
    n = np.zeros(wanted.size, np.int64)
    real = np.zeros((wanted.size, DEGREE + 1))
    imag = np.zeros((wanted.size, DEGREE + 1))
    error = np.zeros(wanted.size)
    starts = Series(n, real, imag, error, np.zeros(wanted.size, np.bool_))
    for top in range(0, im.shape[1], _PARENT):
        for left in range(0, re.shape[1], _PARENT):
            if not flag[0]:
                _start_children(starts, top, left, re, im, steps, maxiter, wanted, tolerance)
    return starts


@inner
def _start_children(starts, top, left, re, im, steps, maxiter, wanted, tolerance):
    """Iterate the blocks of one parent: all at once as far as that goes, then each on its own."""
    cols, rho = re.shape[1] // BLOCK, radius(steps[0], steps[1])
    whole_rho = rho * (_PARENT // BLOCK)
    whole = np.zeros(DEGREE + 2, np.complex128)
    whole_n, whole_error = -1, 0.0
    for row in range(top + BLOCK // 2, top + _PARENT, BLOCK):
        for col in range(left + BLOCK // 2, left + _PARENT, BLOCK):
            block = row // BLOCK * cols + col // BLOCK
            if not wanted[block]:
                continue
            if whole_n < 0:
                center = _center(re, im, top + _PARENT // 2, left + _PARENT // 2)
                whole_n, whole_error, _ = _iterate(whole, 0, 0.0, center, whole_rho, maxiter, tolerance * _PARENT_SHARE)
            across, down = (col - left - _PARENT // 2) * steps[0], (row - top - _PARENT // 2) * steps[1]
            part = _recentered(whole, complex(across / whole_rho, down / whole_rho))
            error = whole_error + _RECENTER_ERROR * _spread(whole)
            n, error, full = _iterate(part, whole_n, error, _center(re, im, row, col), rho, maxiter, tolerance)
            starts.n[block] = n
            starts.parting[block] = full or log2(_norm(part[1])) * (n + _SOON) > log2(rho) * _SOON
            for k in range(DEGREE + 1):
                starts.real[block, k], starts.imag[block, k] = part[k].real, part[k].imag
            per_spread, fixed = _HANDOVER_ERROR
            starts.error[block] = error + per_spread * _spread(part) + fixed if n else 0.0


@inner
def _center(re, im, row, col):
    """Return a position as high and low parts of x and y."""
    return re[0, col], re[1, col], im[0, row], im[1, row]


@inner
def _recentered(b, d):
    """Return the polynomial of the child in the direction `d` from the middle, in units of the parent's rho."""
    part = b.copy()
    part[0] = 0.0
    for i in range(DEGREE):
        for k in range(DEGREE - 1, i - 1, -1):
            part[k] += d * part[k + 1]
    x, x_low = dd.add(b[0].real, b[DEGREE + 1].real, part[0].real, 0.0)
    y, y_low = dd.add(b[0].imag, b[DEGREE + 1].imag, part[0].imag, 0.0)
    part[0], part[DEGREE + 1] = complex(x, y), complex(x_low, y_low)
    for k in range(1, DEGREE + 1):
        part[k] *= (BLOCK / _PARENT) ** k
    return part


@inner
def _iterate(b: Any, n: int, error: float, c: Any, rho: float, maxiter: int, tolerance: float) -> Any:
    """Iterate one polynomial from the iterate n on, as far as it goes.

    Returns the n reached, the error bound, and whether a pixel may leave next.

    `b` holds the coefficients, and at its end the low part of the first.
    """
    x, y, x_low, y_low = b[0].real, b[0].imag, b[DEGREE + 1].real, b[DEGREE + 1].imag
    a1, a2, a3, a4, a5 = b[1], b[2], b[3], b[4], b[5]
    cx, cx_low, cy, cy_low = c
    spread, full = _spread(b), False
    while n < maxiter:
        # magnitudes of the coefficients from above, and of what squaring puts past degree 5
        m1, m2, m3, m4, m5 = _norm(a1), _norm(a2), _norm(a3), _norm(a4), _norm(a5)
        t5 = m5
        t4 = t5 + m4
        t3 = t4 + m3
        t2 = t3 + m2
        dropped = m1 * t5 + m2 * t4 + m3 * t3 + m4 * t2 + m5 * spread
        reach = np.sqrt(x * x + y * y) + spread
        next_error = (
            (2.0 * reach + error) * error
            + _COEFFICIENT_ERROR * ((2.0 * reach) * spread + rho)
            + dropped
            + _CENTER_ERROR
        ) * (1.0 + 2.0**-40)
        double = complex(2.0 * x, 2.0 * y)
        b1 = double * a1 + rho
        b2 = double * a2 + a1 * a1
        b3 = double * a3 + 2.0 * a1 * a2
        b4 = double * a4 + (2.0 * a1 * a3 + a2 * a2)
        b5 = double * a5 + 2.0 * (a1 * a4 + a2 * a3)
        x_next, x_low_next, y_next, y_low_next = dd.iterate(x, x_low, y, y_low, cx, cx_low, cy, cy_low)
        next_spread = (_norm(b1) + _norm(b2) + _norm(b3) + _norm(b4) + _norm(b5)) * (1.0 + 2.0**-40)
        farthest = np.sqrt(x_next * x_next + y_next * y_next) + next_spread + next_error
        if not (next_error < tolerance and farthest < 2.0 - 2.0**-40):
            full = not farthest < 2.0 - 2.0**-40
            break
        x, x_low, y, y_low = x_next, x_low_next, y_next, y_low_next
        a1, a2, a3, a4, a5 = b1, b2, b3, b4, b5
        error, spread = next_error, next_spread
        n += 1
    b[0], b[1], b[2], b[3], b[4], b[5], b[6] = complex(x, y), a1, a2, a3, a4, a5, complex(x_low, y_low)
    return n, error, full


@inner
def _spread(b):
    """Return a bound on how far the polynomial `b` gets from its middle."""
    return (_norm(b[1]) + _norm(b[2]) + _norm(b[3]) + _norm(b[4]) + _norm(b[5])) * (1.0 + 2.0**-40)


@inlined
def _norm(a: complex) -> float:
    """Return |re| + |im|, a bound on |a|."""
    return abs(a.real) + abs(a.imag)


@kernel
def blocks(pixels: Any, width: int, before: Any, rows: int, cols: int) -> Any:
    """Return for every block of a frame of (rows, cols) blocks whether it holds one of `pixels`, flat indices."""
    wanted = np.zeros(rows * cols, np.bool_)
    next_row = 0  # first pixel of the row after the last pixel's: dividing by the width would take longer
    row = -1
    for pixel in pixels:
        while pixel >= next_row:
            row += 1
            next_row += width
        col = pixel - next_row + width
        wanted[(row + before[0]) // BLOCK * cols + (col + before[1]) // BLOCK] = True
    return wanted


@inlined
def coefficients(starts, block):
    """Return the polynomial of a block as numbers: b_0 ... b_5, each as real and imaginary part."""
    re, im = starts.real[block], starts.imag[block]
    return re[0], im[0], re[1], im[1], re[2], im[2], re[3], im[3], re[4], im[4], re[5], im[5]


@inlined
def evaluate(b, tx, ty):
    """Return ``x, y`` of the polynomial `b` at ``t = tx + 1j ty``."""
    x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5 = b
    x, y = x5 * tx - y5 * ty + x4, x5 * ty + y5 * tx + y4
    x, y = x * tx - y * ty + x3, x * ty + y * tx + y3
    x, y = x * tx - y * ty + x2, x * ty + y * tx + y2
    x, y = x * tx - y * ty + x1, x * ty + y * tx + y1
    return x * tx - y * ty + x0, x * ty + y * tx + y0


@inlined
def slope(b, tx, ty):
    """Return the derivative with respect to t of the polynomial `b` at ``t = tx + 1j ty``."""
    _, _, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5 = b
    x, y = 5.0 * (x5 * tx - y5 * ty) + 4.0 * x4, 5.0 * (x5 * ty + y5 * tx) + 4.0 * y4
    x, y = x * tx - y * ty + 3.0 * x3, x * ty + y * tx + 3.0 * y3
    x, y = x * tx - y * ty + 2.0 * x2, x * ty + y * tx + 2.0 * y2
    return x * tx - y * ty + x1, x * ty + y * tx + y1
