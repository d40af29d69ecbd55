"""Groups of pixels that are iterated around one reference orbit: skipped steps, steps without a test, and tests.

All pixels of a group share the index m into the reference, so that Z_m is one number for all of them. A pixel leaves
when it escapes, reaches the cap, has too large an error, or must be rebased (|z| < |dz|): then it waits, with dz = z,
for the next generation of groups, which starts at m = 0. One whose dz becomes far smaller than the others' also waits,
to continue from its present state.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic.jit import inner, kernel
from mandeldask.fractal.escape.arithmetic.power_of_two import power
from mandeldask.fractal.escape.fields import fields_at, smooth_at
from mandeldask.fractal.escape.perturbation import pixel_pool
from mandeldask.fractal.escape.perturbation.bla import BASE, longest_skip
from mandeldask.fractal.escape.perturbation.delta_edge import decide_at_edge
from mandeldask.fractal.escape.perturbation.delta_skip import (
    bla_skip,
    bla_skip_slope,
    step_without_bound,
    two_steps_without_bound,
)
from mandeldask.fractal.escape.perturbation.delta_slope import grow_slope_error, slope_step_without_bound
from mandeldask.fractal.escape.perturbation.delta_step import (
    CIRCLE,
    DC_X,
    DC_Y,
    DONE,
    GX,
    GY,
    MARK,
    NEAR_SQUARE,
    OPEN,
    PIXEL,
    REBASE,
    STAY,
    Q,
    S,
    X,
    Y,
    advance,
    advance_slope,
    classify,
    classify_at_zero,
    grow_error,
    moduli,
    pass_zero,
    rebase,
    replace,
    rescale,
    set_aside,
)
from mandeldask.fractal.escape.perturbation.group_loading import gather
from mandeldask.fractal.escape.perturbation.reference_orbit import TINY

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Flag, Floats, Ints
    from mandeldask.fractal.escape.perturbation.bla import Bilinear
    from mandeldask.fractal.escape.perturbation.delta_step import Bound

NO_SQUARE_EXPONENT = -450
"""Exponent of dz below which scale * w * w is negligible against 2 Z w, where |Z| >= 2^-300."""

TINY_EXPONENT = -150
"""Exponent of dz below which a step from |Z| < 2^-300 needs its own exponents."""

_TOO_SMALL = 100
"""log2 of the ratio to the largest |dz| below which a pixel leaves the group, whose exponent is too large for it."""

_SAFE_RATIO = 2.0**-5
"""Largest |dz / Z| for steps without a test."""


@kernel
def iterate_groups(
    w: Floats, pool: Floats, order: Ints, later: Floats, waiting: int, orbit: pixel_pool.Orbit, table: Bilinear,
    place: pixel_pool.Place, bound: Bound, maxiter: int, count_and_proven: Ints, fields: Floats | None,
    slopes: Floats | None, flag: Flag,
) -> int:  # fmt: skip
    """Iterate all groups of pixels around the reference until every pixel is done or waits.

    Parameters
    ----------
    w : float64, shape (SIZE,)
        A workspace for a group.
    pool : float64, shape (capacity, numbers by pixel)
        The pixels.
    order : int64, shape (pixels,)
        Their places in `pool`: neighbours of one m and similar dz make a group.
    later : float64, shape (capacity, numbers by pixel)
        Another pool, for those that wait.
    waiting : int
        Number of pixels that wait there already.
    whole, fields
        As `Answers` has them.
    slopes
        None where no derivative is needed, for counts and `smooth` alone.

    Returns
    -------
    int
        Number of pixels that wait there now, each at the m of its row.
    """
    orbit_x, orbit_y, tiny_at, edge_at = orbit.x, orbit.y, orbit.tiny_at, orbit.edge_at
    radius, first = table.radius, table.first
    last = orbit_x.size - 1
    begun = 0
    while begun < order.size:
        m, tiny, edge = int(pool[order[begun], pixel_pool.M]), 0, 0
        count, exponent = gather(w, pool, order, begun, place, slopes)
        begun += count
        most, deadline = moduli(w, count, bound), _deadline(w, count, maxiter)
        while count and not flag[0]:
            tiny, edge = _first_from(tiny_at, tiny, m), _first_from(edge_at, edge, m)
            if most > 2.0**60 or 0.0 < most < 2.0**-60:
                shift = max(math.frexp(most)[1], place.exponent - exponent - 60)
                rescale(w, count, shift)
                exponent, most = exponent + shift, most * power(-shift)
                count, waiting = _set_small_aside(w, count, exponent, later, waiting, m, bound, place.exponent, slopes)
            scale = power(exponent) if exponent > NO_SQUARE_EXPONENT else 0.0
            dc_scale = power(place.exponent - exponent)
            dc_size, spacing = place.most * dc_scale, place.spacing * dc_scale

            if m < deadline:
                entry, steps = longest_skip(radius, first, orbit_x, orbit_y, m, most, exponent)
                if steps:
                    most = _skip(w, count, table.maps[entry], steps, most, dc_scale, dc_size, spacing, bound, slopes)
                    m += steps
                    continue
                start = m
                m, most = _untested_steps(
                    w, count, orbit_x, orbit_y, m, most, exponent, scale, dc_scale, dc_size, spacing, bound, slopes
                )
                if m > start:
                    continue

            z_x, z_y, z_exponent = orbit_x[m], orbit_y[m], 0
            at_zero = tiny_at[tiny] == m and exponent < TINY_EXPONENT
            at_edge = edge_at[edge] == m
            if at_zero:
                z_x, z_y, z_exponent = orbit.tiny[tiny, 0], orbit.tiny[tiny, 1], orbit.tiny_exponent[tiny]
                classify_at_zero(w, count, z_x, z_y, z_exponent, exponent)
                leaving = count
            else:  # at m = 0 no pixel is rebased: there z is dz
                leaving = classify(w, count, z_x, z_y, scale, bound, NEAR_SQUARE if m else 4.0)
                if leaving and at_edge:
                    decide_at_edge(w, count, z_x, z_y, scale, bound, orbit.edge[edge], exponent)
            if leaving or m >= deadline or m == last:
                count, waiting = _remove_done(
                    w, count, later, waiting, m, last, z_x, z_y, z_exponent, scale, exponent,
                    orbit, place, bound, maxiter, count_and_proven, fields, slopes,
                )  # fmt: skip
                if not count:
                    break
                if m >= deadline:
                    deadline = _deadline(w, count, maxiter)
            if at_zero:
                after = _exponent_past_zero(z_x, z_y, z_exponent, exponent, most, place.exponent)
                pass_zero(w, count, z_x, z_y, z_exponent, exponent, after, place, bound, slopes)
                exponent = after
            else:
                _step(w, count, z_x, z_y, scale, dc_scale, dc_size, spacing, bound, slopes)
            most = moduli(w, count, bound)
            m += 1
    return waiting


@inner
def _deadline(w: Floats, count: int, maxiter: int) -> int:
    """Return the m at which the first pixel reaches the cap, or one before it."""
    latest = 0.0
    for i in range(count):
        latest = max(latest, w[DONE + i])
    return maxiter - int(latest)


@inner
def _first_from(indices: Ints, i: int, m: int) -> int:
    """Return the first position from `i` on with an index of at least m; the last of `indices` always is."""
    while indices[i] < m:
        i += 1
    return i


@inner
def _set_small_aside(
    w: Floats, count: int, exponent: int, later: Floats, waiting: int, m: int, bound: Bound, dc_exponent: int,
    fields: Floats | None,
) -> tuple[int, int]:  # fmt: skip
    """Move the pixels whose dz is far below the others' to the queue, at m; return (remaining, queued)."""
    for i in range(count - 1, -1, -1):
        size = max(abs(w[X + i]), abs(w[Y + i]), np.sqrt(w[S + i] / bound.u))
        shift = max(math.frexp(size)[1], dc_exponent - exponent)
        if shift < -_TOO_SMALL:
            set_aside(w, i, later, waiting, exponent, shift, bound, m, fields)
            waiting += 1
            count -= 1
            replace(w, i, count)
    return count, waiting


@inner
def _skip(
    w: Floats, count: int, maps: Floats, steps: int, most: float, dc_scale: float, dc_size: float, spacing: float,
    bound: Bound, fields: Floats | None,
) -> float:  # fmt: skip
    """Do the `steps` steps of a table entry, given its row of `maps`; return the new bound on |w|."""
    a_x, a_y, b_x, b_y, b_most = maps[0], maps[1], maps[2], maps[3], maps[4]
    if fields is not None:
        bla_skip_slope(w, count, a_x, a_y, b_x, b_y, b_most, steps, spacing, bound)
    a_most = np.hypot(a_x, a_y)
    grow_error(w, count, a_most * (1.0 + 2.0**-50), b_most, steps, dc_size, bound)
    bla_skip(w, count, a_x, a_y, b_x * dc_scale, b_y * dc_scale)
    return (a_most * most + b_most * dc_size) * (1.0 + 2.0**-20)


@inner
def _untested_steps(
    w: Floats, count: int, orbit_x: Floats, orbit_y: Floats, m: int, most: float, exponent: int, scale: float,
    dc_scale: float, dc_size: float, spacing: float, bound: Bound, fields: Floats | None,
) -> tuple[int, float]:  # fmt: skip
    """Do the steps that need no test, by `most`: no pixel can escape or need rebasing. Return m and the bound on |w|.

    It stops where a table entry may be used.
    """
    last = orbit_x.size - 1
    start, end = m, m
    a_most, b_most, bent = 1.0, 0.0, 0.0
    while end < last and 2.0**-90 < most < 2.0**90:
        modulus = np.sqrt(orbit_x[end] ** 2 + orbit_y[end] ** 2)
        size = scale * most
        if size > _SAFE_RATIO * modulus or modulus + size > CIRCLE or (modulus < TINY and exponent < TINY_EXPONENT):
            break
        growth = 2.0 * (modulus + size) * (1.0 + 2.0**-40)
        bent += 2.0 * scale * a_most / growth
        a_most, b_most = growth * a_most, growth * b_most + 1.0 + 2.0**-40
        most = ((2.0 * modulus + size) * most + dc_size) * (1.0 + 2.0**-40)
        end += 1
        if (end - 1) & ((1 << BASE) - 1) == 0:
            break
    if end == start:
        return m, most
    if fields is not None:
        grow_slope_error(w, count, a_most, b_most, bent, end - start, dc_size, spacing, bound)
    grow_error(w, count, a_most, b_most, end - start + 1, dc_size, bound)
    if fields is not None:
        for k in range(start, end):
            slope_step_without_bound(w, count, orbit_x[k], orbit_y[k], scale, dc_scale, spacing)
        return end, most
    while m + 1 < end:
        two_steps_without_bound(w, count, orbit_x[m], orbit_y[m], orbit_x[m + 1], orbit_y[m + 1], scale, dc_scale)
        m += 2
    if m < end:
        step_without_bound(w, count, orbit_x[m], orbit_y[m], scale, dc_scale)
    return end, most


@inner
def _step(
    w: Floats, count: int, z_x: float, z_y: float, scale: float, dc_scale: float, dc_size: float, spacing: float,
    bound: Bound, fields: Floats | None,
) -> None:  # fmt: skip
    """Do one step from Z = (z_x, z_y), also of the derivatives if they are computed."""
    if fields is not None:
        advance_slope(w, count, z_x, z_y, scale, spacing, bound)
    advance(w, count, z_x, z_y, scale, dc_scale, dc_size, bound)


@inner
def _remove_done(
    w: Floats, count: int, later: Floats, waiting: int, m: int, last: int, z_x: float, z_y: float, z_exponent: int,
    scale: float, exponent: int, orbit: pixel_pool.Orbit, place: pixel_pool.Place, bound: Bound, maxiter: int,
    count_and_proven: Ints, fields: Floats | None, slopes: Floats | None,
) -> tuple[int, int]:  # fmt: skip
    """Remove pixels that escaped, hit maxiter, need rebasing or are undecided; return (remaining, queued)."""
    error = orbit.error if m == last else 0.0
    for i in range(count - 1, -1, -1):
        n, mark, pixel = w[DONE + i] + m, w[MARK + i], int(w[PIXEL + i])
        stays = mark == STAY or mark == REBASE  # noqa: PLR1714  a tuple would have to be compiled
        if mark == STAY and n < maxiter and m < last:
            continue
        if n > maxiter or (n == maxiter and stays):
            count_and_proven[0, pixel], count_and_proven[1, pixel] = maxiter, True
        elif stays:
            rebase(w, i, later, waiting, exponent, z_x, z_y, z_exponent, bound, error, orbit.error_exponent, m, slopes)
            waiting += 1
        elif mark == OPEN:
            count_and_proven[0, pixel] = n
        else:
            count_and_proven[0, pixel], count_and_proven[1, pixel] = n - 1, True
            if fields is not None and slopes is None:
                reach = power(place.exponent)
                smooth = smooth_at(
                    n, z_x + scale * w[X + i], z_y + scale * w[Y + i], scale * np.sqrt(w[S + i] / bound.u),
                    orbit.x[1] + reach * w[DC_X + i], orbit.y[1] + reach * w[DC_Y + i], place.worst,
                )  # fmt: skip
                fields[0, pixel] = smooth
                count_and_proven[1, pixel] = not np.isnan(smooth)
            if slopes is not None:
                reach = power(place.exponent)
                smooth, distance = fields_at(
                    n, z_x + scale * w[X + i], z_y + scale * w[Y + i], scale * np.sqrt(w[S + i] / bound.u),
                    orbit.x[1] + reach * w[DC_X + i], orbit.y[1] + reach * w[DC_Y + i],
                    w[GX + i], w[GY + i], np.sqrt(w[Q + i]), exponent, place.spacing * power(place.exponent - exponent),
                    place.worst, place.worst_slope,
                )  # fmt: skip
                fields[0, pixel], fields[1, pixel] = smooth, distance  # type: ignore[index]  # there are fields too
                count_and_proven[1, pixel] = not (np.isnan(smooth) or np.isnan(distance))
        count -= 1
        replace(w, i, count)
    return count, waiting


@inner
def _exponent_past_zero(z_x: float, z_y: float, z_exponent: int, exponent: int, most: float, dc_exponent: int) -> int:
    """Return the exponent after a step from a Z that may underflow: that of the largest of 2 Z dz, dz^2 and dc."""
    after = dc_exponent
    if most > 0.0:
        w_exponent = math.frexp(most)[1]
        after = max(after, 2 * (exponent + w_exponent))
        if z_x != 0.0 or z_y != 0.0:
            after = max(after, z_exponent + exponent + w_exponent + 2)
    return after
