"""Counts of the pixels of a block, decided by its polynomial while the pixels' iterates are on both sides of |z| = 2.

A block is 4 by 4 cells of 4 by 4 pixels. A cell is tested by the polynomial in its middle and a bound on how far its
iterates reach from there. If that does not decide its side, the polynomial is evaluated at each of its pixels: Lemma 9.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mandeldask.fractal.escape.arithmetic import taylor_model
from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import inner
from mandeldask.fractal.escape.arithmetic.layout import Layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.escape.arithmetic.array_types import Floats, Ints

SIDE = 4
"""Pixels along a cell, and cells along a block."""
BLOCK = SIDE * SIDE
CELLS = SIDE * SIDE
_AS_DISC, _BY_PIXEL, _DECIDED = range(3)
"""State of a cell: test it as one disc, test each pixel, or all its pixels are decided."""
_LARGEST_ERROR = 2.0**-4
"""Give up on the block above this error bound: few pixels can be decided."""
_LARGEST_MIDDLE = 4.0
"""Polynomials are iterated while |b_0| is at most this."""
_TAU = 0.7072
"""Bound on |t| in a block."""
_ROUNDING: ErrorBound = 2.0**-44
"""Bound on the rounding error of polynomial and slope, per SPREAD + 1."""
ROWS = Layout.of("_TX _TY _X _Y _DX _DY _NEAREST _FARTHEST _AX _AY _ESCAPES", CELLS)
_TX, _TY, _X, _Y, _DX, _DY, _NEAREST, _FARTHEST, _AX, _AY, _ESCAPES = ROWS.offsets
"""Rows of the workspace of `classify`. For each cell: t of its middle, iterate and slope there, bounds on |z| in the
cell. For each pixel of one cell: t relative to its middle, and whether it escapes now."""


class Buffers(NamedTuple):
    """The workspace of `classify`, for as many blocks as there are discs."""

    cells: NDArray[np.float64]
    """Positions of the cells in a block, and results of the last call of `classify`, in rows."""
    states: NDArray[np.int64]
    """States of the cells of each block, shape (blocks, cells)."""
    pending: NDArray[np.float64]
    """1 for pixels that are still inside, in cells that are not decided: shape (blocks, cells, pixels)."""


class Answers(NamedTuple):
    """The output arrays for proven counts of a tile that lies in a frame of whole blocks."""

    counts: NDArray[np.uint32]
    """Shape (height * width,)."""
    known: NDArray[np.bool_]
    """Which of them were written, same shape."""
    shape: tuple[int, int]
    """Height and width of the tile."""
    before: tuple[int, int]
    """Rows and columns of the frame before the tile's first."""


NO_ANSWERS = Answers(np.zeros(0, np.uint32), np.zeros(0, np.bool_), (0, 0), (0, 0))
"""For callers that need no counts."""


_COL_AND_ROW = np.array(np.divmod(np.arange(CELLS), SIDE))[::-1]
_PARTS, _PIXELS = SIDE * _COL_AND_ROW + (1.5 - 0.5 * BLOCK), _COL_AND_ROW - 1.5
"""Middles of the parts of a block, and of the pixels of a part, columns and rows, from the middle, in pixels."""


def new_buffers(dtx: float, dty: float) -> Buffers:
    """Return a new workspace, for blocks whose pixels are `dtx` and `dty` apart in t."""
    cells = np.zeros(ROWS.size)
    for first, place in ((_TX, _PARTS), (_AX, _PIXELS)):
        np.multiply(place, ((dtx,), (dty,)), out=cells[first : first + 2 * CELLS].reshape(2, CELLS))
    discs = taylor_model.DISCS
    return Buffers(cells, np.zeros((discs, CELLS), np.int64), np.zeros((discs, CELLS, CELLS)))


@inner
def mark_inside(buffers: Buffers, k: int) -> None:
    """Mark all of block `k` as inside."""
    for i in range(CELLS):
        buffers.states[k, i] = _AS_DISC
        for j in range(CELLS):
            buffers.pending[k, i, j] = 1.0


@inner
def classify(w: Floats, k: int, n: int, buffers: Buffers, corners: Ints, answers: Answers) -> bool:
    """Classify the pixels of block `k` that were inside before, at iterate n; return whether some still are inside.

    Writes the counts of those that escaped, n - 1. `corners` has the first row and column of each block in the frame.
    """
    r, states, top, left = buffers.cells, buffers.states, corners[k, 0], corners[k, 1]
    error, spread, reach = w[taylor_model.ERROR + k], w[taylor_model.SPREAD + k], w[taylor_model.REACH + k]
    if reach + error < 2.0 - 2.0**-40:
        return True
    if not (error < _LARGEST_ERROR and reach - spread < _LARGEST_MIDDLE):
        return False
    b = taylor_model.polynomial(w, k)
    size = sqrt(r[_AX] ** 2 + r[_AY] ** 2) * (1.0 + 2.0**-40)
    error += _ROUNDING * (spread + 1.0) + 0.5 * taylor_model.second_derivative_bound(b, _TAU) * size * size
    for i in range(CELLS):
        x, y = taylor_model.evaluate(b, r[_TX + i], r[_TY + i])
        dx, dy = taylor_model.slope(b, r[_TX + i], r[_TY + i])
        r[_X + i], r[_Y + i], r[_DX + i], r[_DY + i] = x, y, dx, dy
        margin, modulus = error + sqrt(dx * dx + dy * dy) * size, sqrt(x * x + y * y)
        r[_NEAREST + i], r[_FARTHEST + i] = modulus - margin, modulus + margin
    inside = False
    for i in range(CELLS):
        row, col = top + i // SIDE * SIDE, left + i % SIDE * SIDE
        if states[k, i] == _AS_DISC:
            if r[_NEAREST + i] > 2.0 + 2.0**-40:
                _write_cell(answers, row, col, n - 1)
                states[k, i] = _DECIDED
            elif not r[_FARTHEST + i] < 2.0 - 2.0**-40:
                states[k, i] = _BY_PIXEL
        if states[k, i] == _BY_PIXEL:
            escaped, remaining = _classify_pixels(r, i, buffers.pending[k, i], error)
            if escaped > 0.0:
                _write_escaped(answers, row, col, r, n - 1)
            states[k, i] = _BY_PIXEL if remaining > 0.0 else _DECIDED
        inside |= states[k, i] != _DECIDED
    return inside


@inner
def _classify_pixels(r: Floats, i: int, pending: Floats, error: float) -> tuple[float, float]:
    """Classify the `pending` pixels of cell `i`; return how many escape and how many stay inside."""
    x, y, dx, dy = r[_X + i], r[_Y + i], r[_DX + i], r[_DY + i]
    far, near = (2.0 + error) ** 2 * (1.0 + 2.0**-40), max(2.0 - error, 0.0) ** 2 * (1.0 - 2.0**-40)
    escaped = remaining = 0.0
    for j in range(CELLS):
        ax, ay = r[_AX + j], r[_AY + j]
        px, py = x + (dx * ax - dy * ay), y + (dx * ay + dy * ax)
        m, was = px * px + py * py, pending[j]
        escapes, stays = was if m > far else 0.0, was if m < near else 0.0
        r[_ESCAPES + j] = escapes
        pending[j] = stays
        escaped += escapes
        remaining += stays
    return escaped, remaining


@inner
def _write_cell(answers: Answers, top: int, left: int, count: int) -> None:
    """Write the count of all pixels of a cell that lie in the tile: most counts are written here."""
    height, width = answers.shape
    top, left = top - answers.before[0], left - answers.before[1]
    for row in range(max(top, 0), min(top + SIDE, height)):
        first = row * width + left
        if left >= 0 and left + SIDE <= width:
            for j in range(SIDE):
                answers.counts[first + j] = count
            for j in range(SIDE):
                answers.known[first + j] = True
        else:
            for j in range(max(0, -left), min(SIDE, width - left)):
                answers.counts[first + j], answers.known[first + j] = count, True


@inner
def _write_escaped(answers: Answers, top: int, left: int, r: Floats, count: int) -> None:
    """Write the count of the pixels of a cell that escape now and lie in the tile."""
    height, width = answers.shape
    top, left = top - answers.before[0], left - answers.before[1]
    for row in range(max(top, 0), min(top + SIDE, height)):
        for col in range(max(left, 0), min(left + SIDE, width)):
            if r[_ESCAPES + (row - top) * SIDE + col - left] > 0.0:
                answers.counts[row * width + col] = count
                answers.known[row * width + col] = True


@inner
def write_inside(buffers: Buffers, k: int, corners: Ints, count: int, answers: Answers) -> None:
    """Write `count` for the pixels of block `k` that are still inside."""
    for i in range(CELLS):
        if buffers.states[k, i] != _DECIDED:
            for j in range(CELLS):
                buffers.cells[_ESCAPES + j] = buffers.pending[k, i, j]
            row, col = corners[k, 0] + i // SIDE * SIDE, corners[k, 1] + i % SIDE * SIDE
            _write_escaped(answers, row, col, buffers.cells, count)
