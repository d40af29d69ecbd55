"""Orbits that have left their reference, in plain lanes until they escape or come near 0 again.

A reference gains nothing while ``|dz|`` is no smaller than ``|z|``. Most pixels then escape soon. One that comes near 0
waits there to be rebased, and one whose error becomes too large keeps its earlier state.
"""

from __future__ import annotations

import numpy as np

from mandeldask.fractal.escape.arithmetic.float64_step import GROWTH, ROUNDING, SCALE, STEPS, iterate, unsure
from mandeldask.fractal.escape.arithmetic.jit import inner, kernel
from mandeldask.fractal.escape.arithmetic.layout import Layout
from mandeldask.fractal.escape.arithmetic.power_of_two import exponent_above, power
from mandeldask.fractal.escape.fields import smooth_at
from mandeldask.fractal.escape.perturbation import pixel_pool
from mandeldask.fractal.escape.perturbation.delta_step import APART, FLOOR, NEAR, NEAR_ZERO

LANES = 256
"""Pixels iterated at a time."""

ROWS = Layout.of("X Y S CX CY BORN PLACE OLD_X OLD_Y OLD_S NEAREST LEAVING", LANES + 8)
X, Y, S, CX, CY, BORN, PLACE, OLD_X, OLD_Y, OLD_S, NEAREST, LEAVING = ROWS.offsets
"""NEAREST is the least |2z|^2 of a batch; for a lane that left, that of its present z."""
SIZE = ROWS.size
LEFT = ROWS.renamed(OLD_X="FOLLOWED")
FOLLOWED = LEFT["FOLLOWED"]
"""For lanes that left, which need no backup: the iterations done since."""
_PROVEN = -1.0
"""Marks a pixel of a pool, in place of its iterations."""


@kernel
def follow_plain(w, leavers, pool, size, c_x, c_y, maxiter, u, count_and_proven, fields, worst, flag):
    """Iterate the first `size` pixels of `pool`, if a reference gains nothing for them; return how many remain in it.

    Removes those whose counts are proven, and advances others until they come near 0. `w` and `leavers` are
    workspaces; `c_x` and `c_y` are the parts of c rounded to float64, by column and by row. Where `fields` are wanted,
    a count is proven only with its `smooth`.
    """
    active = following = clock = 0
    while not flag[0]:
        if active <= LANES // 2:
            active, following = _enter(pool, size, c_x, c_y, u, following, clock, w, active)
        if active == 0:
            break
        _advance(w, active)
        _look(w, active, maxiter - clock - STEPS)
        active, left = _leave(w, active, leavers)
        if left:
            _follow(leavers, left)
            for i in range(left):
                k = int(leavers[PLACE + i])
                n, pixel = _proven_count(leavers, i, clock, maxiter), int(pool[k, pixel_pool.PIXEL])
                if fields is not None and 0 <= n < maxiter:
                    fields[0, pixel] = _smooth(leavers, i, n, worst)
                    n = -1 if np.isnan(fields[0, pixel]) else n
                if n >= 0:
                    count_and_proven[0, pixel], count_and_proven[1, pixel] = n, True
                    pool[k, pixel_pool.DONE] = _PROVEN
                elif leavers[NEAREST + i] < 4.0 * NEAR:
                    _put_back(leavers, i, clock, u, pool, k)
                else:
                    pool[k, pixel_pool.APART] = 1.0
        clock += STEPS
    return _without(pool, size)


@inner
def _enter(pool, size, c_x, c_y, u, following, clock, w, active):
    """Append the next pixels; return the numbers of active lanes and of the next pixel."""
    while following < size and active < LANES:
        k = following
        following += 1
        exponent = int(pool[k, pixel_pool.EXPONENT])
        if exponent <= NEAR_ZERO or pool[k, pixel_pool.APART] < APART:
            continue
        scale, pixel = 2.0 * power(exponent), int(pool[k, pixel_pool.PIXEL])
        row = pixel // c_x.size
        w[X + active], w[Y + active] = scale * pool[k, pixel_pool.X], scale * pool[k, pixel_pool.Y]
        w[S + active] = SCALE / u * scale * scale * pool[k, pixel_pool.S] * (1.0 + 2.0**-40) + ROUNDING
        w[CX + active], w[CY + active] = 2.0 * c_x[pixel - row * c_x.size], 2.0 * c_y[row]
        w[BORN + active], w[PLACE + active] = pool[k, pixel_pool.DONE] - clock, k
        active += 1
    return active, following


@inner
def _advance(w, active):
    """Advance lanes by a batch of unchecked steps; back up their state, and record their least distance from 0."""
    for i in range(active):
        w[OLD_X + i], w[OLD_Y + i], w[OLD_S + i] = w[X + i], w[Y + i], w[S + i]
        w[S + i] *= GROWTH
        w[NEAREST + i] = 16.0
    for _ in range(STEPS):
        for i in range(active):
            x, y, s = iterate(w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i])
            w[NEAREST + i] = min(w[NEAREST + i], x * x + y * y)
            w[X + i], w[Y + i], w[S + i] = x, y, s


@inner
def _look(w, active, last):
    """Mark as LEAVING the lanes not surely inside, those that were near 0, and those that have reached the cap."""
    for i in range(active):
        m = w[X + i] * w[X + i] + w[Y + i] * w[Y + i]
        stays = (m < 16.0) & (not unsure(m, w[S + i])) & (w[BORN + i] < last) & (w[NEAREST + i] >= 4.0 * NEAR)
        w[LEAVING + i] = 0.0 if stays else 1.0


@inner
def _leave(w, active, leavers):
    """Move leaving lanes, rolled back, to `leavers`; return how many stay and how many leave."""
    size = 0
    for i in range(active - 1, -1, -1):
        if w[LEAVING + i] > 0.0:
            active -= 1
            leavers[X + size], leavers[Y + size], leavers[S + size] = w[OLD_X + i], w[OLD_Y + i], w[OLD_S + i]
            w[X + i], w[Y + i], w[S + i] = w[X + active], w[Y + active], w[S + active]
            for row in (CX, CY, BORN, PLACE):
                leavers[row + size] = w[row + i]
                w[row + i] = w[row + active]
            size += 1
    return active, size


@inner
def _proven_count(w, i, clock, maxiter):
    """Return the count of lane `i` if it is surely inside now and surely outside after the next step; otherwise -1."""
    x, y, s = w[X + i], w[Y + i], w[S + i]
    n = int(w[BORN + i] + w[FOLLOWED + i]) + clock
    m = x * x + y * y
    if unsure(m, s) or not m < 16.0:
        return -1
    if n >= maxiter:
        return maxiter
    x, y, s = iterate(x, y, s * GROWTH, w[CX + i], w[CY + i])
    m = x * x + y * y
    return n if m > 16.0 and not unsure(m, s) else -1


@inner
def _smooth(w, i, n, worst):
    """Return the smooth escape time of lane `i`, within |z| <= 2 at its iterate n and outside after that."""
    r = np.sqrt(w[S + i] / SCALE)
    return smooth_at(n, 0.5 * w[X + i], 0.5 * w[Y + i], 0.5 * r, 0.5 * w[CX + i], 0.5 * w[CY + i], worst)


@inner
def _follow(w, size):
    """Advance lanes to the first of the next iterates that is near 0, or to the last within |z| <= 2.

    Writes the number of steps to FOLLOWED, and |z|^2 there to NEAREST.
    """
    for i in range(size):
        w[S + i] *= GROWTH
        w[FOLLOWED + i] = 0.0
        w[NEAREST + i] = 16.0
    for _ in range(STEPS):
        for i in range(size):
            x, y, s = iterate(w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i])
            m = x * x + y * y
            goes = (m < 16.0) & (w[NEAREST + i] >= 4.0 * NEAR)
            w[X + i] = x if goes else w[X + i]
            w[Y + i] = y if goes else w[Y + i]
            w[S + i] = s if goes else w[S + i]
            w[NEAREST + i] = m if goes else w[NEAREST + i]
            w[FOLLOWED + i] += 1.0 if goes else 0.0


@inner
def _put_back(w, i, clock, u, pool, k):
    """Write lane `i`, near 0, to slot `k` of the pool."""
    x, y = 0.5 * w[X + i], 0.5 * w[Y + i]
    shift = exponent_above(max(abs(x), abs(y), 2.0**-60))
    factor = power(-shift)
    pool[k, pixel_pool.X], pool[k, pixel_pool.Y] = x * factor, y * factor
    pool[k, pixel_pool.S] = 0.25 * u / SCALE * w[S + i] * factor * factor * (1.0 + 2.0**-40) + u * FLOOR
    pool[k, pixel_pool.EXPONENT], pool[k, pixel_pool.DONE] = shift, w[BORN + i] + w[FOLLOWED + i] + clock


@inner
def _without(pool, size):
    """Close the gaps that `done` pixels leave in `pool`; return how many are left."""
    left = 0
    for k in range(size):
        if pool[k, pixel_pool.DONE] != _PROVEN:
            if left < k:
                for j in range(pool.shape[1]):
                    pool[left, j] = pool[k, j]
            left += 1
    return left
