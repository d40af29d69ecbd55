"""The first stage: pixels answered by formulas, and whole blocks of pixels proven to share one answer.

A quad-tree of blocks, largest first. A block is a disc of c. The proof may be that all of it escapes after the same
count, stays for `maxiter` iterates, or stays forever (a cycle). A block that fails is split only if a
disc of the smallest size in its middle does not fail: near the edge of the set little can be proven, and tests must be
cheap.
Pixels that a formula proves are not tested.
"""

from __future__ import annotations

from math import hypot
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.fractal.escape.arithmetic.jit import inner, kernel
from mandeldask.fractal.escape.arithmetic.positions import as_pair
from mandeldask.fractal.escape.limits import FARTHEST_QUADTREE
from mandeldask.fractal.escape.proofs.cardioid_and_disc import (
    OUTSIDE,
    UNDECIDED,
    component_at,
    component_of,
    components,
    real_segment,
    unit_exponent,
)
from mandeldask.fractal.escape.proofs.disc_of_c import FAILED, PROVEN, SPLIT, TOO_LARGE, classify
from mandeldask.fractal.rationals import Point

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.escape.arithmetic.array_types import Bools, Counts, Flag, Ints
    from mandeldask.fractal.escape.proofs.cardioid_and_disc import Components
    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.geometry import Grid

LEAF = 8
"""Blocks of at most this many pixels a side are not split."""

_LARGEST_PROBED = 64
"""Blocks of at most this many pixels a side are split only where a leaf in their middle could be answered."""

_FIRST_BUDGET, _STEPS_PER_PIXEL = 1 << 15, 3
"""Steps of discs allowed at first, and additional steps for every answered pixel: the cost of its own orbit."""


def answer_by_quadtree(tile: Tile) -> None:
    """Answer the pixels of `tile` that formulas prove, and the blocks that discs prove.

    Raises
    ------
    ValueError
        If a pixel is closed: blocks are answered as a whole.
    """
    if tile.open.size != tile.counts.size:
        msg = f"all {tile.counts.size} pixels must be open for the quad-tree, not {tile.open.size}"
        raise ValueError(msg)
    grid = tile.grid
    proven = np.zeros(tile.counts.size, np.bool_)
    segment = real_segment(grid)
    proven[segment.start : segment.stop] = True
    placed = _block_positions(grid)
    if placed is not None:
        frame, steps, known = placed
        period = np.empty(0, np.uint32) if tile.period is None else tile.period
        escapes = not tile.wants_orbits
        queue, flag = _queue(grid.shape), tile.cancellation.flag
        with tile.without_missing_kernels():
            _answer_blocks(
                queue, frame, steps, known, grid.shape, tile.maxiter, escapes, tile.counts, period, proven, flag
            )
    tile.close(proven)


def common_answer(grid: Grid, maxiter: int, *, escapes: bool) -> tuple[int, int] | None:
    """Return the count of every pixel of `grid`, and the period of their cycle, if the largest block proves them.

    Parameters
    ----------
    grid : Grid
        Where the pixels are.
    maxiter : int
        Greatest count.
    escapes : bool
        Whether a count alone answers pixels that escape.

    Returns
    -------
    (int, int) or None
        The period is 0 where it is not known, and of pixels that escape. None if one block proves nothing.
    """
    placed = _block_positions(grid)
    if placed is None:
        return None
    count, cycle = _whole_tile(*placed, grid.shape, maxiter, escapes)
    return None if count < 0 else (int(count), int(cycle))


def _block_positions(grid: Grid) -> tuple[Any, tuple[float, float], Any] | None:
    """Return the positions of pixels for `_answer_blocks`; None if they are too far away."""
    middle, exponent = Point(grid.re.middle, grid.im.middle), unit_exponent(grid)
    frame = tuple(as_pair(value)[0] for value in (middle.im, grid.im.step, middle.re, grid.re.step))
    if abs(frame[0]) + abs(frame[2]) + 2.0 ** min(exponent, 1000) > FARTHEST_QUADTREE:
        return None
    steps = as_pair(grid.im.step, exponent + 1)[0], as_pair(grid.re.step, exponent + 1)[0]
    return frame, steps, components(middle, exponent)


def _queue(shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return an array for blocks (first row, end of rows, first column, end of columns); the first is the tile."""
    height, width = shape
    queue = np.empty((height * width // 4 + 64, 4), np.int64)
    queue[0] = 0, height, 0, width
    return queue


@kernel
def _whole_tile(
    frame: tuple[float, float, float, float], steps: tuple[float, float], known: Components, shape: tuple[int, int],
    maxiter: int, escapes: bool,
) -> tuple[int, int]:  # fmt: skip
    """Return the count of all pixels and the period of their cycle, by one block; a negative count if it fails."""
    im, im_step, re, re_step = frame
    height, width = shape
    component = component_of(known, 0.0, 0.0, max(height * abs(steps[0]), width * abs(steps[1])))
    if OUTSIDE < component < UNDECIDED:
        return maxiter, component
    rho = _radius(height, width, im_step, re_step) + _rounding(frame, shape)
    verdict, count, cycle, _, _, _ = classify(re, im, rho, 0.0, maxiter)
    if verdict != PROVEN or (count < maxiter and not escapes):
        return -1, 0
    return count, cycle


@kernel
def _answer_blocks(
    queue: Ints, frame: tuple[float, float, float, float], steps: tuple[float, float], known: Components,
    shape: tuple[int, int], maxiter: int, escapes: bool, counts: Counts, period: Counts, proven: Bools, flag: Flag,
) -> None:  # fmt: skip
    """Answer blocks, largest first.

    `frame` has the middles of rows and columns and their distances, `steps` half the distances in units of `known`.
    """
    im, im_step, re, re_step = frame
    height, width = shape
    rounding = _rounding(frame, shape)
    leaf = _radius(LEAF, LEAF, im_step, re_step) + rounding
    first, last, budget = 0, 1, _FIRST_BUDGET
    while first < last and not flag[0]:
        top, bottom, left, right = queue[first, 0], queue[first, 1], queue[first, 2], queue[first, 3]
        first += 1
        rows, cols = bottom - top, right - left
        side = max(rows, cols)
        y, x = top + bottom - height, left + right - width
        component = component_of(known, x * steps[1], y * steps[0], max(rows * abs(steps[0]), cols * abs(steps[1])))
        if OUTSIDE < component < UNDECIDED:
            _answer(top, bottom, left, right, width, maxiter, maxiter, component, counts, period, proven)
            continue
        if component == UNDECIDED and side <= LEAF:
            _answer_pixels(known, steps, shape, top, bottom, left, right, period, proven)
            continue
        verdict, count, cycle = FAILED, maxiter, 0
        if budget > 0 and (component == OUTSIDE or side > _LARGEST_PROBED):
            rho = _radius(rows, cols, im_step, re_step) + rounding
            probe = leaf if LEAF < side <= _LARGEST_PROBED else 0.0
            cx, cy = re + 0.5 * x * re_step, im + 0.5 * y * im_step
            verdict, count, cycle, taken, _, _ = classify(cx, cy, rho, probe, maxiter)
            budget -= taken
            if count < maxiter and not escapes:
                verdict = FAILED
        if verdict == PROVEN:
            budget += _STEPS_PER_PIXEL * rows * cols
            _answer(top, bottom, left, right, width, count, maxiter, cycle, counts, period, proven)
        elif component == UNDECIDED or verdict == SPLIT or (verdict == TOO_LARGE and side > _LARGEST_PROBED):
            last = _split(queue, last, top, bottom, left, right)


@inner
def _answer(
    top: int, bottom: int, left: int, right: int, width: int, count: int, maxiter: int, cycle: int, counts: Counts,
    period: Counts, proven: Bools,
) -> None:  # fmt: skip
    """Write the answer of a block."""
    for row in range(top, bottom):
        start, stop = row * width + left, row * width + right
        _fill(proven, start, stop, 1)
        if count < maxiter:  # otherwise it is already there
            _fill(counts, start, stop, count)
        if period.size:
            _fill(period, start, stop, cycle)


@inner
def _answer_pixels(
    known: Components, steps: tuple[float, float], shape: tuple[int, int], top: int, bottom: int, left: int,
    right: int, period: Counts, proven: Bools,
) -> None:  # fmt: skip
    """Write the answers of those pixels of a block that are certainly inside a component."""
    height, width = shape
    for row in range(top, bottom):
        v = (2 * row - (height - 1)) * steps[0]
        for col in range(left, right):
            component = component_at(known, (2 * col - (width - 1)) * steps[1], v)
            if component != OUTSIDE:
                proven[row * width + col] = True
                if period.size:
                    period[row * width + col] = component


@inner
def _fill(values: Any, start: int, stop: int, value: Any) -> None:
    part = values[start:stop]
    for i in range(part.size):
        part[i] = value


@inner
def _append(queue: Any, last: int, top: int, bottom: int, left: int, right: int) -> int:
    """Append a block after `last`; return the new end."""
    queue[last, 0], queue[last, 1], queue[last, 2], queue[last, 3] = top, bottom, left, right
    return last + 1


@inner
def _split(queue: Any, last: int, top: int, bottom: int, left: int, right: int) -> int:
    """Append the halves or quarters of a block, as square as possible, after `last`; return the new end."""
    rows, cols = bottom - top, right - left
    row_step = -(-rows // 2) if 2 * rows > cols else rows
    col_step = -(-cols // 2) if 2 * cols > rows else cols
    for row in range(top, bottom, row_step):
        for col in range(left, right, col_step):
            last = _append(queue, last, row, min(row + row_step, bottom), col, min(col + col_step, right))
    return last


@inner
def _rounding(frame: tuple[float, float, float, float], shape: tuple[int, int]) -> float:
    """Return a bound on the distance of a float64 position from the pixel."""
    im, im_step, re, re_step = frame
    return 2.0**-50 * (abs(im) + abs(re) + abs(im_step) * shape[0] + abs(re_step) * shape[1]) + 1e-300


@inner
def _radius(rows: int, cols: int, im_step: float, re_step: float) -> float:
    """Return the distance from the middle of a block to its farthest pixel, rounded up."""
    return 0.5 * hypot(im_step * (rows - 1), re_step * (cols - 1)) * (1.0 + 2.0**-40)
