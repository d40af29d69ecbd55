"""The first stage: pixels answered by formulas, and whole blocks of pixels proven to share one answer.

A quad-tree of blocks, largest first. A block is a disc of c, of which may be proven that all of it escapes after the
same count, or stays for `maxiter` iterates, or (a cycle) for ever. A block that fails is split only where a disc of the
smallest size in its middle does not fail: along the edge of the set little can be proven, and trying must cost little.
What a formula proves is not tried.
"""

from __future__ import annotations

from math import hypot
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.fractal.kernels.compiled import inner, kernel
from mandeldask.fractal.kernels.components import closed_form_periods
from mandeldask.fractal.kernels.discs import BROKEN, PROVEN, SPLIT, judge

if TYPE_CHECKING:
    from mandeldask.fractal.geometry import Axis
    from mandeldask.fractal.kernels.tile import Tile

LEAF = 8
"""Blocks of at most this many pixels a side are not split."""

_PROBED = 64
"""Blocks of at most this many pixels a side are split only where a leaf in their middle could be answered."""

_ALLOWANCE, _STEPS_A_PIXEL = 1 << 15, 3
"""Steps of discs allowed from the start, and for every pixel answered: what an orbit of its own would cost."""

_FARTHEST = 64
"""Grids that reach farther out are left to the orbits, which end there at once: here floats must hold the step."""


def answer_blocks(tile: Tile) -> None:
    """Answer the pixels of `tile` that formulas prove and the blocks that discs prove; all must be open."""
    size = tile.counts.size
    known = closed_form_periods(tile.grid)
    proven = np.zeros(size, np.bool_) if known is None else known >= 0
    if known is not None and tile.period is not None:
        np.maximum(known, 0, out=tile.period, casting="unsafe")
    axes = tile.grid.im, tile.grid.re
    if all(abs(end) <= _FARTHEST for axis in axes for end in (axis[0], axis[-1])) and not proven.all():
        period = np.empty(0, np.uint32) if tile.period is None else tile.period
        middles = (*_middle(axes[0]), *_middle(axes[1]))
        escapes_too = not tile.wants_orbits
        _fill(middles, tile.grid.shape, tile.maxiter, escapes_too, tile.counts, period, proven, tile.cancellation.flag)
    tile.close("blocks", proven)


def _middle(axis: Axis) -> tuple[float, float]:
    """Return the position of the middle of `axis` and the distance of its pixels, each rounded once."""
    return float(axis.start + axis.step * (axis.size - 1) / 2), float(axis.step)


@kernel
def _fill(
    middles: Any, shape: Any, maxiter: int, escapes: Any, counts: Any, period: Any, proven: Any, flag: Any
) -> None:
    im, im_step, re, re_step = middles
    height, width = shape
    rounding = 2.0**-50 * (abs(im) + abs(re) + abs(im_step) * height + abs(re_step) * width) + 1e-300
    leaf = _radius(LEAF, LEAF, im_step, re_step) + rounding
    queue = np.empty((4, height * width // 4 + 64), np.int64)
    last = _put(queue, 0, 0, height, 0, width)
    first, allowance = 0, _ALLOWANCE
    while first < last and allowance > 0 and not flag[0]:
        top, bottom, left, right = queue[0, first], queue[1, first], queue[2, first], queue[3, first]
        first += 1
        if _is_answered(proven, width, top, bottom, left, right):
            continue
        rows, cols = bottom - top, right - left
        cy = im + im_step * (0.5 * (top + bottom - height))
        cx = re + re_step * (0.5 * (left + right - width))
        rho = _radius(rows, cols, im_step, re_step) + rounding
        side = max(rows, cols)
        probe = leaf if LEAF < side <= _PROBED else 0.0
        verdict, count, cycle, steps, _, _ = judge(cx, cy, rho, probe, maxiter)
        allowance -= steps
        if count < maxiter and not escapes:
            continue
        if verdict == PROVEN:
            allowance += _STEPS_A_PIXEL * rows * cols
            for row in range(top, bottom):
                start, stop = row * width + left, row * width + right
                _paint(proven, start, stop, 1)
                _paint(counts, start, stop, count)
                if period.size:
                    _paint(period, start, stop, cycle)
        elif verdict == SPLIT or (verdict == BROKEN and side > _PROBED):
            last = _split(queue, last, top, bottom, left, right)


@inner
def _paint(values: Any, start: int, stop: int, value: Any) -> None:
    part = values[start:stop]
    for i in range(part.size):
        part[i] = value


@inner
def _put(queue: Any, last: int, top: int, bottom: int, left: int, right: int) -> int:
    """Put a block behind `last`; return the new end."""
    queue[0, last], queue[1, last], queue[2, last], queue[3, last] = top, bottom, left, right
    return last + 1


@inner
def _is_answered(proven: Any, width: int, top: int, bottom: int, left: int, right: int) -> bool:
    """Whether corners and middle are answered: then the block is not worth a ball."""
    first, last, middle = top * width, (bottom - 1) * width, (top + bottom) // 2 * width + (left + right) // 2
    ends = proven[first + left] and proven[first + right - 1] and proven[last + left] and proven[last + right - 1]
    return bool(ends and proven[middle])


@inner
def _split(queue: Any, last: int, top: int, bottom: int, left: int, right: int) -> int:
    """Put the halves or quarters of a block, as square as can be, behind `last`; return the new end."""
    rows, cols = bottom - top, right - left
    row_step = -(-rows // 2) if 2 * rows > cols else rows
    col_step = -(-cols // 2) if 2 * cols > rows else cols
    for row in range(top, bottom, row_step):
        for col in range(left, right, col_step):
            last = _put(queue, last, row, min(row + row_step, bottom), col, min(col + col_step, right))
    return last


@inner
def _radius(rows: int, cols: int, im_step: float, re_step: float) -> float:
    """Return the distance from the middle of a block to its farthest pixel, rounded up."""
    return 0.5 * hypot(im_step * (rows - 1), re_step * (cols - 1)) * (1.0 + 2.0**-40)
