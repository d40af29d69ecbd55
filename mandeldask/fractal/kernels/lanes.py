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
X, Y, S, CX, CY, BORN, PIXEL, DX, DY, Q, LEAVING, OLD_X, OLD_Y, OLD_S, OLD_DX, OLD_DY, OLD_Q = _ROWS
"""BORN is the clock's time at z_0; of lanes that left, the count up to X, Y."""
INSIDE, UNSURE, FAR_M, FAR_S, FAR_STEP, FAR_DM, FAR_Q = LEAVING, OLD_X, OLD_Y, OLD_S, OLD_DX, OLD_DY, OLD_Q
"""Of lanes that left, and have no past: iterates within |z| <= 2 since; those that may be on either side; and, of the
first iterate far out, \\|z|^2, S, its distance in steps, \\|dz/dc|^2 and Q."""
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
    """Follow lanes that left for a block, looking at every iterate; return STEPS."""
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
    return STEPS


@inner
def fly(w, size, derivative):
    """Follow lanes that left until all are far out, at most FLIGHT steps, looking at every iterate; return the steps.

    Of what comes after the first iterate far out, nothing is used.
    """
    for i in range(size):
        w[INSIDE + i] = w[UNSURE + i] = w[FAR_M + i] = w[FAR_S + i] = w[FAR_STEP + i] = 0.0
        w[FAR_DM + i] = w[FAR_Q + i] = 0.0
    for step in range(1, FLIGHT + 1):
        if derivative:
            for i in range(size):
                w[DX + i], w[DY + i], w[Q + i] = differentiate(
                    w[X + i], w[Y + i], w[S + i], w[DX + i], w[DY + i], w[Q + i]
                )
        near = 0
        for i in range(size):
            x, y, s = iterate(w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i])
            m = x * x + y * y
            before = w[FAR_STEP + i] == 0.0
            is_far = m > FAR_OUT * (1.0 + w[CX + i] * w[CX + i] + w[CY + i] * w[CY + i])
            near += 1 if before & (not is_far) else 0
            w[INSIDE + i] += 1.0 if m <= 4.0 else 0.0
            w[UNSURE + i] += 1.0 if before & (not is_far) & unsure(m, s) else 0.0
            w[FAR_M + i] += m if before & is_far else 0.0
            w[FAR_S + i] += s if before & is_far else 0.0
            w[FAR_STEP + i] += float(step) if before & is_far else 0.0
            if derivative:
                dm = w[DX + i] * w[DX + i] + w[DY + i] * w[DY + i]
                w[FAR_DM + i] += dm if before & is_far else 0.0
                w[FAR_Q + i] += w[Q + i] if before & is_far else 0.0
            w[X + i], w[Y + i], w[S + i] = x, y, s
        if near == 0:
            return step
    return FLIGHT
