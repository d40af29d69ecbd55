"""Series approximation: the first iterates of all pixels of a block as one polynomial in c with an error bound.

A block's disc is iterated until the error exceeds a tolerance or a pixel may escape. The pixels start their own orbits
there: they need fewer iterations, and their orbits are as accurate as from an exact start. If only counts are wanted,
the disc is iterated further, which decides whole cells of the block. Bounds: Lemmas 6 to 9.
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

    from mandeldask.fractal.escape.arithmetic.array_types import Bools, Floats, Ints

BLOCK = block_counts.BLOCK
"""Pixels along a block."""
_RATIO = 4
"""Blocks along a parent: these blocks are iterated together at first."""
_PARENT = _RATIO * BLOCK
"""Pixels along a parent."""
TOLERANCE = 2.0**-40
"""The error E at which a block stops: about as large as the errors of the first steps of the lanes."""
TOLERANCE_FOR_COUNTS = 2.0**-36
"""The same if only counts are wanted: double-double answers the pixels that this leaves open."""
TOLERANCE_FOR_SHORT_ORBITS = 2.0**-32
"""The same for short orbits, which leave few such pixels open."""
_PARENT_SHARE = 2.0**-4
"""Share of the tolerance at which a parent stops: its error grows further while its blocks continue."""
_LOOK_AHEAD = 8
"""Look-ahead: a block is `escaping` if, at its growth rate so far, most pixels leave within this many iterations."""
_CANCEL_INTERVAL = 64
"""Iterates between two checks of the cancellation flag."""


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
    """Whether most pixels are likely to leave |z| <= 2 within `_LOOK_AHEAD` iterations."""

    @classmethod
    def blank(cls, count: int) -> Self:
        """Return the polynomials of `count` blocks, all at z_0 = 0."""
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


class _Stopped(NamedTuple):
    """The state of discs when they stop."""

    discs: NDArray[np.float64]
    """As `taylor_model` has them."""
    n: NDArray[np.int64]
    """Indices of their iterates."""
    may_escape: NDArray[np.bool_]
    """Whether they stop because a pixel may leave |z| <= 2."""


class _Buffers(NamedTuple):
    """The workspace in which the blocks of a tile are iterated, sixteen at a time."""

    discs: NDArray[np.float64]
    """As `taylor_model` has them."""
    active: NDArray[np.bool_]
    """Which of them have not stopped."""
    undecided: NDArray[np.bool_]
    """Which of them have open pixels."""
    events: NDArray[np.int64]
    """Verdicts of `taylor_model.classify` on them."""
    stopped_parents: _Stopped
    """The states in which parents stop."""
    stopped: _Stopped
    """The states in which the blocks of a parent stop."""
    blocks: NDArray[np.int64]
    """Flat indices of these."""
    corners: NDArray[np.int64]
    """First row and first column of each."""
    cells: block_counts.Buffers
    """The states of their cells."""


def frame(grid: Grid) -> tuple[Grid, int, int]:
    """Return `grid` grown to whole parents of blocks, and how many rows and columns were put before its first.

    Blocks lie on one lattice for all windows of a level, so a pixel starts at the same iterate in each of them.
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
        Error at which a block stops, `TOLERANCE`, `TOLERANCE_FOR_COUNTS` or `TOLERANCE_FOR_SHORT_ORBITS`.
    answers : block_counts.Answers
        Where counts go that the polynomials decide, or `block_counts.NO_ANSWERS`.
    flag : bool, shape (1,)
        Set to cancel.
    """
    starts = Series.blank(wanted.size)
    task = _Task(re, im, steps, maxiter, tolerance, answers, flag)
    _start(task, _new_buffers(steps), _parents(wanted, re.shape[1] // BLOCK), wanted, starts)
    return starts


def _new_buffers(steps: tuple[float, float]) -> _Buffers:
    """Return a new workspace for blocks with these distances of pixels."""
    discs, rho = taylor_model.DISCS, radius(*steps)
    return _Buffers(
        workspace(taylor_model.SIZE),
        np.empty(discs, np.bool_),
        np.empty(discs, np.bool_),
        np.empty(discs, np.int64),
        _none_stopped(),
        _none_stopped(),
        np.empty(discs, np.int64),
        np.empty((discs, 2), np.int64),
        block_counts.new_buffers(steps[0] / rho, steps[1] / rho),
    )


def _none_stopped() -> _Stopped:
    """Return an empty `_Stopped`."""
    return _Stopped(
        workspace(taylor_model.SIZE), np.zeros(taylor_model.DISCS, np.int64), np.zeros(taylor_model.DISCS, np.bool_)
    )


def _parents(wanted: NDArray[np.bool_], cols: int) -> NDArray[np.int64]:
    """Return the flat indices of the parents that have a wanted block; a row has `cols` blocks."""
    return np.flatnonzero(wanted.reshape(-1, _RATIO, cols // _RATIO, _RATIO).any(axis=(1, 3)))


@kernel
def _start(task: _Task, buffers: _Buffers, parents: Ints, wanted: Bools, starts: Series) -> None:
    """Iterate parents together, then the wanted blocks of each."""
    rho, counts = radius(*task.steps), task.answers.known.size > 0
    for first in range(0, parents.size, taylor_model.DISCS):
        if task.flag[0]:
            break
        some = parents[first : first + taylor_model.DISCS]
        _load_parents(task, buffers, some)
        _iterate_discs(
            task,
            buffers,
            buffers.stopped_parents,
            some.size,
            0,
            rho * _RATIO,
            task.tolerance * _PARENT_SHARE,
            decides_counts=False,
        )
        for k in range(some.size):
            used = _load_blocks(task, buffers, k, some[k], wanted)
            _iterate_discs(
                task,
                buffers,
                buffers.stopped,
                used,
                buffers.stopped_parents.n[k],
                rho,
                task.tolerance,
                decides_counts=counts,
            )
            for i in range(used):
                _write(starts, buffers.blocks[i], buffers.stopped, i, rho)


@inner
def _load_parents(task: _Task, buffers: _Buffers, parents: Ints) -> None:
    """Set the discs to `parents`, at z_0."""
    cols = task.re.shape[1] // _PARENT
    for k in range(parents.size):
        row, col = parents[k] // cols * _PARENT, parents[k] % cols * _PARENT
        taylor_model.begin(buffers.discs, k, _center(task, row + _PARENT // 2, col + _PARENT // 2))


@inner
def _load_blocks(task: _Task, buffers: _Buffers, parent_disc: int, parent: int, wanted: Bools) -> int:
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
                taylor_model.shift(
                    buffers.stopped_parents.discs, parent_disc, buffers.discs, used, dx, dy, 1.0 / _RATIO, center
                )
                buffers.blocks[used] = row * cols + col
                buffers.corners[used, 0], buffers.corners[used, 1] = row * BLOCK, col * BLOCK
                used += 1
    return used


@inner
def _center(task: _Task, row: int, col: int) -> tuple[float, float, float, float]:
    """Return a position as high and low parts of x and y."""
    return task.re[0, col], task.re[1, col], task.im[0, row], task.im[1, row]


@inner
def _iterate_discs(
    task: _Task, buffers: _Buffers, stopped: _Stopped, used: int, n: int, rho: float, tolerance: float,
    decides_counts: bool,
) -> None:  # fmt: skip
    """Iterate the discs from iterate n, each as far as possible; write the states in which they stop to `stopped`.

    With `decides_counts` the discs are blocks, and are iterated further until their pixels are answered.
    """
    w, active, undecided, cells = buffers.discs, buffers.active, buffers.undecided, buffers.cells
    for k in range(used):
        active[k], undecided[k] = True, decides_counts
        block_counts.mark_inside(cells, k)
    remaining = used
    while remaining > 0 and n < task.maxiter and not (n % _CANCEL_INTERVAL == 0 and task.flag[0]):
        taylor_model.advance(w, rho)
        if taylor_model.classify(w, used, tolerance, buffers.events) > 0:
            for k in range(used):
                if active[k] and buffers.events[k]:
                    _record_stop(w, stopped, k, n, buffers.events[k] == taylor_model.MAY_ESCAPE)
                    active[k] = False
                    remaining -= not undecided[k]
        taylor_model.accept_step(w)
        n += 1
        for k in range(used):
            if undecided[k] and not active[k]:
                undecided[k] = block_counts.classify(w, k, n, cells, buffers.corners, task.answers)
                remaining -= not undecided[k]
    for k in range(used):
        if undecided[k] and n == task.maxiter:
            block_counts.write_inside(cells, k, buffers.corners, n, task.answers)
        if active[k]:
            _record_stop(w, stopped, k, n, may_escape=False)


@inner
def _record_stop(w: Floats, stopped: _Stopped, k: int, n: int, may_escape: bool) -> None:
    """Record that disc `k` stops at iterate n, and why."""
    taylor_model.copy(w, k, stopped.discs)
    stopped.n[k], stopped.may_escape[k] = n, may_escape


@inner
def _write(starts: Series, block: int, stopped: _Stopped, k: int, rho: float) -> None:
    """Write the series of a block that stopped."""
    n = stopped.n[k]
    for i in range(taylor_model.DEGREE + 1):
        starts.real[block, i], starts.imag[block, i] = taylor_model.coefficient(stopped.discs, k, i)
    slope = abs(starts.real[block, 1]) + abs(starts.imag[block, 1])
    starts.n[block] = n
    starts.escaping[block] = stopped.may_escape[k] or log2(slope) * (n + _LOOK_AHEAD) > log2(rho) * _LOOK_AHEAD
    starts.error[block] = taylor_model.error_at_pixels(stopped.discs, k) if n else 0.0


def blocks(
    pixels: NDArray[np.int64], shape: tuple[int, int], before: tuple[int, int], frame_shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return for every block of a frame of shape `frame_shape` whether it holds one of `pixels`, shape (rows, columns).

    Pixels are ascending flat indices into a tile of shape `shape`, which begins `before` rows and columns in the frame.
    """
    wanted = np.zeros((frame_shape[0] // BLOCK, frame_shape[1] // BLOCK), np.bool_)
    if pixels.size < shape[0] * shape[1]:
        _mark(pixels, shape[1], before, wanted)
    else:
        rows, cols = (slice(a // BLOCK, -(-(a + n) // BLOCK)) for a, n in zip(before, shape, strict=True))
        wanted[rows, cols] = True
    return wanted


@kernel
def _mark(pixels: Any, width: int, before: Any, wanted: Any) -> None:
    next_row = 0  # the first pixel of the next row: dividing by the width would take longer
    row = -1
    for pixel in pixels:
        while pixel >= next_row:
            row += 1
            next_row += width
        col = pixel - next_row + width
        wanted[(row + before[0]) // BLOCK, (col + before[1]) // BLOCK] = True
