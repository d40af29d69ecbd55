"""Series approximation: the first iterates of all pixels of a block as one polynomial in c with an error bound.

A block's disc is iterated until the error exceeds a tolerance or a pixel may leave |z| <= 2. Pixels start from there:
they need fewer iterations, and their orbits are as accurate as from an exact start. If only counts are wanted, the disc
is iterated further, which decides whole cells of the block. Bounds: Lemmas 6 to 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mandeldask.fractal.escape.arithmetic import taylor_model
from mandeldask.fractal.escape.arithmetic.jit import inner, kernel
from mandeldask.fractal.escape.arithmetic.layout import workspace
from mandeldask.fractal.escape.direct import block_counts
from mandeldask.fractal.escape.fields import log2
from mandeldask.fractal.geometry import Axis, Grid

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

BLOCK = block_counts.BLOCK
"""Pixels along a block."""
_RATIO = 4
"""Blocks along a parent of them, which are iterated together at first."""
_PARENT = _RATIO * BLOCK
"""Pixels along a parent."""
TOLERANCE = 2.0**-40
"""The error E at which a block stops: about what the first steps of the lanes add to their bound."""
COARSE = 2.0**-36
"""The same if only counts are wanted: double-double answers the pixels that this leaves open."""
SHORT = 2.0**-32
"""The same for orbits so short that these pixels are few."""
_PARENT_SHARE = 2.0**-4
"""Share of the tolerance at which a parent stops: its blocks go on, and its error grows with them."""
_SOON = 8
"""Look-ahead: a block is `escaping` if, at its growth rate so far, most pixels leave within this many iterations."""
_LOOK = 64
"""Iterates between two looks at the cancellation flag."""


class Series(NamedTuple):
    """Polynomials of the blocks of a tile, arrays with one row for each block, row-major."""

    n: NDArray[np.int64]
    """Index n of the polynomial's iterate; z_1 ... z_n lie within |z| <= 2 for every pixel of the block."""
    real: NDArray[np.float64]
    """Real parts of b_0 ... b_8, shape (blocks, 9)."""
    imag: NDArray[np.float64]
    """Imaginary parts, shape (blocks, 9)."""
    error: NDArray[np.float64]
    """Bound on the distance of a pixel's iterate from the evaluated polynomial, rounding included."""
    escaping: NDArray[np.bool_]
    """Whether most pixels are likely to leave |z| <= 2 within `_SOON` iterations."""

    @classmethod
    def blank(cls, count: int) -> Self:
        """Return the polynomials of so many blocks, all at z_0 = 0."""
        n, parts = np.zeros(count, np.int64), np.zeros((2, count, taylor_model.DEGREE + 1))
        return cls(n, parts[0], parts[1], np.zeros(count), np.zeros(count, np.bool_))


class _Task(NamedTuple):
    """The parameters of `start`."""

    re: NDArray[np.float64]
    im: NDArray[np.float64]
    steps: tuple[float, float]
    maxiter: int
    tolerance: float
    answers: block_counts.Answers
    flag: NDArray[np.uint8]


class _Ends(NamedTuple):
    """The state of discs when they stop."""

    discs: NDArray[np.float64]
    """As `taylor_model` has them."""
    n: NDArray[np.int64]
    """Indices of their iterates."""
    full: NDArray[np.bool_]
    """Whether they stop because a pixel may leave |z| <= 2."""


class _Room(NamedTuple):
    """The workspace in which the blocks of a tile are iterated, sixteen at a time."""

    discs: NDArray[np.float64]
    """As `taylor_model` has them."""
    going: NDArray[np.bool_]
    """Which of them have not stopped."""
    unsettled: NDArray[np.bool_]
    """Which of them have open pixels."""
    events: NDArray[np.int64]
    """Space for verdicts on them."""
    wholes: _Ends
    """Where parents stop."""
    ends: _Ends
    """Where the blocks of a parent stop."""
    blocks: NDArray[np.int64]
    """Flat indices of these."""
    corners: NDArray[np.int64]
    """First row and first column of each."""
    cells: block_counts.Room
    """The states of their cells."""


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


def start(
    re: NDArray[np.float64],
    im: NDArray[np.float64],
    steps: tuple[float, float],
    maxiter: int,
    wanted: NDArray[np.bool_],
    tolerance: float,
    answers: block_counts.Answers,
    flag: NDArray[np.uint8],
) -> Series:
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
        Error at which a block stops, `TOLERANCE`, `COARSE` or `SHORT`.
    answers : block_counts.Answers
        Where counts go that the polynomials decide, or `block_counts.NOWHERE`.
    flag : bool, shape (1,)
        Set to cancel.
    """
    starts = Series.blank(wanted.size)
    task = _Task(re, im, steps, maxiter, tolerance, answers, flag)
    _start(task, _room(steps), _parents(wanted, re.shape[1] // BLOCK), wanted, starts)
    return starts


def _room(steps: tuple[float, float]) -> _Room:
    """Return a new workspace for blocks with these distances of pixels."""
    discs, rho = taylor_model.DISCS, radius(*steps)
    return _Room(
        workspace(taylor_model.SIZE),
        np.empty(discs, np.bool_),
        np.empty(discs, np.bool_),
        np.empty(discs, np.int64),
        _no_ends(),
        _no_ends(),
        np.empty(discs, np.int64),
        np.empty((discs, 2), np.int64),
        block_counts.room(steps[0] / rho, steps[1] / rho),
    )


def _no_ends() -> _Ends:
    """Return an empty `_Ends`."""
    return _Ends(
        workspace(taylor_model.SIZE), np.zeros(taylor_model.DISCS, np.int64), np.zeros(taylor_model.DISCS, np.bool_)
    )


def _parents(wanted: NDArray[np.bool_], cols: int) -> NDArray[np.int64]:
    """Return the parents that have a wanted block, flat indices; there are so many blocks in a row."""
    return np.flatnonzero(wanted.reshape(-1, _RATIO, cols // _RATIO, _RATIO).any(axis=(1, 3)))


@kernel
def _start(task, room, parents, wanted, starts):
    """Iterate parents together, then the wanted blocks of each."""
    rho, counts = radius(*task.steps), task.answers.known.size > 0
    for first in range(0, parents.size, taylor_model.DISCS):
        if task.flag[0]:
            break
        some = parents[first : first + taylor_model.DISCS]
        _begin_parents(task, room, some)
        _follow(task, room, room.wholes, some.size, 0, rho * _RATIO, task.tolerance * _PARENT_SHARE, settles=False)
        for k in range(some.size):
            used = _begin_blocks(task, room, k, some[k], wanted)
            _follow(task, room, room.ends, used, room.wholes.n[k], rho, task.tolerance, settles=counts)
            for i in range(used):
                _write(starts, room.blocks[i], room.ends, i, rho)


@inner
def _begin_parents(task, room, parents):
    """Set the discs to `parents`, at z_0."""
    cols = task.re.shape[1] // _PARENT
    for k in range(parents.size):
        row, col = parents[k] // cols * _PARENT, parents[k] % cols * _PARENT
        taylor_model.begin(room.discs, k, _center(task, row + _PARENT // 2, col + _PARENT // 2))


@inner
def _begin_blocks(task, room, whole, parent, wanted):
    """Set the discs to the wanted blocks of a parent, at its last iterate; return their number."""
    cols = task.re.shape[1] // BLOCK
    rho, used = radius(*task.steps), 0
    for i in range(_RATIO):
        for j in range(_RATIO):
            row, col = parent // (cols // _RATIO) * _RATIO + i, parent % (cols // _RATIO) * _RATIO + j
            if wanted[row * cols + col]:
                dx = (j + 0.5 - 0.5 * _RATIO) * BLOCK * task.steps[0] / (rho * _RATIO)
                dy = (i + 0.5 - 0.5 * _RATIO) * BLOCK * task.steps[1] / (rho * _RATIO)
                center = _center(task, row * BLOCK + BLOCK // 2, col * BLOCK + BLOCK // 2)
                taylor_model.shift(room.wholes.discs, whole, room.discs, used, dx, dy, 1.0 / _RATIO, center)
                room.blocks[used] = row * cols + col
                room.corners[used, 0], room.corners[used, 1] = row * BLOCK, col * BLOCK
                used += 1
    return used


@inner
def _center(task, row, col):
    """Return a position as high and low parts of x and y."""
    return task.re[0, col], task.re[1, col], task.im[0, row], task.im[1, row]


@inner
def _follow(task, room, ends, used, n, rho, tolerance, settles):
    """Iterate the discs from iterate n, each as far as possible, and write to `ends` their states when they stop.

    With `settles`, they are blocks, and are iterated further until their pixels are answered.
    """
    w, going, unsettled, cells = room.discs, room.going, room.unsettled, room.cells
    for k in range(used):
        going[k], unsettled[k] = True, settles
        block_counts.begin(cells, k)
    on = used
    while on > 0 and n < task.maxiter and not (n % _LOOK == 0 and task.flag[0]):
        taylor_model.advance(w, rho)
        if taylor_model.judge(w, used, tolerance, room.events) > 0:
            for k in range(used):
                if going[k] and room.events[k]:
                    _end(w, ends, k, n, room.events[k] == taylor_model.OUT)
                    going[k] = False
                    on -= not unsettled[k]
        taylor_model.go_on(w)
        n += 1
        for k in range(used):
            if unsettled[k] and not going[k]:
                unsettled[k] = block_counts.look(w, k, n, cells, room.corners, task.answers)
                on -= not unsettled[k]
    for k in range(used):
        if unsettled[k] and n == task.maxiter:
            block_counts.finish(cells, k, room.corners, n, task.answers)
        if going[k]:
            _end(w, ends, k, n, full=False)


@inner
def _end(w, ends, k, n, full):
    """Record that disc `k` stops at iterate n."""
    taylor_model.keep(w, k, ends.discs)
    ends.n[k], ends.full[k] = n, full


@inner
def _write(starts, block, ends, k, rho):
    """Write the series of a block that stopped."""
    n = ends.n[k]
    for i in range(taylor_model.DEGREE + 1):
        starts.real[block, i], starts.imag[block, i] = taylor_model.coefficient(ends.discs, k, i)
    slope = abs(starts.real[block, 1]) + abs(starts.imag[block, 1])
    starts.n[block] = n
    starts.escaping[block] = ends.full[k] or log2(slope) * (n + _SOON) > log2(rho) * _SOON
    starts.error[block] = taylor_model.handed_over(ends.discs, k) if n else 0.0


def blocks(
    pixels: NDArray[np.int64], shape: tuple[int, int], before: tuple[int, int], whole: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return for every block of a frame of the shape `whole` whether it holds one of `pixels`, shape (rows, columns).

    These are flat indices, ascending, into a tile of that `shape`, which has so many rows and columns `before` it.
    """
    wanted = np.zeros((whole[0] // BLOCK, whole[1] // BLOCK), np.bool_)
    if pixels.size < shape[0] * shape[1]:
        _mark(pixels, shape[1], before, wanted)
    else:
        rows, cols = (slice(a // BLOCK, -(-(a + n) // BLOCK)) for a, n in zip(before, shape, strict=True))
        wanted[rows, cols] = True
    return wanted


@kernel
def _mark(pixels: Any, width: int, before: Any, wanted: Any) -> None:
    next_row = 0  # first pixel of the row after the last pixel's: dividing by the width would take longer
    row = -1
    for pixel in pixels:
        while pixel >= next_row:
            row += 1
            next_row += width
        col = pixel - next_row + width
        wanted[(row + before[0]) // BLOCK, (col + before[1]) // BLOCK] = True
