"""Many pixels in lockstep: loops over the lanes of a workspace, each short enough for the compiler to vectorise.

Lanes advance a block of steps unchecked, since |z| > 2 cannot be left again; a lane not surely inside at the end of
a block leaves, as it was before, and is followed step by step.
"""

from __future__ import annotations

import numba
import numpy as np

from mandeldask.fractal.kernels.potential import FAR_OUT
from mandeldask.fractal.kernels.recurrence import differentiate, iterate, surely

LANES = 256
"""Pixels in flight: their state fits the first-level cache."""
STEPS = 8
"""Iterations of a block: fewer would look more often, more would repeat more for those that left."""

# A workspace is one vector, and a row of it begins at a constant: only so does the compiler see that rows are apart,
# and vectorises. Rows are 8 longer than LANES, since rows a power of two apart would share cache lines.
_SIZE = 17 * (LANES + 8)
_ROWS = range(0, _SIZE, LANES + 8)
X, Y, S, CX, CY, BORN, PIXEL, DX, DY, Q, OLD_X, OLD_Y, OLD_S, OLD_DX, OLD_DY, OLD_Q, LEAVING = _ROWS
FOLLOWED = OLD_X
"""Of lanes that left: the steps that they were followed; they have no past."""


@numba.njit(nogil=True, cache=True)
def workspace(size=_SIZE):
    """Return an empty workspace that begins at a cache line: vectors across two lines take twice the time."""
    raw = np.zeros(size + 8)
    skip = -(raw.ctypes.data // 8) % 8
    return raw[skip : skip + size]


@numba.njit(nogil=True, cache=True)
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


@numba.njit(nogil=True, cache=True)
def look(w, active, last):
    """Mark as LEAVING the lanes not surely inside, and those born too long ago to go on."""
    for i in range(active):
        m, sure = surely(w[X + i], w[Y + i], w[S + i])
        w[LEAVING + i] = 0.0 if (m < 4.0) & sure & (w[BORN + i] < last) else 1.0


@numba.njit(nogil=True, cache=True)
def leave(w, active, leavers, derivative):
    """Move leaving lanes, as they were before, to `leavers` and close the gaps; return how many stay and leave."""
    size = 0
    for i in range(active - 1, -1, -1):
        if w[LEAVING + i] > 0.0:
            active -= 1
            leavers[X + size], leavers[Y + size], leavers[S + size] = w[OLD_X + i], w[OLD_Y + i], w[OLD_S + i]
            w[X + i], w[Y + i], w[S + i] = w[X + active], w[Y + active], w[S + active]
            leavers[CX + size], leavers[CY + size] = w[CX + i], w[CY + i]
            w[CX + i], w[CY + i] = w[CX + active], w[CY + active]
            leavers[BORN + size], leavers[PIXEL + size] = w[BORN + i], w[PIXEL + i]
            w[BORN + i], w[PIXEL + i] = w[BORN + active], w[PIXEL + active]
            if derivative:
                leavers[DX + size], leavers[DY + size], leavers[Q + size] = w[OLD_DX + i], w[OLD_DY + i], w[OLD_Q + i]
                w[DX + i], w[DY + i], w[Q + i] = w[DX + active], w[DY + active], w[Q + active]
            size += 1
    return active, size


@numba.njit(nogil=True, cache=True, inline="always")
def _hold(x, y, s, cx, cy, k, radius):
    """Return the next iterate and k + 1, or the same again where the next is not within |z|^2 < radius."""
    next_x, next_y, next_s = iterate(x, y, s, cx, cy)
    within = next_x * next_x + next_y * next_y < radius
    return (
        (next_x if within else x),
        (next_y if within else y),
        (next_s if within else s),
        (k + 1.0 if within else k),
    )


@numba.njit(nogil=True, cache=True)
def follow(w, size, derivative):
    """Advance lanes to the last of the next STEPS iterates that is within |z| <= 2; write to FOLLOWED how far."""
    for i in range(size):
        w[FOLLOWED + i] = 0.0
    if derivative:
        for _ in range(STEPS):
            for i in range(size):
                x, y, s, k = _hold(w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i], w[FOLLOWED + i], 4.0)
                dx, dy, q = differentiate(w[X + i], w[Y + i], w[S + i], w[DX + i], w[DY + i], w[Q + i])
                moved = k > w[FOLLOWED + i]
                w[DX + i] = dx if moved else w[DX + i]
                w[DY + i] = dy if moved else w[DY + i]
                w[Q + i] = q if moved else w[Q + i]
                w[X + i], w[Y + i], w[S + i], w[FOLLOWED + i] = x, y, s, k
        return
    for _ in range(STEPS // 4):
        for i in range(size):
            x, y, s, cx, cy, k = w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i], w[FOLLOWED + i]
            x, y, s, k = _hold(x, y, s, cx, cy, k, 4.0)
            x, y, s, k = _hold(x, y, s, cx, cy, k, 4.0)
            x, y, s, k = _hold(x, y, s, cx, cy, k, 4.0)
            x, y, s, k = _hold(x, y, s, cx, cy, k, 4.0)
            w[X + i], w[Y + i], w[S + i], w[FOLLOWED + i] = x, y, s, k


@numba.njit(nogil=True, cache=True)
def judge(w, size, clock, maxiter):
    """Turn LEAVING into how many iterates are proved inside, or -1: surely so up to here, surely not the next one."""
    for i in range(size):
        x, y, s = w[X + i], w[Y + i], w[S + i]
        m, sure = surely(x, y, s)
        inside = sure & (m < 4.0)
        x, y, s = iterate(x, y, s, w[CX + i], w[CY + i])
        m, sure = surely(x, y, s)
        n = w[BORN + i] + w[FOLLOWED + i] + clock
        proved = inside & ((n >= maxiter) | (sure & (m > 4.0)))
        w[LEAVING + i] = (min(maxiter, n)) if proved else -1.0


@numba.njit(nogil=True, cache=True)
def fly(w, size, derivative):
    """Advance lanes until they are far out, adding to FOLLOWED."""
    for _ in range(48):
        near = 0
        for i in range(size):
            x, y, s, cx, cy = w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i]
            far = x * x + y * y > FAR_OUT * (1.0 + cx * cx + cy * cy)
            if derivative:
                dx, dy, q = differentiate(x, y, s, w[DX + i], w[DY + i], w[Q + i])
                w[DX + i] = w[DX + i] if far else dx
                w[DY + i] = w[DY + i] if far else dy
                w[Q + i] = w[Q + i] if far else q
            next_x, next_y, next_s = iterate(x, y, s, cx, cy)
            w[X + i] = x if far else next_x
            w[Y + i] = y if far else next_y
            w[S + i] = s if far else next_s
            w[FOLLOWED + i] += 0.0 if far else 1.0
            near += 0 if far else 1
        if near == 0:
            break
