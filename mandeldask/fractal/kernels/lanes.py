"""Many pixels in lockstep: loops over the lanes of a workspace, each short enough for the compiler to vectorise.

Lanes advance a block of steps unchecked, since |z| > 2 cannot be left again. One not surely inside at the end of a
block leaves, as it was before the block, to be watched step by step among others that left and others that are new.
Its place stays behind, and goes on to infinity, until another lane takes it. Nothing branches on a single lane, which
no processor could predict. Where `derivative` is None, lanes have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mandeldask.fractal.kernels.compiled import inlined, inner
from mandeldask.fractal.kernels.potential import FAR_OUT
from mandeldask.fractal.kernels.recurrence import DERIVATIVE_GROWTH, GROWTH, STEPS, differentiate, iterate, unsure
from mandeldask.fractal.kernels.workspaces import workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

LANES = 512
"""Pixels in flight: what a step reads and writes fits the first-level cache."""
FLIGHT = 48
"""Steps in which lanes that left get far out: near c = -2 they go slowly at first, and square themselves in the end."""
_SLOPES_GROWTH = DERIVATIVE_GROWTH ** (2 / STEPS)
"""What two steps of the flight pay in advance: they may be few, or many."""
NOBODY = -1e18
"""BORN of a place that a lane left behind."""

# A workspace is one vector, and a row of it begins at a constant: only so does the compiler see that rows are apart,
# and vectorises. Rows are longer than LANES, since rows a power of two apart would share cache lines.
_ROWS = range(0, 16 * (LANES + 16), LANES + 16)
X, Y, S, CX, CY, BORN, PIXEL, DX, DY, Q, OLD_X, OLD_Y, OLD_S, OLD_DX, OLD_DY, OLD_Q = _ROWS
"""BORN is the clock's time at z_0; of lanes that are watched, the count before the block."""
INSIDE, NEAREST, UNSURE, FLOWN, FAR = OLD_X, OLD_Y, OLD_S, OLD_DX, OLD_DY
"""Of lanes that are watched, which have no past: how many iterates of the block are within |z| <= 2, the least distance
of |z|^2 from 4, whether an iterate may be on either side, how many steps were flown, and |z|^2 from which on z is far
out."""
_INDEX = 2**40 - 1
"""Mask that an index passes unchanged."""


class Room(NamedTuple):
    """What one computation works in."""

    lanes: NDArray[np.float64]
    watched: NDArray[np.float64]
    """Lanes that are watched step by step."""
    vacancies: NDArray[np.int64]
    """Vacant places: where some lanes are alive, ``LANES - alive``."""
    order: NDArray[np.int64]
    done: NDArray[np.int64]
    flags: NDArray[np.int64]
    """Space for lists of lanes."""


def room() -> Room:
    """Return new room, all places vacant."""
    vacancies, order, done, flags = np.empty((4, LANES + 16), np.int64)
    vacancies[:LANES] = np.arange(LANES - 1, -1, -1)
    return Room(workspace(_ROWS.stop), workspace(_ROWS.stop), vacancies, order, done, flags)


@inlined
def index(value):
    """Return `value` as an index that the compiler sees is not one from the end: looking costs more than the access."""
    return int(value) & _INDEX


@inner
def advance(w, active, blocks, derivative):
    """Advance lanes by `blocks` times STEPS iterations, unchecked; keep what they were in the OLD rows."""
    if derivative is not None:
        _advance_slopes(w, active, blocks)
        return
    for i in range(active):
        w[OLD_X + i], w[OLD_Y + i], w[OLD_S + i] = w[X + i], w[Y + i], w[S + i]
    for _ in range(blocks):
        for i in range(active):
            x, y, s, cx, cy = w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i]
            x, y, s = iterate(x, y, s * GROWTH, cx, cy)
            w[X + i], w[Y + i], w[S + i] = iterate(x, y, s, cx, cy)
        for _ in range(STEPS // 2 - 1):
            for i in range(active):
                x, y, s = iterate(w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i])
                w[X + i], w[Y + i], w[S + i] = iterate(x, y, s, w[CX + i], w[CY + i])


@inner
def _advance_slopes(w, active, blocks):
    """Do what `advance` does, for lanes with dz/dc."""
    for i in range(active):
        w[OLD_X + i], w[OLD_Y + i], w[OLD_S + i] = w[X + i], w[Y + i], w[S + i]
        w[OLD_DX + i], w[OLD_DY + i], w[OLD_Q + i] = w[DX + i], w[DY + i], w[Q + i]
    for step in range(blocks * STEPS // 2):
        if step % (STEPS // 2) == 0:
            for i in range(active):
                w[S + i], w[Q + i] = w[S + i] * GROWTH, w[Q + i] * DERIVATIVE_GROWTH
        for i in range(active):
            x, y, s, cx, cy = w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i]
            dx, dy, q = differentiate(x, y, s, w[DX + i], w[DY + i], w[Q + i])
            x, y, s = iterate(x, y, s, cx, cy)
            w[DX + i], w[DY + i], w[Q + i] = differentiate(x, y, s, dx, dy, q)
            w[X + i], w[Y + i], w[S + i] = iterate(x, y, s, cx, cy)


@inner
def look(w, active, last, order, flags):
    """Write to `order` the lanes that are not surely inside, or were born too long ago to go on; return how many.

    `order` and `flags` are of `Room`.
    """
    for i in range(active):
        m = w[X + i] * w[X + i] + w[Y + i] * w[Y + i]
        born = w[BORN + i]
        stays = (m < 16.0) & (not unsure(m, w[S + i])) & (born < last) | (born == NOBODY)
        flags[i] = 0 if stays else 1
    leaving = 0
    for i in range(active):
        order[leaving] = i
        leaving += flags[i]
    return leaving


@inner
def leave(w, order, leaving, clock, watched, size, vacancies, alive, derivative):
    """Append the lanes listed in `order` to `watched`, as they were before the block; their places are vacant."""
    for k in range(leaving):
        i, j = index(order[k]), size + k
        vacancies[LANES - alive + k] = i
        watched[X + j], watched[Y + j], watched[S + j] = w[OLD_X + i], w[OLD_Y + i], w[OLD_S + i]
        watched[CX + j], watched[CY + j] = w[CX + i], w[CY + i]
        watched[BORN + j], watched[PIXEL + j] = w[BORN + i] + clock, w[PIXEL + i]
        w[BORN + i] = NOBODY
    if derivative is not None:
        for k in range(leaving):
            i, j = index(order[k]), size + k
            watched[DX + j], watched[DY + j], watched[Q + j] = w[OLD_DX + i], w[OLD_DY + i], w[OLD_Q + i]


@inner
def watch(w, size):
    """Advance lanes by STEPS iterations, looking at every iterate, and count those within |z| <= 2.

    S stays what it is for the first iterate outside: no later one has to be known to be there.
    """
    for i in range(size):
        w[INSIDE + i], w[NEAREST + i] = -1.0, 16.0
        w[S + i] *= GROWTH
    for _ in range(STEPS // 2):
        for i in range(size):
            x, y, s, cx, cy = w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i]
            inside, nearest = w[INSIDE + i], w[NEAREST + i]
            x, y, s, inside, nearest = _watched(x, y, s, cx, cy, inside, nearest)
            x, y, s, inside, nearest = _watched(x, y, s, cx, cy, inside, nearest)
            w[X + i], w[Y + i], w[S + i], w[INSIDE + i], w[NEAREST + i] = x, y, s, inside, nearest
    for i in range(size):
        m = w[X + i] * w[X + i] + w[Y + i] * w[Y + i]
        nearest = min(w[NEAREST + i], abs(m - 16.0))
        w[INSIDE + i] += 1.0 if m <= 16.0 else 0.0
        w[UNSURE + i] = 1.0 if unsure(16.0 + nearest, w[S + i]) else 0.0


@inlined
def _watched(x, y, s, cx, cy, inside, nearest):
    """Look at an iterate and return the next, with what was seen so far."""
    m = x * x + y * y
    nearest = min(nearest, abs(m - 16.0))
    next_x, next_y, next_s = iterate(x, y, s, cx, cy)
    s = next_s if m <= 16.0 else s
    inside += 1.0 if m <= 16.0 else 0.0
    return next_x, next_y, s, inside, nearest


@inner
def part(w, size, limit, order, flags, done):
    """List in `order` the watched lanes that go on, and in `done` the others; return how many go on."""
    for i in range(size):
        goes = (w[INSIDE + i] == STEPS) & (w[UNSURE + i] == 0.0) & (w[BORN + i] + STEPS < limit)
        flags[i] = 1 if goes else 0
    going = 0
    for i in range(size):
        order[going] = done[i - going] = i
        going += flags[i]
    return going


@inner
def join(w, order, going, clock, watched, vacancies, alive, derivative):
    """Move the watched lanes listed in `order` to vacant places, as of `clock`; return the end of the places taken."""
    end = 0
    for k in range(going):
        i, j = index(order[k]), index(vacancies[LANES - 1 - alive - k])
        end = max(end, j + 1)
        w[X + j], w[Y + j], w[S + j] = watched[X + i], watched[Y + i], watched[S + i]
        w[CX + j], w[CY + j], w[PIXEL + j] = watched[CX + i], watched[CY + i], watched[PIXEL + i]
        w[BORN + j] = watched[BORN + i] - clock
    if derivative is not None:
        for k in range(going):
            i, j = index(order[k]), index(vacancies[LANES - 1 - alive - k])
            w[DX + j], w[DY + j], w[Q + j] = watched[DX + i], watched[DY + i], watched[Q + i]
    return end


@inner
def close(w, active, order, vacancies, alive, derivative):
    """Move lanes from the end to vacant places, so that the first `alive` are all."""
    free = 0
    for i in range(alive):
        order[free] = i
        free += w[BORN + i] == NOBODY
    moving = 0
    for i in range(alive, active):
        vacancies[moving] = i
        moving += w[BORN + i] != NOBODY
    for k in range(free):
        i, j = index(order[k]), index(vacancies[k])
        w[X + i], w[Y + i], w[S + i] = w[X + j], w[Y + j], w[S + j]
        w[CX + i], w[CY + i], w[BORN + i], w[PIXEL + i] = w[CX + j], w[CY + j], w[BORN + j], w[PIXEL + j]
        if derivative is not None:
            w[DX + i], w[DY + i], w[Q + i] = w[DX + j], w[DY + j], w[Q + j]
    for k in range(LANES - alive):
        vacancies[k] = LANES - 1 - k


@inner
def gather(w, order, size, derivative):
    """Move the watched lanes listed in `order`, ascending, to the front."""
    for k in range(size):
        i = index(order[k])
        for row in (X, Y, S, CX, CY, BORN, PIXEL, INSIDE, UNSURE, FLOWN, FAR):
            w[row + k] = w[row + i]
        if derivative is not None:
            w[DX + k], w[DY + k], w[Q + k] = w[DX + i], w[DY + i], w[Q + i]
        order[k] = k


@inner
def watch_flight(w, size, derivative):
    """Do what `watch` does, but let lanes that get far out stay there, and tell in FLOWN how far they got."""
    for i in range(size):
        w[INSIDE + i] = w[UNSURE + i] = w[FLOWN + i] = 0.0
        w[S + i] *= GROWTH
        w[FAR + i] = FAR_OUT * (4.0 + w[CX + i] * w[CX + i] + w[CY + i] * w[CY + i])
    for _ in range(STEPS // 2):
        if derivative is not None:
            _fly_two_slopes(w, size)
        for i in range(size):
            x, y, s, cx, cy, far = w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i], w[FAR + i]
            inside, doubts, flown = w[INSIDE + i], w[UNSURE + i], w[FLOWN + i]
            x, y, s, m, on = _onward(x, y, s, cx, cy, far)
            inside, doubts, flown = inside + (1.0 if m <= 16.0 else 0.0), doubts + unsure(m, s), flown + on
            x, y, s, m, on = _onward(x, y, s, cx, cy, far)
            inside, doubts, flown = inside + (1.0 if m <= 16.0 else 0.0), doubts + unsure(m, s), flown + on
            w[X + i], w[Y + i], w[S + i] = x, y, s
            w[INSIDE + i], w[UNSURE + i], w[FLOWN + i] = inside, doubts, flown


@inner
def fly(w, size, derivative):
    """Advance lanes until all that left |z| <= 2 are far out, FLIGHT steps at most."""
    for i in range(size):
        w[S + i] *= GROWTH ** (FLIGHT // STEPS)
    for _ in range(FLIGHT // 2):
        near = 0
        for i in range(size):
            m = w[X + i] * w[X + i] + w[Y + i] * w[Y + i]
            near += 1 if (m <= w[FAR + i]) & (w[INSIDE + i] < STEPS) else 0
        if near == 0:
            break
        if derivative is not None:
            _fly_two_slopes(w, size)
        for i in range(size):
            x, y, s, cx, cy, far = w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i], w[FAR + i]
            x, y, s, _, first = _onward(x, y, s, cx, cy, far)
            w[X + i], w[Y + i], w[S + i], _, second = _onward(x, y, s, cx, cy, far)
            w[FLOWN + i] += first + second


@inner
def _onward(x, y, s, cx, cy, far):
    """Return the next iterate, its S and |z|^2, and 1; or where it is far out already, the same again, and 0."""
    next_x, next_y, next_s = iterate(x, y, s, cx, cy)
    on = x * x + y * y <= far
    x, y, s = next_x if on else x, next_y if on else y, next_s if on else s
    return x, y, s, x * x + y * y, 1.0 if on else 0.0


@inner
def _fly_two_slopes(w, size):
    """Do for dz/dc what `fly` is about to do for two steps."""
    for i in range(size):
        x, y, s, cx, cy, far = w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i], w[FAR + i]
        dx, dy, q = w[DX + i], w[DY + i], w[Q + i] * _SLOPES_GROWTH
        for _ in range(2):
            next_dx, next_dy, next_q = differentiate(x, y, s, dx, dy, q)
            x, y, s, _, on = _onward(x, y, s, cx, cy, far)
            dx, dy, q = next_dx if on > 0.0 else dx, next_dy if on > 0.0 else dy, next_q if on > 0.0 else q
        w[DX + i], w[DY + i], w[Q + i] = dx, dy, q
