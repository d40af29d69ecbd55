"""Many pixels in lockstep: loops over the lanes of a workspace, each short enough for the compiler to vectorise.

Lanes advance a block of steps unchecked, since |z| > 2 cannot be left again. One not surely inside at the end of a
block leaves, as it was before the block, to be followed step by step among others that left. Its place stays behind,
and goes on to infinity, until many have left; then lanes from the end take the places. Nothing branches on a single
lane, which no processor could predict.
"""

from __future__ import annotations

import numpy as np

from mandeldask.fractal.kernels.compiled import inner
from mandeldask.fractal.kernels.potential import FAR_OUT
from mandeldask.fractal.kernels.recurrence import differentiate, iterate, unsure

LANES = 512
"""Pixels in flight: what a step reads and writes fits the first-level cache."""
STEPS = 8
"""Iterations of a block: fewer would look more often, more would repeat more for those that left."""
FLIGHT = 56
"""Steps in which lanes that left get far out: near c = -2 they go slowly at first, and square themselves in the end."""
OVERFLOW = 1e60
"""|z|^2 from which on nobody asks whether it is outside: its square, and soon itself, may be infinite."""
NOBODY = -1e18
"""BORN of a place that a lane left behind."""

# A workspace is one vector, and a row of it begins at a constant: only so does the compiler see that rows are apart,
# and vectorises. Rows are longer than LANES, since rows a power of two apart would share cache lines.
_ROWS = range(0, 17 * (LANES + 16), LANES + 16)
X, Y, S, CX, CY, BORN, PIXEL, DX, DY, Q, INSIDE, OLD_X, OLD_Y, OLD_S, OLD_DX, OLD_DY, OLD_Q = _ROWS
"""BORN is the clock's time at z_0; of lanes that left, the count up to X, Y."""
UNSURE, FLOWN, FAR = OLD_X, OLD_Y, OLD_S
"""Of lanes that left, which have no past: how many iterates may be on either side, how many steps were flown, and |z|^2
from which on z is far out. INSIDE is how many iterates of the block are within |z| <= 2."""
_SECOND = LANES + 16
"""Where the second half of a space for indices begins."""


@inner
def workspace(size=_ROWS.stop):
    """Return an empty workspace that begins at a cache line: vectors across two lines take twice the time."""
    raw = np.zeros(size + 8)
    skip = -(raw.ctypes.data // 8) % 8
    return raw[skip : skip + size]


@inner
def indices():
    """Return space for two lists of lanes."""
    return np.empty(2 * _SECOND, np.int64)


@inner
def advance(w, active, derivative):
    """Advance lanes by STEPS iterations, unchecked; keep what they were in the OLD rows."""
    for i in range(active):
        w[OLD_X + i], w[OLD_Y + i], w[OLD_S + i] = w[X + i], w[Y + i], w[S + i]
    if derivative:
        for i in range(active):
            w[OLD_DX + i], w[OLD_DY + i], w[OLD_Q + i] = w[DX + i], w[DY + i], w[Q + i]
    for _ in range(STEPS):
        if derivative:
            for i in range(active):
                w[DX + i], w[DY + i], w[Q + i] = differentiate(
                    w[X + i], w[Y + i], w[S + i], w[DX + i], w[DY + i], w[Q + i]
                )
        for i in range(active):
            w[X + i], w[Y + i], w[S + i] = iterate(w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i])


@inner
def look(w, active, last, order):
    """Write to `order` the lanes that are not surely inside, or were born too long ago to go on; return how many.

    `order` is space from `indices`.
    """
    flags = order[_SECOND:]
    for i in range(active):
        m = w[X + i] * w[X + i] + w[Y + i] * w[Y + i]
        born = w[BORN + i]
        stays = (m < 4.0) & (not unsure(m, w[S + i])) & (born < last) | (born == NOBODY)
        flags[i] = 0 if stays else 1
    leaving = 0
    for i in range(active):
        order[leaving] = i
        leaving += flags[i]
    return leaving


@inner
def leave(w, order, leaving, clock, leavers, size, derivative):
    """Append the lanes listed in `order` to `leavers`, as they were before the block; return how many are there."""
    for k in range(leaving):
        i, j = order[k], size + k
        leavers[X + j], leavers[Y + j], leavers[S + j] = w[OLD_X + i], w[OLD_Y + i], w[OLD_S + i]
        leavers[CX + j], leavers[CY + j] = w[CX + i], w[CY + i]
        leavers[BORN + j], leavers[PIXEL + j] = w[BORN + i] + clock, w[PIXEL + i]
        w[BORN + i] = NOBODY
    if derivative:
        for k in range(leaving):
            i, j = order[k], size + k
            leavers[DX + j], leavers[DY + j], leavers[Q + j] = w[OLD_DX + i], w[OLD_DY + i], w[OLD_Q + i]
    return size + leaving


@inner
def close(w, active, alive, order, derivative):
    """Move lanes from the end to the places that others left, so that the first `alive` are all."""
    free = 0
    for i in range(alive):
        order[free] = i
        free += w[BORN + i] == NOBODY
    moving = _SECOND
    for i in range(alive, active):
        order[moving] = i
        moving += w[BORN + i] != NOBODY
    for k in range(free):
        i, j = order[k], order[_SECOND + k]
        w[X + i], w[Y + i], w[S + i] = w[X + j], w[Y + j], w[S + j]
        w[CX + i], w[CY + i], w[BORN + i], w[PIXEL + i] = w[CX + j], w[CY + j], w[BORN + j], w[PIXEL + j]
    if derivative:
        for k in range(free):
            i, j = order[k], order[_SECOND + k]
            w[DX + i], w[DY + i], w[Q + i] = w[DX + j], w[DY + j], w[Q + j]


@inner
def follow(w, size):
    """Follow lanes that left for a block, looking at every iterate."""
    for i in range(size):
        w[INSIDE + i] = w[UNSURE + i] = 0.0
    for _ in range(STEPS // 2):
        for i in range(size):
            x, y, s, cx, cy = w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i]
            x, y, s = iterate(x, y, s, cx, cy)
            m = x * x + y * y
            inside = 1.0 if m <= 4.0 else 0.0
            doubt = 1.0 if (m < OVERFLOW) & unsure(m, s) else 0.0
            x, y, s = iterate(x, y, s, cx, cy)
            m = x * x + y * y
            w[INSIDE + i] += inside + (1.0 if m <= 4.0 else 0.0)
            w[UNSURE + i] += doubt + (1.0 if (m < OVERFLOW) & unsure(m, s) else 0.0)
            w[X + i], w[Y + i], w[S + i] = x, y, s


@inner
def fly(w, size, derivative):
    """Follow lanes that left for a block, and those that then are outside until they are far out, FLIGHT steps at most.

    A lane far out stays there.
    """
    for i in range(size):
        w[INSIDE + i] = w[UNSURE + i] = w[FLOWN + i] = 0.0
        w[FAR + i] = FAR_OUT * (1.0 + w[CX + i] * w[CX + i] + w[CY + i] * w[CY + i])
    for step in range(0, FLIGHT, 2):
        early = 1.0 if step < STEPS else 0.0
        if derivative:
            _fly_two_slopes(w, size)
        for i in range(size):
            x, y, s, cx, cy, far = w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i], w[FAR + i]
            inside, doubts, flown = w[INSIDE + i], w[UNSURE + i], w[FLOWN + i]
            x, y, s, m, on = _onward(x, y, s, cx, cy, far)
            inside, doubts, flown = inside + (early if m <= 4.0 else 0.0), doubts + unsure(m, s), flown + on
            x, y, s, m, on = _onward(x, y, s, cx, cy, far)
            inside, doubts, flown = inside + (early if m <= 4.0 else 0.0), doubts + unsure(m, s), flown + on
            w[X + i], w[Y + i], w[S + i] = x, y, s
            w[INSIDE + i], w[UNSURE + i], w[FLOWN + i] = inside, doubts, flown
        if step + 2 >= STEPS:
            near = 0
            for i in range(size):
                m = w[X + i] * w[X + i] + w[Y + i] * w[Y + i]
                near += 1 if (w[INSIDE + i] < STEPS) & (m <= w[FAR + i]) else 0
            if near == 0:
                break


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
        dx, dy, q = w[DX + i], w[DY + i], w[Q + i]
        for _ in range(2):
            next_dx, next_dy, next_q = differentiate(x, y, s, dx, dy, q)
            x, y, s, _, on = _onward(x, y, s, cx, cy, far)
            dx, dy, q = next_dx if on > 0.0 else dx, next_dy if on > 0.0 else dy, next_q if on > 0.0 else q
        w[DX + i], w[DY + i], w[Q + i] = dx, dy, q
