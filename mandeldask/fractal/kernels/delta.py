"""Delta orbits: many pixels' differences from one reference orbit, advanced together, with a bound on their error.

A pixel's orbit is ``z = Z_m + dz``, and ``dz`` is kept as ``scale * w`` with one power of two for a whole group, so
that float64 serves at any depth (K. I. Martin 2013, "Superfractalthing maths"; Zhuoran 2021 on rebasing). For every
pixel ``S >= U * r**2`` bounds the error ``|w - w_exact| <= r``; docs/explanation/exactness.md derives every constant.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

LINEAR = 256.0 * 2.0**-106
"""What the roundings of one step add to r^2 per |Z|^2 |w|^2 and per |dc|^2; 2^-53 is one rounding."""

SQUARE = 384.0 * 2.0**-106
"""What the roundings of one step add to r^2 per |dz|^2 |w|^2."""

LEAPED = 10.0 * 2.0**-53
"""What a step inside a leap adds to r, per |A| |w| + |B| |dc|."""

FLOOR = 2.0**-900
"""More than any underflow, squared; added to S at every step."""

MARGIN = 2.0**-47
"""More than what rounding does to |z| < 16 when it is compared with 2."""

NEVER = -(2.0**60)
"""A logarithm below every other."""

STAY, OUT, REBASE, OPEN = 0, 1, 2, 3
"""What is to become of a pixel at this iteration."""


class Bound(NamedTuple):
    """Constants of the error bound for orbits of up to n steps: a step may lose the factor 1 + 1/n in S."""

    kappa: float
    """1/n."""
    growth: float
    """4 (1 + 1/n)^2, for |dz'/dz|^2 <= growth * |z|^2."""
    u: float
    """S / r^2."""
    added: float
    """S per squared rounding of one step."""
    slack: float
    """What the rounding of Z adds to |z|^2, per |Z|^2."""


def bound_for(steps: int) -> Bound:
    """Return the constants that lose the least for orbits of up to `steps` iterations."""
    kappa = 1.0 / max(16, steps)
    u = 0.5 * (1.0 + 1.0 / kappa)
    return Bound(
        kappa=kappa,
        growth=4.0 * (1.0 + kappa) ** 2 * (1.0 + 2.0**-46),
        u=u,
        added=u * (1.0 + 1.0 / kappa) * (1.0 + 2.0**-40),
        slack=(1.0 + 1.0 / kappa) * 32.0 * 2.0**-106,
    )


@numba.njit(nogil=True, cache=True, fastmath={"contract"})
def advance(w_x, w_y, s, dc_x, dc_y, count, z_x, z_y, scale, dc_scale, dc_most, bound):
    """Do one step of the first `count` pixels past Z = (z_x, z_y): w' = (2 Z + scale w) w + dc.

    Checks nothing; `scale` may be 0 where dz is too small to matter beside Z.
    """
    modulus2 = z_x * z_x + z_y * z_y
    scale2 = scale * scale
    slack = bound.slack * modulus2
    linear = bound.added * LINEAR * modulus2
    square = bound.added * SQUARE * scale2
    constant = bound.added * (LINEAR * (dc_most * dc_scale) ** 2 + FLOOR)
    for i in range(count):
        x, y = w_x[i], w_y[i]
        zx, zy = z_x + scale * x, z_y + scale * y
        tx, ty = zx + z_x, zy + z_y
        w2 = x * x + y * y
        z2 = zx * zx + (zy * zy + slack) + scale2 * s[i]
        s[i] = bound.growth * z2 * s[i] + ((linear + square * w2) * w2 + constant)
        w_x[i] = tx * x - ty * y + dc_scale * dc_x[i]
        w_y[i] = tx * y + ty * x + dc_scale * dc_y[i]


@numba.njit(nogil=True, cache=True, fastmath={"contract"})
def advance_slope(g_x, g_y, w_x, w_y, count, z_x, z_y, scale, spacing):
    """Do the same step of the derivatives g = dw/d(pixel): g' = 2 z g + spacing. Before `advance`."""
    for i in range(count):
        zx, zy = 2.0 * (z_x + scale * w_x[i]), 2.0 * (z_y + scale * w_y[i])
        x, y = g_x[i], g_y[i]
        g_x[i] = zx * x - zy * y + spacing
        g_y[i] = zx * y + zy * x


@numba.njit(nogil=True, cache=True)
def classify(w_x, w_y, s, count, z_x, z_y, scale, bound, mark):
    """Mark what becomes of each pixel at Z; return how many do not simply stay, and the greatest |w| + r.

    A pixel is inside if ``|z| + R <= 2`` and out if ``|z| - R > 2``, where R = scale r + MARGIN.
    """
    scale2 = scale * scale
    per_u = (1.0 + 2.0**-40) / bound.u
    leaving = 0
    most_w2 = most_r = 0.0
    for i in range(count):
        x, y = w_x[i], w_y[i]
        zx, zy = z_x + scale * x, z_y + scale * y
        z2 = zx * zx + zy * zy
        w2 = x * x + y * y
        r = np.sqrt(s[i] * per_u)
        error = scale * r + MARGIN
        error *= 4.0 + error
        inside = z2 + error <= 4.0
        stay = inside and z2 >= scale2 * w2 and error < 0.25
        leaving += not stay
        most_w2 = max(most_w2, w2 if stay else 0.0)
        most_r = max(most_r, r if stay else 0.0)
        mark[i] = STAY if stay else OUT if z2 - error > 4.0 else REBASE if inside and error < 0.25 else OPEN
    return leaving, (np.sqrt(most_w2) + most_r) * (1.0 + 2.0**-40)


@numba.njit(nogil=True, cache=True)
def classify_at_edge(w_x, w_y, s, count, z_x, z_y, scale, bound, mark, excess, error):
    """Do as `classify` where Z is near the circle: |z|^2 - 4 = (|Z|^2 - 4) + 2 Re(Z* dz) + |dz|^2, in units of dz."""
    per_u = (1.0 + 2.0**-40) / bound.u
    leaving = 0
    most_w2 = most_r = 0.0
    for i in range(count):
        x, y = w_x[i], w_y[i]
        w2 = x * x + y * y
        modulus = np.sqrt(w2)
        r = np.sqrt(s[i] * per_u)
        beyond = excess + (2.0 * (z_x * x + z_y * y) + scale * w2)
        doubt = (4.0 + 4.0 * scale * (modulus + r)) * r * 1.01 + 2.0**-48 * (abs(excess) + 4.0 * modulus + scale * w2)
        doubt += 5.0 * error
        if beyond - doubt > 0.0:
            mark[i] = OUT
        elif beyond + doubt <= 0.0 and scale * (modulus + r) < 0.5:
            mark[i] = STAY
            most_w2, most_r = max(most_w2, w2), max(most_r, r)
        else:
            mark[i] = OPEN
        leaving += mark[i] != STAY
    return leaving, (np.sqrt(most_w2) + most_r) * (1.0 + 2.0**-40)


@numba.njit(nogil=True, cache=True, fastmath={"contract"})
def leap(w_x, w_y, s, dc_x, dc_y, count, a_x, a_y, b_x, b_y, b_most, steps, dc_scale, dc_most, bound):
    """Do `steps` steps at once by the bilinear approximation w' = A w + B dc, where its radius allows it."""
    a2 = a_x * a_x + a_y * a_y
    # (p + q)^2 <= (1 + steps kappa) p^2 + (1 + 1 / (steps kappa)) q^2: in a leap of many steps all of them may lose
    kept = (1.0 + steps * bound.kappa) * (1.0 + steps * 2.0**-46) * a2
    added = 2.0 * bound.u * (1.0 + 1.0 / (steps * bound.kappa)) * (steps * LEAPED) ** 2
    linear = added * a2
    constant = added * (b_most * dc_most * dc_scale) ** 2 + bound.added * FLOOR
    b_x, b_y = b_x * dc_scale, b_y * dc_scale
    for i in range(count):
        x, y = w_x[i], w_y[i]
        s[i] = kept * s[i] + (linear * (x * x + y * y) + constant)
        w_x[i] = (a_x * x - a_y * y) + (b_x * dc_x[i] - b_y * dc_y[i])
        w_y[i] = (a_x * y + a_y * x) + (b_x * dc_y[i] + b_y * dc_x[i])


@numba.njit(nogil=True, cache=True)
def leap_slope(g_x, g_y, count, a_x, a_y, b_x, b_y, spacing):
    """Do the same steps of the derivatives: g' = A g + B spacing."""
    for i in range(count):
        x, y = g_x[i], g_y[i]
        g_x[i] = a_x * x - a_y * y + b_x * spacing
        g_y[i] = a_x * y + a_y * x + b_y * spacing


@numba.njit(nogil=True, cache=True)
def pass_zero(w_x, w_y, s, dc_x, dc_y, i, z_x, z_y, z_exponent, exponent, after, dc_scale, dc_most, bound):
    """Do one step of pixel `i` past a Z that may be 0 or below float64, from the scale 2^exponent to 2^after."""
    # z = q (zx, zy) with q = 2^larger, so that neither Z nor dz is lost beside the other
    larger = max(exponent, z_exponent)
    z_factor, w_factor = power(z_exponent - larger), power(exponent - larger)
    x, y = w_x[i], w_y[i]
    zx, zy = z_x * z_factor + x * w_factor, z_y * z_factor + y * w_factor
    tx, ty = zx + z_x * z_factor, zy + z_y * z_factor
    factor = power(larger + exponent - after)
    w_x[i] = (tx * x - ty * y) * factor + dc_scale * dc_x[i]
    w_y[i] = (tx * y + ty * x) * factor + dc_scale * dc_y[i]
    r = np.sqrt(s[i] / bound.u)
    z_modulus, w_modulus = np.hypot(z_x, z_y) * z_factor, np.hypot(x, y)
    r = r * factor * (2.0 * np.hypot(zx, zy) + 2.0**-48 * z_modulus + r * w_factor) + 2.0**-47 * (
        factor * (z_modulus + w_modulus * w_factor) * w_modulus + dc_scale * dc_most
    )
    s[i] = bound.u * (r * r * (1.0 + 2.0**-30) + FLOOR)


@numba.njit(nogil=True, cache=True)
def power(exponent):
    """Return 2^exponent, 0 below 2^-1000 and at most 2^1000."""
    return math.ldexp(1.0, min(exponent, 1000)) if exponent > -1000 else 0.0


@numba.njit(nogil=True, cache=True)
def rescale(w_x, w_y, s, count, by):
    """Multiply the pixels by 2^-by, for a scale that is multiplied by 2^by."""
    factor = power(-by)
    for i in range(count):
        w_x[i] *= factor
        w_y[i] *= factor
        s[i] *= factor * factor
