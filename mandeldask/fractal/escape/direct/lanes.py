"""Many pixels in lockstep (struct of arrays): loops over the lanes of a workspace that the compiler vectorises.

Lanes advance STEPS iterations unchecked, since an orbit past |z| = 2 never returns: Lemma 5. A lane that is not
certainly inside afterwards is rolled back and moved to `watched`, where every step is checked. Its old slot continues
to iterate until it is reused; an overflow there is harmless. No branch depends on a single lane. Where `derivative` is
None, lanes have none.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mandeldask.fractal.escape.arithmetic.float64_step import (
    DERIVATIVE_GROWTH,
    GROWTH,
    STEPS,
    differentiate,
    is_undecided,
    iterate,
    next_slope_bound,
    slope_square,
)
from mandeldask.fractal.escape.arithmetic.jit import inlined, inner
from mandeldask.fractal.escape.arithmetic.layout import Layout, workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.escape.arithmetic.array_types import Floats, Floats32, Ints

LANES = 512
"""Pixels iterated at a time: the memory of a step fits the first-level cache."""
_HALF_GROWTH, _HALF_SLOPES_GROWTH = sqrt(GROWTH), sqrt(DERIVATIVE_GROWTH)
"""Factors on S and Q before half a batch of steps."""
VACANT = -1e18
"""START of a free slot."""

_ROWS = Layout.of("X Y S CX CY START PIXEL DX DY Q", LANES + 16)
X, Y, S, CX, CY, START, PIXEL, DX, DY, Q = _ROWS.offsets
"""START is the clock at z_0; for watched lanes, the count before the batch."""
UNCHECKED = _ROWS.then("OLD_X OLD_Y OLD_S OLD_DX OLD_DY OLD_Q")
OLD_X, OLD_Y, OLD_S, OLD_DX, OLD_DY, OLD_Q = UNCHECKED.offsets[10:]  # of unchecked lanes: as before the batch
WATCHED = _ROWS.then("INSIDE NEAREST UNDECIDED ESCAPE_STEPS KNOWN SMOOTH")
INSIDE, NEAREST, UNDECIDED, ESCAPE_STEPS, KNOWN, SMOOTH = WATCHED.rows(
    "INSIDE NEAREST UNDECIDED ESCAPE_STEPS KNOWN SMOOTH"
)
"""For watched lanes: number of iterates of the batch within |z| <= 2, least distance of |z|^2 from 4, whether an
iterate is undecided, steps up to the escape radius; far out: whether the error is small enough, and smooth.
"""
_INDEX = 2**40 - 1  # a mask that an index passes unchanged


class Buffers(NamedTuple):
    """The workspace of one computation."""

    lanes: NDArray[np.float64]
    watched: NDArray[np.float64]
    """Lanes that are watched step by step."""
    free_slots: NDArray[np.int64]
    """Free slots: if some lanes are alive, ``LANES - alive``."""
    order: NDArray[np.int64]
    done: NDArray[np.int64]
    flags: NDArray[np.int64]
    """Space for lists of lanes."""


def new_buffers() -> Buffers:
    """Return a new workspace with all slots free."""
    free_slots, order, done, flags = np.empty((4, LANES + 16), np.int64)
    free_slots[:LANES] = np.arange(LANES - 1, -1, -1)
    return Buffers(workspace(UNCHECKED.size), workspace(WATCHED.size), free_slots, order, done, flags)


@inlined
def index(value: float) -> int:
    """Return `value` as an index that the compiler knows to be non-negative: a check costs more than the access."""
    return int(value) & _INDEX


@inner
def advance(w: Floats, active: int, batches: int, derivative: Floats32 | None) -> None:
    """Advance lanes by `batches` times STEPS unchecked iterations; back up their state in the OLD rows."""
    if derivative is not None:
        _advance_slopes(w, active, batches)
        return
    for i in range(active):
        x, y, s = w[X + i], w[Y + i], w[S + i]
        w[OLD_X + i], w[OLD_Y + i], w[OLD_S + i] = x, y, s
        w[X + i], w[Y + i], w[S + i] = _advanced(x, y, s, w[CX + i], w[CY + i])
    for _ in range(2 * batches - 1):
        for i in range(active):
            w[X + i], w[Y + i], w[S + i] = _advanced(w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i])


@inlined
def _advanced(x: float, y: float, s: float, cx: float, cy: float) -> tuple[float, float, float]:
    """Return z and S half a batch of steps later: longer chains wait for arithmetic, shorter ones for memory."""
    s *= _HALF_GROWTH
    for _ in range(STEPS // 2):
        x, y, s = iterate(x, y, s, cx, cy)
    return x, y, s


@inner
def _advance_slopes(w: Floats, active: int, batches: int) -> None:
    """Do what `advance` does, for lanes with dz/dc."""
    for i in range(active):
        w[OLD_X + i], w[OLD_Y + i], w[OLD_S + i] = w[X + i], w[Y + i], w[S + i]
        w[OLD_DX + i], w[OLD_DY + i], w[OLD_Q + i] = w[DX + i], w[DY + i], w[Q + i]
    for _ in range(2 * batches):
        for i in range(active):
            x, y, s, cx, cy = w[X + i], w[Y + i], w[S + i] * _HALF_GROWTH, w[CX + i], w[CY + i]
            dx, dy, q = w[DX + i], w[DY + i], w[Q + i] * _HALF_SLOPES_GROWTH
            for _ in range(STEPS // 4):
                q, p = next_slope_bound(x, y, s, q, slope_square(dx, dy))
                dx, dy = differentiate(x, y, dx, dy)
                x, y, s = iterate(x, y, s, cx, cy)
                q, _ = next_slope_bound(x, y, s, q, p)
                dx, dy = differentiate(x, y, dx, dy)
                x, y, s = iterate(x, y, s, cx, cy)
            w[X + i], w[Y + i], w[S + i], w[DX + i], w[DY + i], w[Q + i] = x, y, s, dx, dy, q


@inner
def find_leaving(w: Floats, active: int, last: int, order: Ints, flags: Ints) -> int:
    """Write to `order` the lanes that are not certainly inside or have reached maxiter; return their number.

    `order` and `flags` are of `Buffers`.
    """
    for i in range(active):
        m = w[X + i] * w[X + i] + w[Y + i] * w[Y + i]
        start = w[START + i]
        stays = (m < 16.0) & (not is_undecided(m, w[S + i])) & (start < last) | (start == VACANT)
        flags[i] = 0 if stays else 1
    leaving = 0
    for i in range(active):
        order[index(leaving)] = i
        leaving += flags[i]
    return leaving


@inner
def move_to_watched(
    w: Floats, order: Ints, leaving: int, clock: int, watched: Floats, size: int, free_slots: Ints, alive: int,
    derivative: Floats32 | None,
) -> None:  # fmt: skip
    """Append the lanes listed in `order`, rolled back to before the batch, to `watched`; their slots become free."""
    for k in range(leaving):
        i, j = index(order[k]), size + k
        free_slots[LANES - alive + k] = i
        watched[X + j], watched[Y + j], watched[S + j] = w[OLD_X + i], w[OLD_Y + i], w[OLD_S + i]
        watched[CX + j], watched[CY + j] = w[CX + i], w[CY + i]
        watched[START + j], watched[PIXEL + j] = w[START + i] + clock, w[PIXEL + i]
        w[START + i] = VACANT
    if derivative is not None:
        for k in range(leaving):
            i, j = index(order[k]), size + k
            watched[DX + j], watched[DY + j], watched[Q + j] = w[OLD_DX + i], w[OLD_DY + i], w[OLD_Q + i]


@inner
def watch(w: Floats, size: int) -> None:
    """Advance lanes by STEPS iterations, check every iterate, and count those within |z| <= 2.

    S remains that of the first iterate outside: no later one needs to be proven outside.
    """
    for i in range(size):
        w[INSIDE + i], w[NEAREST + i] = -1.0, 16.0
        w[S + i] *= GROWTH
    for _ in range(STEPS // 2):
        for i in range(size):
            x, y, s, cx, cy = w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i]
            inside, nearest = w[INSIDE + i], w[NEAREST + i]
            x, y, s, inside, nearest = _watched_step(x, y, s, cx, cy, inside, nearest)
            x, y, s, inside, nearest = _watched_step(x, y, s, cx, cy, inside, nearest)
            w[X + i], w[Y + i], w[S + i], w[INSIDE + i], w[NEAREST + i] = x, y, s, inside, nearest
    check_last(w, size)


@inlined
def _watched_step(
    x: float, y: float, s: float, cx: float, cy: float, inside: float, nearest: float
) -> tuple[float, float, float, float, float]:
    """Check an iterate and return the next, with the results so far."""
    inside, nearest = count_inside(x, y, inside, nearest)
    next_x, next_y, next_s = iterate(x, y, s, cx, cy)
    return next_x, next_y, next_s if x * x + y * y <= 16.0 else s, inside, nearest


@inner
def check_last(w: Floats, size: int) -> None:
    """Check the last iterate of watched lanes."""
    for i in range(size):
        w[INSIDE + i], nearest = count_inside(w[X + i], w[Y + i], w[INSIDE + i], w[NEAREST + i])
        w[UNDECIDED + i] = 1.0 if is_undecided(16.0 + nearest, w[S + i]) else 0.0


@inlined
def count_inside(x: float, y: float, inside: float, nearest: float) -> tuple[float, float]:
    """Check an iterate: return how many were within |z| <= 2 so far, and the least distance from the circle."""
    m = x * x + y * y
    return inside + (1.0 if m <= 16.0 else 0.0), min(nearest, abs(m - 16.0))


@inner
def split_watched(w: Floats, size: int, limit: int, order: Ints, flags: Ints, done: Ints) -> int:
    """List in `order` the watched lanes that continue, and in `done` the others; return how many continue."""
    for i in range(size):
        goes = (w[INSIDE + i] == STEPS) & (w[UNDECIDED + i] == 0.0) & (w[START + i] + STEPS < limit)
        flags[i] = 1 if goes else 0
    going = 0
    for i in range(size):
        order[index(going)] = done[index(i - going)] = i
        going += flags[i]
    return going


@inner
def move_to_free_slots(
    w: Floats, order: Ints, going: int, clock: int, watched: Floats, free_slots: Ints, alive: int,
    derivative: Floats32 | None,
) -> int:  # fmt: skip
    """Move the watched lanes listed in `order` to free slots, as of `clock`; return the end of the slots used."""
    end = 0
    for k in range(going):
        i, j = index(order[k]), index(free_slots[LANES - 1 - alive - k])
        end = max(end, j + 1)
        w[X + j], w[Y + j], w[S + j] = watched[X + i], watched[Y + i], watched[S + i]
        w[CX + j], w[CY + j], w[PIXEL + j] = watched[CX + i], watched[CY + i], watched[PIXEL + i]
        w[START + j] = watched[START + i] - clock
    if derivative is not None:
        for k in range(going):
            i, j = index(order[k]), index(free_slots[LANES - 1 - alive - k])
            w[DX + j], w[DY + j], w[Q + j] = watched[DX + i], watched[DY + i], watched[Q + i]
    return end


@inner
def close_gaps(w: Floats, active: int, order: Ints, free_slots: Ints, alive: int, derivative: Floats32 | None) -> None:
    """Move lanes from the end to free slots, so that the first `alive` slots are used."""
    free = 0
    for i in range(alive):
        order[index(free)] = i
        free += w[START + i] == VACANT
    moving = 0
    for i in range(alive, active):
        free_slots[index(moving)] = i
        moving += w[START + i] != VACANT
    for k in range(free):
        i, j = index(order[k]), index(free_slots[k])
        w[X + i], w[Y + i], w[S + i] = w[X + j], w[Y + j], w[S + j]
        w[CX + i], w[CY + i], w[START + i], w[PIXEL + i] = w[CX + j], w[CY + j], w[START + j], w[PIXEL + j]
        if derivative is not None:
            w[DX + i], w[DY + i], w[Q + i] = w[DX + j], w[DY + j], w[Q + j]
    for k in range(LANES - alive):
        free_slots[k] = LANES - 1 - k


@inner
def move_to_front(w: Floats, order: Ints, size: int, derivative: Floats32 | None) -> None:
    """Move the watched lanes listed in `order`, ascending, to the front."""
    for k in range(size):
        i = index(order[k])
        for row in (X, Y, S, CX, CY, START, PIXEL, INSIDE, UNDECIDED, ESCAPE_STEPS):
            w[row + k] = w[row + i]
        if derivative is not None:
            w[DX + k], w[DY + k], w[Q + k] = w[DX + i], w[DY + i], w[Q + i]
        order[k] = k
