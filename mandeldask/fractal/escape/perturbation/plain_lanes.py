"""Orbits that have left their reference, in plain lanes until they escape or come near 0 again.

A reference gains nothing while ``|dz|`` is no smaller than ``|z|``. Most pixels then escape soon. One that comes near 0
waits there to be rebased, and one whose error becomes too large keeps its earlier state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic.float64_step import (
    DERIVATIVE_GROWTH,
    DERIVATIVE_SHARE,
    GROWTH,
    ROUNDING,
    SCALE,
    STEPS,
    differentiate_in_units,
    is_undecided,
    iterate,
    next_slope_bound,
    slope_square,
)
from mandeldask.fractal.escape.arithmetic.jit import inner, kernel
from mandeldask.fractal.escape.arithmetic.layout import Layout
from mandeldask.fractal.escape.arithmetic.power_of_two import exponent_above, power
from mandeldask.fractal.escape.fields import FAR_OUT, bounds_after, distance, smooth, step, tolerated
from mandeldask.fractal.escape.perturbation import pixel_pool
from mandeldask.fractal.escape.perturbation.delta_step import FLOOR, NEAR_SQUARE, NEAR_ZERO, PLAIN_RATIO

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Flag, Floats, Ints

LANES = 256
"""Pixels iterated at a time."""

ROWS = Layout.of("X Y S CX CY START PLACE OLD_X OLD_Y OLD_S NEAREST LEAVING", LANES + 8).then(
    "GX GY Q OLD_GX OLD_GY OLD_Q ONE UNIT"
)
X, Y, S, CX, CY, START, PLACE, OLD_X, OLD_Y, OLD_S, NEAREST, LEAVING = ROWS.offsets[:12]
"""NEAREST is the least |2z|^2 of a batch; for a lane that left, that of its present z."""
GX, GY, Q, OLD_GX, OLD_GY, OLD_Q, ONE, UNIT = ROWS.offsets[12:]
"""With slopes: dz/d(pixel) in units of 2^UNIT, at least 1 at first; its Q; and what a step adds to it, below 1/4."""
SIZE = ROWS.size
ROLLED_BACK = ROWS.renamed(
    OLD_X="STEPS_SINCE", OLD_Y="COUNT", OLD_S="R", OLD_GX="SMOOTH", OLD_GY="DISTANCE", OLD_Q="KNOWN"
)
STEPS_SINCE, COUNT, R, SMOOTH, DISTANCE, KNOWN = ROLLED_BACK.rows("STEPS_SINCE COUNT R SMOOTH DISTANCE KNOWN")
"""For lanes that left, which need no backup: the iterations done since; and for those that escape, the count, a bound R
on the error of z, the fields far out, and whether they are proven."""
_PROVEN = -1.0
"""Marks a pixel of a pool, in place of its iterations."""


@kernel
def iterate_plain(
    w: Floats, rolled_back: Floats, pool: Floats, size: int, c_x: Floats, c_y: Floats, maxiter: int, u: float,
    count_and_proven: Ints, fields: Floats | None, slopes: Floats | None, place: pixel_pool.Place, flag: Flag,
) -> int:  # fmt: skip
    """Iterate the first `size` pixels of `pool`, if a reference gains nothing for them; return how many remain in it.

    Removes those whose counts are proven, and advances others until they come near 0. `w` and `rolled_back` are
    workspaces; `c_x` and `c_y` are the parts of c rounded to float64, by column and by row. Where `fields` are wanted,
    a count is proven only with them; `slopes` is None for `smooth` alone.
    """
    active = following = clock = 0
    while not flag[0]:
        if active <= LANES // 2:
            active, following = _enter(pool, size, c_x, c_y, u, following, clock, w, active, slopes, place)
        if active == 0:
            break
        if slopes is None:
            _advance(w, active)
        else:
            _advance_slopes(w, active)
        _mark_leaving(w, active, maxiter - clock - STEPS)
        active, left = _roll_back(w, active, rolled_back, slopes)
        if left:
            _step_to_last_inside(rolled_back, left, slopes)
            escaping = 0
            for i in range(left):
                k, n = int(rolled_back[PLACE + i]), _proven_count(rolled_back, i, clock, maxiter)
                if fields is not None and 0 <= n < maxiter:
                    _start_to_far_out(rolled_back, i, escaping, n, slopes)
                    escaping += 1
                elif n >= 0:
                    _prove(pool, k, n, count_and_proven)
                elif rolled_back[NEAREST + i] < 4.0 * NEAR_SQUARE:
                    _return_to_pool(rolled_back, i, clock, u, pool, k, slopes)
                else:
                    pool[k, pixel_pool.RATIO] = 1.0
            if fields is not None:
                _to_far_out(rolled_back, escaping, slopes, place)
                for i in range(escaping):
                    k, n = int(rolled_back[PLACE + i]), int(rolled_back[COUNT + i])
                    if rolled_back[KNOWN + i] > 0.0:
                        _prove(pool, k, n, count_and_proven)
                        pixel = int(pool[k, pixel_pool.PIXEL])
                        fields[0, pixel], fields[1, pixel] = rolled_back[SMOOTH + i], rolled_back[DISTANCE + i]
                    else:
                        pool[k, pixel_pool.RATIO] = 1.0
        clock += STEPS
    return _close_gaps(pool, size)


@inner
def _enter(
    pool: Floats, size: int, c_x: Floats, c_y: Floats, u: float, following: int, clock: int, w: Floats, active: int,
    slopes: Floats | None, place: pixel_pool.Place,
) -> tuple[int, int]:  # fmt: skip
    """Append the next pixels; return the numbers of active lanes and of the next pixel."""
    while following < size and active < LANES:
        k = following
        following += 1
        exponent = int(pool[k, pixel_pool.EXPONENT])
        if exponent <= NEAR_ZERO or pool[k, pixel_pool.RATIO] < PLAIN_RATIO:
            continue
        scale, pixel = 2.0 * power(exponent), int(pool[k, pixel_pool.PIXEL])
        row = pixel // c_x.size
        w[X + active], w[Y + active] = scale * pool[k, pixel_pool.X], scale * pool[k, pixel_pool.Y]
        w[S + active] = SCALE / u * scale * scale * pool[k, pixel_pool.S] * (1.0 + 2.0**-40) + ROUNDING
        w[CX + active], w[CY + active] = 2.0 * c_x[pixel - row * c_x.size], 2.0 * c_y[row]
        w[START + active], w[PLACE + active] = pool[k, pixel_pool.DONE] - clock, k
        if slopes is not None:
            _enter_slope(w, active, pool[k], exponent, place)
        active += 1
    return active, following


@inner
def _enter_slope(w: Floats, i: int, start: Floats, exponent: int, place: pixel_pool.Place) -> None:
    """Set the derivative of lane `i`, in units in which it is 1 to 2."""
    largest = max(abs(start[pixel_pool.GX]), abs(start[pixel_pool.GY]), 2.0**-900)
    unit = exponent + exponent_above(largest) - 1
    unit = max(unit, place.exponent + exponent_above(place.spacing) + 2)
    factor = power(exponent - unit)
    w[GX + i], w[GY + i] = start[pixel_pool.GX] * factor, start[pixel_pool.GY] * factor
    w[Q + i] = 2.0 * start[pixel_pool.Q] * factor * factor + FLOOR
    w[ONE + i], w[UNIT + i] = place.spacing * power(place.exponent - unit), unit


@inner
def _advance(w: Floats, active: int) -> None:
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
def _advance_slopes(w: Floats, active: int) -> None:
    """Do what `_advance` does, with derivatives."""
    for i in range(active):
        w[OLD_X + i], w[OLD_Y + i], w[OLD_S + i] = w[X + i], w[Y + i], w[S + i]
        w[OLD_GX + i], w[OLD_GY + i], w[OLD_Q + i] = w[GX + i], w[GY + i], w[Q + i]
        w[S + i] *= GROWTH
        w[Q + i] *= DERIVATIVE_GROWTH
        w[NEAREST + i] = 16.0
    for _ in range(STEPS // 2):
        for i in range(active):
            x, y, s, cx, cy = w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i]
            gx, gy, one = w[GX + i], w[GY + i], w[ONE + i]
            q, p = next_slope_bound(x, y, s, w[Q + i], slope_square(gx, gy))
            gx, gy = differentiate_in_units(x, y, gx, gy, one)
            x, y, s = iterate(x, y, s, cx, cy)
            nearest = min(w[NEAREST + i], x * x + y * y)
            w[Q + i], _ = next_slope_bound(x, y, s, q, p)
            w[GX + i], w[GY + i] = differentiate_in_units(x, y, gx, gy, one)
            x, y, s = iterate(x, y, s, cx, cy)
            w[NEAREST + i] = min(nearest, x * x + y * y)
            w[X + i], w[Y + i], w[S + i] = x, y, s


@inner
def _mark_leaving(w: Floats, active: int, last: int) -> None:
    """Mark as LEAVING the lanes not surely inside, those that were near 0, and those that have reached the cap."""
    for i in range(active):
        m = w[X + i] * w[X + i] + w[Y + i] * w[Y + i]
        stays = (
            (m < 16.0) & (not is_undecided(m, w[S + i])) & (w[START + i] < last) & (w[NEAREST + i] >= 4.0 * NEAR_SQUARE)
        )
        w[LEAVING + i] = 0.0 if stays else 1.0


@inner
def _roll_back(w: Floats, active: int, rolled_back: Floats, slopes: Floats | None) -> tuple[int, int]:
    """Move leaving lanes, rolled back, to `rolled_back`; return how many stay and how many leave."""
    size = 0
    for i in range(active - 1, -1, -1):
        if w[LEAVING + i] > 0.0:
            active -= 1
            rolled_back[X + size], rolled_back[Y + size], rolled_back[S + size] = (
                w[OLD_X + i],
                w[OLD_Y + i],
                w[OLD_S + i],
            )
            w[X + i], w[Y + i], w[S + i] = w[X + active], w[Y + active], w[S + active]
            for row in (CX, CY, START, PLACE):
                rolled_back[row + size] = w[row + i]
                w[row + i] = w[row + active]
            if slopes is not None:
                rolled_back[GX + size], rolled_back[GY + size], rolled_back[Q + size] = (
                    w[OLD_GX + i],
                    w[OLD_GY + i],
                    w[OLD_Q + i],
                )
                rolled_back[ONE + size], rolled_back[UNIT + size] = w[ONE + i], w[UNIT + i]
                for row in (GX, GY, Q, ONE, UNIT):
                    w[row + i] = w[row + active]
            size += 1
    return active, size


@inner
def _proven_count(w: Floats, i: int, clock: int, maxiter: int) -> int:
    """Return the count of lane `i` if it is surely inside now and surely outside after the next step; otherwise -1."""
    x, y, s = w[X + i], w[Y + i], w[S + i]
    n = int(w[START + i] + w[STEPS_SINCE + i]) + clock
    m = x * x + y * y
    if is_undecided(m, s) or not m < 16.0:
        return -1
    if n >= maxiter:
        return maxiter
    x, y, s = iterate(x, y, s * GROWTH, w[CX + i], w[CY + i])
    m = x * x + y * y
    return n if m > 16.0 and not is_undecided(m, s) else -1


@inner
def _prove(pool: Floats, k: int, n: int, count_and_proven: Ints) -> None:
    """Write the count of slot `k` of the pool, which is free then."""
    pixel = int(pool[k, pixel_pool.PIXEL])
    count_and_proven[0, pixel], count_and_proven[1, pixel] = n, True
    pool[k, pixel_pool.DONE] = _PROVEN


@inner
def _start_to_far_out(w: Floats, i: int, j: int, n: int, slopes: Floats | None) -> None:
    """Move lane `i`, at its last iterate n within |z| <= 2, to `j`: z, c and bounds are no longer doubled."""
    w[X + j], w[Y + j], w[CX + j], w[CY + j] = 0.5 * w[X + i], 0.5 * w[Y + i], 0.5 * w[CX + i], 0.5 * w[CY + i]
    w[R + j], w[PLACE + j], w[COUNT + j] = 0.5 * np.sqrt(w[S + i] / SCALE), w[PLACE + i], n
    if slopes is not None:
        w[GX + j], w[GY + j], w[Q + j] = w[GX + i], w[GY + i], np.sqrt(DERIVATIVE_SHARE * w[Q + i])
        w[ONE + j], w[UNIT + j] = w[ONE + i], w[UNIT + i]


@inner
def _to_far_out(w: Floats, size: int, slopes: Floats | None, place: pixel_pool.Place) -> None:
    """Iterate lanes until all are far out, as `fields_at` does with one; write their fields, and which are KNOWN."""
    for i in range(size):
        w[STEPS_SINCE + i] = 0.0
    going = size
    while going > 0:  # next to -2 an orbit may seem to stay
        going = 0
        for i in range(size):
            x, y, c_x, c_y, r = w[X + i], w[Y + i], w[CX + i], w[CY + i], w[R + i]
            square, c2 = x * x + y * y, c_x * c_x + c_y * c_y
            goes = (square <= FAR_OUT * (1.0 + c2)) & (r * r < square)
            if slopes is None:
                g_x = g_y = q = one = 0.0
            else:
                g_x, g_y, q, one = w[GX + i], w[GY + i], w[Q + i], w[ONE + i]
            next_r, next_q = bounds_after(square, c2, g_x, g_y, r, q, one)
            next_x, next_y, next_g_x, next_g_y = step(x, y, c_x, c_y, g_x, g_y, one)
            w[X + i], w[Y + i] = next_x if goes else x, next_y if goes else y
            w[R + i] = next_r if goes else r
            w[STEPS_SINCE + i] += 1.0 if goes else 0.0
            going += 1 if goes else 0
            if slopes is not None:
                w[GX + i], w[GY + i] = next_g_x if goes else g_x, next_g_y if goes else g_y
                w[Q + i] = next_q if goes else q
    for i in range(size):
        n, square, r = w[COUNT + i] + w[STEPS_SINCE + i], w[X + i] * w[X + i] + w[Y + i] * w[Y + i], w[R + i]
        w[SMOOTH + i], w[DISTANCE + i] = smooth(n, square), 0.0
        if slopes is None:
            known = r * r < max(place.worst, tolerated(n)) * square
        else:
            slope = w[GX + i] * w[GX + i] + w[GY + i] * w[GY + i]
            w[DISTANCE + i] = distance(square, slope) * power(-int(w[UNIT + i]))
            known = (r * r < place.worst * square) & (w[Q + i] * w[Q + i] < place.worst_slope * slope)
        w[KNOWN + i] = 1.0 if known else 0.0


@inner
def _step_to_last_inside(w: Floats, size: int, slopes: Floats | None) -> None:
    """Advance lanes to the first of the next iterates that is near 0, or to the last within |z| <= 2.

    Writes the number of steps to STEPS_SINCE, and |z|^2 there to NEAREST.
    """
    if slopes is not None:
        for i in range(size):
            w[Q + i] *= DERIVATIVE_GROWTH
    for i in range(size):
        w[S + i] *= GROWTH
        w[STEPS_SINCE + i] = 0.0
        w[NEAREST + i] = 16.0
    for _ in range(STEPS):
        for i in range(size):
            x, y, s = iterate(w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i])
            m = x * x + y * y
            goes = (m < 16.0) & (w[NEAREST + i] >= 4.0 * NEAR_SQUARE)
            if slopes is not None:
                gx, gy = w[GX + i], w[GY + i]
                q, _ = next_slope_bound(w[X + i], w[Y + i], w[S + i], w[Q + i], slope_square(gx, gy))
                next_gx, next_gy = differentiate_in_units(w[X + i], w[Y + i], gx, gy, w[ONE + i])
                w[GX + i] = next_gx if goes else gx
                w[GY + i] = next_gy if goes else gy
                w[Q + i] = q if goes else w[Q + i]
            w[X + i] = x if goes else w[X + i]
            w[Y + i] = y if goes else w[Y + i]
            w[S + i] = s if goes else w[S + i]
            w[NEAREST + i] = m if goes else w[NEAREST + i]
            w[STEPS_SINCE + i] += 1.0 if goes else 0.0


@inner
def _return_to_pool(w: Floats, i: int, clock: int, u: float, pool: Floats, k: int, slopes: Floats | None) -> None:
    """Write lane `i`, near 0, to slot `k` of the pool."""
    x, y = 0.5 * w[X + i], 0.5 * w[Y + i]
    shift = exponent_above(max(abs(x), abs(y), 2.0**-60))
    factor = power(-shift)
    pool[k, pixel_pool.X], pool[k, pixel_pool.Y] = x * factor, y * factor
    pool[k, pixel_pool.S] = 0.25 * u / SCALE * w[S + i] * factor * factor * (1.0 + 2.0**-40) + u * FLOOR
    pool[k, pixel_pool.EXPONENT], pool[k, pixel_pool.DONE] = shift, w[START + i] + w[STEPS_SINCE + i] + clock
    if slopes is not None:
        factor = power(int(w[UNIT + i]) - shift)
        pool[k, pixel_pool.GX], pool[k, pixel_pool.GY] = w[GX + i] * factor, w[GY + i] * factor
        lost = DERIVATIVE_SHARE * w[Q + i] * factor * factor * (1.0 + 2.0**-40) + FLOOR
        pool[k, pixel_pool.Q] = lost if factor > 0.0 else np.inf


@inner
def _close_gaps(pool: Floats, size: int) -> int:
    """Close the gaps that `done` pixels leave in `pool`; return how many are left."""
    left = 0
    for k in range(size):
        if pool[k, pixel_pool.DONE] != _PROVEN:
            if left < k:
                for j in range(pool.shape[1]):
                    pool[left, j] = pool[k, j]
            left += 1
    return left
