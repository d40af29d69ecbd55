"""Groups of pixels that follow one reference orbit in step: leaps, safe steps, and looks at who must leave.

All pixels of a group share the index m into the reference, so that Z_m is one number for all of them. A pixel leaves
when it escapes, when it reaches the cap, when its error grows past use, or when it must be rebased (|z| < |dz|): then
it waits, with dz = z, for the next generation of groups, which starts at m = 0.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

from mandeldask.fractal.kernels.bilinear import BASE
from mandeldask.fractal.kernels.delta import (
    FLOOR,
    OUT,
    REBASE,
    STAY,
    advance,
    classify,
    classify_at_edge,
    leap,
    pass_zero,
    power,
    rescale,
)

GROUP = 512
"""Pixels in a group: their state fills half of a level-1 cache of 32 KiB."""

DEEP = -450
"""Exponent of dz below which scale * w * w is nothing beside 2 Z w where |Z| >= 2^-300."""

_TINY = 2.0**-300
_CIRCLE = 2.0 - 2.0**-20


class Orbit(NamedTuple):
    """A reference orbit as the kernels read it."""

    x: np.ndarray
    y: np.ndarray
    tiny_at: np.ndarray
    """Indices of points below 2^-300, ascending, and one past the end."""
    tiny_x: np.ndarray
    tiny_y: np.ndarray
    tiny_exponent: np.ndarray
    edge_at: np.ndarray
    """Indices of points near the circle of radius 2, ascending, and one past the end."""
    edge_excess: np.ndarray
    edge_exponent: np.ndarray
    edge_error: np.ndarray
    edge_error_exponent: np.ndarray
    error: float
    """Bound on the error of the last point, in units of 2^error_exponent."""
    error_exponent: int


class Pool(NamedTuple):
    """Pixels on their way: w, its error, and where they are; flat arrays."""

    w_x: np.ndarray
    w_y: np.ndarray
    s: np.ndarray
    exponent: np.ndarray
    """dz = w 2^exponent."""
    n: np.ndarray
    """Iterations done."""
    lane: np.ndarray
    """Index into the pixels of the stage."""


def pool_of(size):
    """Return a Pool with room for `size` pixels, which begin at z_0 = 0."""
    w_x, w_y, s = np.zeros((3, size))
    exponent, n = np.full(size, -(2**40), np.int64), np.zeros(size, np.int64)
    return Pool(w_x, w_y, s, exponent, n, np.arange(size))


@numba.njit(nogil=True, cache=True)
def follow(
    pool, order, later, waiting, orbit, table, dc_x, dc_y, dc_exponent, dc_most, bound, maxiter, counts, proven, flag
):
    """Follow the reference with the pixels ``pool[order]`` until all have left; return how many wait in `later`.

    `dc_x`, `dc_y` are in units of 2^dc_exponent, at most `dc_most` in modulus. Writes `counts` and sets `proven`.
    """
    count = order.size
    w_x, w_y, s, d_x, d_y = np.empty((5, count))
    n, lane, mark = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    exponent = dc_exponent
    for i in order:
        exponent = max(exponent, pool.exponent[i])
    deadline = maxiter
    most = 0.0
    for k in range(count):
        i = order[k]
        factor = power(pool.exponent[i] - exponent)
        w_x[k], w_y[k], s[k] = pool.w_x[i] * factor, pool.w_y[i] * factor, pool.s[i] * factor * factor
        n[k], lane[k] = pool.n[i], pool.lane[i]
        d_x[k], d_y[k] = dc_x[lane[k]], dc_y[lane[k]]
        deadline = min(deadline, maxiter - n[k])
        most = max(most, np.hypot(w_x[k], w_y[k]) + np.sqrt(s[k] / bound.u))
    most *= 1.0 + 2.0**-40

    last = orbit.x.size - 1
    m = tiny = edge = 0
    while count and not flag[0]:
        while orbit.tiny_at[tiny] < m:
            tiny += 1
        while orbit.edge_at[edge] < m:
            edge += 1
        if most > 2.0**60 or 0.0 < most < 2.0**-60:
            shift = int(np.ceil(np.log2(most)))
            shift = max(shift, dc_exponent - exponent - 60)
            rescale(w_x, w_y, s, count, shift)
            exponent += shift
            most *= power(-shift)
        scale = power(exponent) if exponent > DEEP else 0.0
        dc_scale = power(dc_exponent - exponent)
        size = scale * most

        if m < deadline:
            entry, steps = _longest_leap(orbit, table, m, most, exponent, last)
            if steps:
                a_x, a_y, b_x, b_y = table.a_x[entry], table.a_y[entry], table.b_x[entry], table.b_y[entry]
                b_most = table.b_most[entry]
                leap(w_x, w_y, s, d_x, d_y, count, a_x, a_y, b_x, b_y, b_most, steps, dc_scale, dc_most, bound)
                most = (np.hypot(a_x, a_y) * most + b_most * dc_most * dc_scale) * (1.0 + 2.0**-20)
                m += steps
                continue
            start = m
            while m < last and most < 2.0**90 and most > 2.0**-90:
                z_x, z_y = orbit.x[m], orbit.y[m]
                modulus = np.sqrt(z_x * z_x + z_y * z_y)
                size = scale * most
                if size > 0.5 * modulus or modulus + size > _CIRCLE or (modulus < _TINY and exponent < -150):
                    break
                advance(w_x, w_y, s, d_x, d_y, count, z_x, z_y, scale, dc_scale, dc_most, bound)
                most = ((2.0 * modulus + size) * most + dc_most * dc_scale) * (1.0 + 2.0**-40)
                m += 1
                if (m - 1) % (1 << BASE) == 0:
                    break
            if m > start:
                continue

        z_x, z_y, z_exponent = orbit.x[m], orbit.y[m], 0
        at_zero = orbit.tiny_at[tiny] == m and exponent < -150
        if at_zero:
            z_x, z_y, z_exponent = orbit.tiny_x[tiny], orbit.tiny_y[tiny], orbit.tiny_exponent[tiny]
            leaving, most = _classify_at_zero(w_x, w_y, s, count, z_x, z_y, z_exponent, exponent, bound, mark)
        elif orbit.edge_at[edge] == m and scale * most < 2.0**-22:
            excess = orbit.edge_excess[edge] * power(orbit.edge_exponent[edge] - exponent)
            error, shift = orbit.edge_error[edge], orbit.edge_error_exponent[edge] - exponent
            if error:
                error = error * power(shift) if shift < 900 else np.inf
            leaving, most = classify_at_edge(w_x, w_y, s, count, z_x, z_y, scale, bound, mark, excess, error)
        else:
            leaving, most = classify(w_x, w_y, s, count, z_x, z_y, scale, bound, mark)
        if leaving or m >= deadline or m == last:
            deadline = maxiter
            for i in range(count - 1, -1, -1):
                what = mark[i]
                done = n[i] + m
                if what == STAY and done < maxiter and m < last:
                    deadline = min(deadline, maxiter - n[i])
                    continue
                if done > maxiter or (done == maxiter and what in (STAY, REBASE)):
                    proven[lane[i]] = True
                    counts[lane[i]] = maxiter
                elif what == OUT:
                    proven[lane[i]] = True
                    counts[lane[i]] = done - 1
                elif what in (STAY, REBASE):
                    error = orbit.error if m == last else 0.0
                    _rebase(
                        later,
                        waiting,
                        w_x[i],
                        w_y[i],
                        s[i],
                        exponent,
                        z_x,
                        z_y,
                        z_exponent,
                        bound,
                        error,
                        orbit.error_exponent,
                    )
                    later.n[waiting], later.lane[waiting] = done, lane[i]
                    waiting += 1
                else:
                    counts[lane[i]] = done
                count -= 1
                w_x[i], w_y[i], s[i], d_x[i], d_y[i] = w_x[count], w_y[count], s[count], d_x[count], d_y[count]
                n[i], lane[i] = n[count], lane[count]
        if not count:
            break
        if at_zero:
            after = _exponent_after(most, z_x, z_y, z_exponent, exponent, dc_exponent)
            dc_scale = power(dc_exponent - after)
            for i in range(count):
                pass_zero(w_x, w_y, s, d_x, d_y, i, z_x, z_y, z_exponent, exponent, after, dc_scale, dc_most, bound)
            exponent = after
            most = 0.0
            for i in range(count):
                most = max(most, np.hypot(w_x[i], w_y[i]) + np.sqrt(s[i] / bound.u))
            most *= 1.0 + 2.0**-40
        else:
            advance(w_x, w_y, s, d_x, d_y, count, z_x, z_y, scale, dc_scale, dc_most, bound)
            most = ((2.0 * np.hypot(z_x, z_y) + scale * most) * most + dc_most * dc_scale) * (1.0 + 2.0**-40)
        m += 1
    return waiting


@numba.njit(nogil=True, cache=True)
def _longest_leap(orbit, table, m, most, exponent, last):
    """Return the index of the entry that leaps the furthest from m, and its steps; 0 steps if there is none."""
    first = table.first
    if m == 0 or (m - 1) & ((1 << BASE) - 1) or most == 0.0:
        return 0, 0
    log2_dz = np.log2(most) + exponent + 1e-9
    for level in range(first.size - 2, -1, -1):
        bits = BASE + level
        if (m - 1) & ((1 << bits) - 1):
            continue
        entry = first[level] + ((m - 1) >> bits)
        end = m + (1 << bits)
        if entry < first[level + 1] and table.radius[entry] > log2_dz and end < last:
            # an orbit that is inside at the end has been inside all the way
            modulus = np.hypot(orbit.x[end], orbit.y[end])
            if modulus < _CIRCLE - 2.0**-30:
                return entry, 1 << bits
    return 0, 0


@numba.njit(nogil=True, cache=True)
def _classify_at_zero(w_x, w_y, s, count, z_x, z_y, z_exponent, exponent, bound, mark):
    """Do as `classify` at a Z below float64, where nothing escapes and any dz beside it may be the larger."""
    larger = max(z_exponent, exponent)
    z_factor, w_factor = power(z_exponent - larger), power(exponent - larger)
    leaving = 0
    most = 0.0
    for i in range(count):
        x, y = w_x[i] * w_factor, w_y[i] * w_factor
        w_modulus = np.hypot(x, y)
        mark[i] = REBASE if np.hypot(z_x * z_factor + x, z_y * z_factor + y) < w_modulus else STAY
        if mark[i] == STAY:
            most = max(most, np.hypot(w_x[i], w_y[i]) + np.sqrt(s[i] / bound.u))
        leaving += mark[i]
    return leaving, most * (1.0 + 2.0**-40)


@numba.njit(nogil=True, cache=True)
def _rebase(later, k, w_x, w_y, s, exponent, z_x, z_y, z_exponent, bound, error, error_exponent):
    """Put a pixel with dz = Z + dz into place `k` of `later`; `error` is what Z may be wrong by beyond its rounding."""
    larger = max(z_exponent, exponent)
    z_factor, w_factor = power(z_exponent - larger), power(exponent - larger)
    x, y = z_x * z_factor + w_x * w_factor, z_y * z_factor + w_y * w_factor
    r = np.sqrt(s / bound.u) * w_factor + 2.0**-50 * (np.hypot(z_x, z_y) * z_factor + np.hypot(w_x, w_y) * w_factor)
    r += error * power(error_exponent - larger)
    _, shift = math.frexp(max(abs(x), abs(y), r))
    factor = power(-shift)
    later.w_x[k], later.w_y[k], later.exponent[k] = x * factor, y * factor, larger + shift
    later.s[k] = bound.u * ((r * factor * (1.0 + 2.0**-40)) ** 2 + FLOOR)


@numba.njit(nogil=True, cache=True)
def _exponent_after(most, z_x, z_y, z_exponent, exponent, dc_exponent):
    """Return the exponent that suits w after a step past Z: that of the largest of 2 Z dz, dz^2 and dc."""
    if most == 0.0:
        return dc_exponent
    _, w_exponent = math.frexp(most)
    after = max(dc_exponent, 2 * (exponent + w_exponent))
    if z_x != 0.0 or z_y != 0.0:
        after = max(after, z_exponent + exponent + w_exponent + 2)
    return after
