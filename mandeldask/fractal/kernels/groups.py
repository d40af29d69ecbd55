"""Groups of pixels that follow one reference orbit in step: leaps, safe steps, and looks at who must leave.

All pixels of a group share the index m into the reference, so that Z_m is one number for all of them. A pixel leaves
when it escapes, when it reaches the cap, when its error grows past use, or when it must be rebased (|z| < |dz|): then
it waits, with dz = z, for the next generation of groups, which starts at m = 0. One whose dz falls far behind the
others' waits too, to go on from where it is.

Rows of a group are taken by index: unpacked, numba forgets that they are contiguous, and a step takes four times as
long.
"""

from __future__ import annotations

import math

import numpy as np

from mandeldask.fractal.kernels.bilinear import BASE, longest_leap
from mandeldask.fractal.kernels.compiled import inner, kernel
from mandeldask.fractal.kernels.delta import (
    CIRCLE,
    FLOOR,
    NEAR,
    OUT,
    REBASE,
    STAY,
    advance,
    advance_slope,
    classify,
    classify_at_edge,
    classify_at_zero,
    edge_in_units,
    leap,
    leap_slope,
    lose,
    moduli,
    move,
    move_twice,
    pass_zero,
    rebase,
    rescale,
    set_aside,
)
from mandeldask.fractal.kernels.escape import fields_at
from mandeldask.fractal.kernels.exponents import power
from mandeldask.fractal.kernels.pixels import APART, DONE, EXPONENT, GX, GY, PIXEL, M, Q, S, X, Y
from mandeldask.fractal.reference import TINY

GROUP = 512
"""Pixels in a group: what a step touches of them fits a level-1 cache of 32 KiB."""

DEEP = -450
"""Exponent of dz below which scale * w * w is nothing beside 2 Z w, where |Z| >= 2^-300."""

TINY_EXPONENT = -150
"""Exponent of dz below which a step past |Z| < 2^-300 needs exponents of its own."""

SPREAD = 64
"""Binary orders of magnitude that dz may cover in a group when it begins."""

_FAR_BEHIND = 100
"""Orders of magnitude below the largest dz at which a pixel leaves the group, whose exponent serves it badly."""

_PADDING = 8
"""Numbers between the rows of a group: rows a power of two apart would share lines of the cache."""

_SAFE = 2.0**-5
"""|dz / Z| up to which steps are taken without a look."""


@kernel
def arrange(pool, size):
    """Return the places of the first `size` pixels of `pool` in groups as `follow` takes them: of one m, similar dz."""
    order, exponents, ms = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    for i in range(size):
        order[i], exponents[i], ms[i] = i, int(pool[i, EXPONENT]), int(pool[i, M])
    order = _sorted(_sorted(order, exponents), ms)
    groups = np.zeros((2, size + 1), np.int64)
    parts, m, magnitude = 0, -1, 0
    for k in range(size):
        i = order[k]
        if ms[i] != m or exponents[i] // SPREAD != magnitude or k - groups[0, parts - 1] == GROUP:
            m, magnitude = ms[i], exponents[i] // SPREAD
            groups[0, parts], groups[1, parts] = k, m
            parts += 1
    groups[0, parts] = size
    return order, groups[:, : parts + 1].copy()


@inner
def _sorted(order, keys):
    """Return the places `order` sorted by their whole numbers `keys`; equal ones stay in order."""
    lowest = highest = keys[0] if keys.size else 0
    for key in keys:
        lowest, highest = min(lowest, key), max(highest, key)
    if lowest == highest:
        return order
    following = np.zeros(highest - lowest + 2, np.int64)
    for key in keys:
        following[key - lowest + 1] += 1
    for k in range(1, following.size):
        following[k] += following[k - 1]
    placed = np.empty(order.size, np.int64)
    for i in order:
        placed[following[keys[i] - lowest]] = i
        following[keys[i] - lowest] += 1
    return placed


@kernel
def follow(pool, order, groups, later, waiting, orbit, table, place, bound, maxiter, answers, flag):
    """Follow the reference with all groups of pixels until all have left.

    Parameters
    ----------
    pool : float64, shape (capacity, numbers by pixel)
        The pixels.
    order : int64, shape (pixels,)
        Their places in `pool`, group after group.
    groups : int64, shape (2, groups + 1)
        Group k has ``order[groups[0, k] : groups[0, k + 1]]``, which are at Z_m with ``m = groups[1, k]``.
    later : float64, shape (capacity, numbers by pixel)
        Another pool, for those that wait.
    waiting : int
        How many wait there already.

    Returns
    -------
    int
        How many wait there now, each at the m of its row.
    """
    for k in range(groups.shape[1] - 1):
        some = order[groups[0, k] : groups[0, k + 1]]
        waiting = _follow(pool, some, groups[1, k], later, waiting, orbit, table, place, bound, maxiter, answers, flag)
    return waiting


@inner
def _follow(pool, some, m, later, waiting, orbit, table, place, bound, maxiter, answers, flag):
    """Follow the reference from Z_m with the pixels ``pool[some]``; return how many wait in `later`."""
    slopes = answers.fields.size > 0
    real, whole, exponent = _gathered(pool, some, place, slopes)
    w_x, w_y, s, apart = real[0], real[1], real[2], real[8]
    orbit_x, orbit_y, tiny_at, edge_at = orbit.x, orbit.y, orbit.tiny_at, orbit.edge_at
    radius, first = table.radius, table.first
    dc_exponent, dc_most, spacing = place.exponent, place.most, place.spacing
    count = some.size
    mark = np.empty(count, np.int64)
    most = moduli(w_x, w_y, s, count, bound)
    deadline = _deadline(whole, count, maxiter)
    last = orbit_x.size - 1
    tiny = edge = 0
    while count and not flag[0]:
        tiny, edge = _next(tiny_at, tiny, m), _next(edge_at, edge, m)
        if most > 2.0**60 or 0.0 < most < 2.0**-60:
            exponent, most = _rescaled(real, count, exponent, most, dc_exponent)
            count, waiting = _leave_behind(real, whole, count, exponent, later, waiting, m, bound, dc_exponent, slopes)
        scale = power(exponent) if exponent > DEEP else 0.0
        dc_scale = power(dc_exponent - exponent)
        dc_size = dc_most * dc_scale

        if m < deadline:
            entry, steps = longest_leap(radius, first, orbit_x, orbit_y, m, most, exponent)
            if steps:
                most = _leap(real, count, table, entry, steps, most, dc_scale, dc_size, spacing, bound, slopes)
                m += steps
                continue
            start = m
            m, most = _safe_steps(
                real, count, orbit_x, orbit_y, m, most, exponent, scale, dc_scale, dc_size, spacing, bound, slopes
            )
            if m > start:
                continue

        z_x, z_y, z_exponent = orbit_x[m], orbit_y[m], 0
        near = NEAR if m else 4.0  # at m = 0 nobody is rebased: there z is dz
        at_zero = tiny_at[tiny] == m and exponent < TINY_EXPONENT
        at_edge = edge_at[edge] == m
        if at_zero:
            z_x, z_y, z_exponent = orbit.tiny[tiny, 0], orbit.tiny[tiny, 1], orbit.tiny_exponent[tiny]
            classify_at_zero(w_x, w_y, count, z_x, z_y, z_exponent, exponent, mark)
        elif at_edge:
            excess, error = edge_in_units(orbit, edge, exponent)
            classify_at_edge(w_x, w_y, s, apart, count, z_x, z_y, scale, bound, near, mark, excess, error)
        leaving = at_zero or at_edge or classify(w_x, w_y, s, apart, count, z_x, z_y, scale, bound, near, mark) > 0
        if leaving or m >= deadline or m == last:
            count, waiting = _let_go(
                real, whole, count, mark, later, waiting, m, z_x, z_y, z_exponent, scale, exponent,
                orbit, place, bound, maxiter, answers,
            )  # fmt: skip
            if not count:
                break
            if m >= deadline:
                deadline = _deadline(whole, count, maxiter)
        if at_zero:
            exponent = _step_past_zero(real, count, z_x, z_y, z_exponent, exponent, most, place, bound)
        else:
            _step(real, count, z_x, z_y, scale, dc_scale, dc_size, spacing, bound, slopes)
        most = moduli(w_x, w_y, s, count, bound)
        m += 1
    return waiting


@inner
def _deadline(whole, count, maxiter):
    """Return the m at which the first pixel comes to the cap, or one before it."""
    latest = 0
    for i in range(count):
        latest = max(latest, whole[0, i])
    return maxiter - latest


@inner
def _next(indices, i, m):
    """Return the first place from `i` on whose index is not before m; the last of `indices` never is."""
    while indices[i] < m:
        i += 1
    return i


@inner
def _rescaled(real, count, exponent, most, dc_exponent):
    """Bring w, which nears float64's ends, back to its middle; return the new exponent and the bound on |w|."""
    shift = max(int(np.ceil(np.log2(most))), dc_exponent - exponent - 60)
    rescale(real[0], real[1], real[2], real[3], real[4], real[5], count, shift)
    return exponent + shift, most * power(-shift)


@inner
def _leave_behind(real, whole, count, exponent, later, waiting, m, bound, dc_exponent, slopes):
    """Take out the pixels whose dz is far below the others', to wait at m; return how many stay and wait."""
    for i in range(count - 1, -1, -1):
        size = max(abs(real[0, i]), abs(real[1, i]), np.sqrt(real[2, i] / bound.u))
        shift = max(math.frexp(size)[1], dc_exponent - exponent)
        if shift < -_FAR_BEHIND:
            set_aside(real, whole, i, later, waiting, exponent, shift, bound, m, slopes)
            waiting += 1
            count -= 1
            _replace(real, whole, i, count)
    return count, waiting


@inner
def _replace(real, whole, i, last):
    """Put pixel `last` into the place of pixel `i`."""
    for row in range(9):
        real[row, i] = real[row, last]
    for row in range(2):
        whole[row, i] = whole[row, last]


@inner
def _leap(real, count, table, entry, steps, most, dc_scale, dc_size, spacing, bound, slopes):
    """Do the `steps` steps of an entry of the table at once; return the new bound on |w|."""
    a_x, a_y, b_x, b_y = table.a_x[entry], table.a_y[entry], table.b_x[entry], table.b_y[entry]
    b_most = table.b_most[entry]
    if slopes:
        leap_slope(real[3], real[4], real[5], count, a_x, a_y, b_x, b_y, b_most, steps, spacing * dc_scale, bound)
    a_most = np.hypot(a_x, a_y)
    lose(real[0], real[1], real[2], count, a_most * (1.0 + 2.0**-50), b_most, steps, dc_size, bound)
    leap(real[0], real[1], real[6], real[7], count, a_x, a_y, b_x * dc_scale, b_y * dc_scale)
    return (a_most * most + b_most * dc_size) * (1.0 + 2.0**-20)


@inner
def _safe_steps(real, count, orbit_x, orbit_y, m, most, exponent, scale, dc_scale, dc_size, spacing, bound, slopes):
    """Do the steps that `most` shows to be safe: nobody can escape or need rebasing. Return m and the bound on |w|.

    Stops where a leap may begin.
    """
    last = orbit_x.size - 1
    start, end = m, m
    a_most, b_most = 1.0, 0.0
    while end < last and 2.0**-90 < most < 2.0**90:
        modulus = np.sqrt(orbit_x[end] ** 2 + orbit_y[end] ** 2)
        size = scale * most
        if size > _SAFE * modulus or modulus + size > CIRCLE or (modulus < TINY and exponent < TINY_EXPONENT):
            break
        growth = 2.0 * (modulus + size) * (1.0 + 2.0**-40)
        a_most, b_most = growth * a_most, growth * b_most + 1.0 + 2.0**-40
        most = ((2.0 * modulus + size) * most + dc_size) * (1.0 + 2.0**-40)
        end += 1
        if (end - 1) & ((1 << BASE) - 1) == 0:
            break
    if end == start:
        return m, most
    if slopes:
        for k in range(start, end):
            _step(real, count, orbit_x[k], orbit_y[k], scale, dc_scale, dc_size, spacing, bound, slopes)
        return end, most
    w_x, w_y, dc_x, dc_y = real[0], real[1], real[6], real[7]
    lose(w_x, w_y, real[2], count, a_most, b_most, end - start + 1, dc_size, bound)
    while m + 1 < end:
        move_twice(w_x, w_y, dc_x, dc_y, count, orbit_x[m], orbit_y[m], orbit_x[m + 1], orbit_y[m + 1], scale, dc_scale)
        m += 2
    if m < end:
        move(w_x, w_y, dc_x, dc_y, count, orbit_x[m], orbit_y[m], scale, dc_scale)
    return end, most


@inner
def _step(real, count, z_x, z_y, scale, dc_scale, dc_size, spacing, bound, slopes):
    """Do one step past Z = (z_x, z_y), of the derivatives too where they are followed."""
    w_x, w_y, s = real[0], real[1], real[2]
    if slopes:
        advance_slope(real[3], real[4], real[5], w_x, w_y, s, count, z_x, z_y, scale, spacing * dc_scale, bound)
    advance(w_x, w_y, s, real[6], real[7], count, z_x, z_y, scale, dc_scale, dc_size, bound)


@inner
def _let_go(
    real, whole, count, mark, later, waiting, m, z_x, z_y, z_exponent, scale, exponent,
    orbit, place, bound, maxiter, answers,
):  # fmt: skip
    """Take out the pixels that leave at Z_m; return how many stay and wait."""
    last = orbit.x.size - 1
    error = orbit.error if m == last else 0.0
    for i in range(count - 1, -1, -1):
        if mark[i] == STAY and whole[0, i] + m < maxiter and m < last:
            continue
        if _answered(real, whole, i, m, mark[i], z_x, z_y, scale, exponent, orbit, place, bound, maxiter, answers):
            rebase(
                real, whole, i, later, waiting, exponent, z_x, z_y, z_exponent, bound, error, orbit.error_exponent, m,
                answers.fields.size > 0,
            )  # fmt: skip
            waiting += 1
        count -= 1
        _replace(real, whole, i, count)
    return count, waiting


@inner
def _gathered(pool, some, place, slopes):
    """Return the rows of the pixels ``pool[some]`` under one exponent, and that."""
    count, width = some.size, place.dc_x.size
    exponent = place.exponent
    for i in some:
        exponent = max(exponent, int(pool[i, EXPONENT]))
    real = np.zeros((9, count + _PADDING))
    whole = np.empty((2, count), np.int64)
    their_exponent, factor = exponent, 1.0
    for k in range(count):
        i = some[k]
        if pool[i, EXPONENT] != their_exponent:
            their_exponent = int(pool[i, EXPONENT])
            factor = power(their_exponent - exponent)
        real[0, k], real[1, k] = pool[i, X] * factor, pool[i, Y] * factor
        real[2, k], real[8, k] = pool[i, S] * factor * factor, pool[i, APART]
        whole[0, k], whole[1, k] = int(pool[i, DONE]), int(pool[i, PIXEL])
        row = whole[1, k] // width
        real[6, k], real[7, k] = place.dc_x[whole[1, k] - row * width], place.dc_y[row]
        if slopes:
            real[3, k], real[4, k] = pool[i, GX] * factor, pool[i, GY] * factor
            lost = factor == 0.0 and pool[i, Q] > 0.0
            real[5, k] = np.inf if lost else pool[i, Q] * factor * factor + FLOOR
    return real, whole, exponent


@inner
def _step_past_zero(real, count, z_x, z_y, z_exponent, exponent, most, place, bound):
    """Do one step past a Z that float64 may not hold; return the new exponent.

    It is that of the largest of 2 Z dz, dz^2 and dc.
    """
    after = place.exponent
    if most > 0.0:
        w_exponent = math.frexp(most)[1]
        after = max(after, 2 * (exponent + w_exponent))
        if z_x != 0.0 or z_y != 0.0:
            after = max(after, z_exponent + exponent + w_exponent + 2)
    dc_scale = power(place.exponent - after)
    for i in range(count):
        pass_zero(real, i, z_x, z_y, z_exponent, exponent, after, dc_scale, place, bound)
    return after


@inner
def _answered(real, whole, i, m, what, z_x, z_y, scale, exponent, orbit, place, bound, maxiter, answers):
    """Write what is known of a pixel that leaves; return whether it must wait to be rebased instead."""
    pixel, done = whole[1, i], whole[0, i] + m
    if done > maxiter or (done == maxiter and what in (STAY, REBASE)):
        answers.whole[0, pixel], answers.whole[1, pixel] = maxiter, True
    elif what == OUT:
        answers.whole[0, pixel], answers.whole[1, pixel] = done - 1, True
        if answers.fields.size:
            w_x, w_y, s, g_x, g_y, q, d_x, d_y = real[:8, i]
            reach = power(place.exponent)
            smooth, distance = fields_at(
                done, z_x + scale * w_x, z_y + scale * w_y, scale * np.sqrt(s / bound.u),
                orbit.x[1] + reach * d_x, orbit.y[1] + reach * d_y,
                g_x, g_y, np.sqrt(q), exponent, place.spacing * power(place.exponent - exponent),
            )  # fmt: skip
            answers.fields[0, pixel], answers.fields[1, pixel] = smooth, distance
            answers.whole[1, pixel] = not (np.isnan(smooth) or np.isnan(distance))
    elif what in (STAY, REBASE):
        return True
    else:
        answers.whole[0, pixel] = done
    return False
