"""Delta orbits: the differences of many pixels from one reference orbit, iterated together, with a bound on the error.

A pixel's orbit is ``z = Z_m + dz``, and ``dz`` is kept as ``scale * w`` with one power of two for a whole group, so
that float64 serves at any depth (K. I. Martin 2013, "Superfractalthing maths"; Zhuoran 2021 on rebasing). For every
pixel ``S >= U * r**2`` bounds the error ``|w - w_exact| <= r``; Lemmas 17 to 22 derive every constant.
A group of pixels is in a workspace, a row for each number of a pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import contracted, inner
from mandeldask.fractal.escape.arithmetic.layout import Layout
from mandeldask.fractal.escape.arithmetic.power_of_two import exponent_above, power
from mandeldask.fractal.escape.perturbation import pixel_pool

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Floats

LINEAR: ErrorBound = 256.0 * 2.0**-106
"""Rounding of one step in r^2, per |Z|^2 |w|^2 and per |dc|^2; 2^-53 is one rounding."""

SQUARE: ErrorBound = 384.0 * 2.0**-106
"""Rounding of one step in r^2, per |dz|^2 |w|^2."""

SKIP_ERROR: ErrorBound = 10.0 * 2.0**-53
"""Error of a step of a bilinear approximation in r, per |A| |w| + |B| |dc|."""

SLOPE: ErrorBound = 2.0**-93
"""Four times the squared rounding error of one step of g, per |z g| and per the added term."""

FLOOR: ErrorBound = 2.0**-900
"""Bound on the square of an underflow; added to S at every step."""

_LEAST_REBASED = 2.0**-450
"""Lower limit for a rebased dz relative to its old scale, so that its underflow stays below `FLOOR`."""

_LEAST_PRODUCT: ErrorBound = 2.0**-1000
"""More than a product of two squares loses where it is below the range of float64."""

MARGIN: ErrorBound = 2.0**-47
"""Bound on the rounding error of |z| < 16 when it is compared with 2."""

_REBASE_ROUNDING: ErrorBound = 2.0**-50
"""Bound on the rounding error of Z + dz, per sum of the moduli of all parts."""

_PAST_ZERO: ErrorBound = 2.0**-47
"""Bound on the error of a step from a Z near 0, per |Z w| + |dz w| and per |dc|."""

_PAST_ZERO_SLOPE = 2.0**-48
"""Twice the relative error of a Z near 0. `_PAST_ZERO` or r^2 is always larger, so no test can notice its absence."""

CIRCLE = 2.0 - 2.0**-20
"""A bound on |z| below this proves that a pixel has not escaped."""

NEAR_ZERO = -8
"""Exponent of z up to which a pixel needs a reference: z alone would lose its difference from others."""

NEAR_SQUARE = 4.0**NEAR_ZERO
"""|z|^2 of the same."""

PLAIN_RATIO = 2.0**8
"""|z / dz|^2 below which a pixel continues as a plain orbit, if that has not failed before."""

STAY, OUT, REBASE, OPEN = 0.0, 1.0, 2.0, 3.0
"""Verdicts on a pixel at this iteration."""

GROUP = 512
"""Pixels in a group: what a step touches of them fits a level-1 cache of 32 KiB."""

_ROW = GROUP + 8
"""Numbers in a row."""

ROWS = Layout.of("X Y GX GY S Q DC_X DC_Y RATIO DONE PIXEL MARK", _ROW)
X, Y, GX, GY, S, Q, DC_X, DC_Y, RATIO, DONE, PIXEL, MARK = ROWS.offsets
"""As in `pixel_pool.ROWS`, RATIO being its PLAIN_RATIO; dc in the units of `Place`; MARK is the verdict."""

SIZE = ROWS.size
"""Numbers in a workspace."""


class Bound(NamedTuple):
    """Constants of the error bound for orbits of up to n steps: a step may enlarge S by the factor 1 + 1/n."""

    kappa: float
    """1/n."""
    growth: float
    """4 (1 + 1/n)^2, for |dz'/dz|^2 <= growth * |z|^2."""
    u: float
    """S / r^2."""
    added: float
    """S for one squared rounding of a step."""
    slack: float
    """Error of |z|^2 by the rounding of Z, per |Z|^2. If errors are below |w|, `LINEAR` covers it."""


def bound_for(steps: int) -> Bound:
    """Return the constants with the tightest bound for orbits of up to `steps` iterations."""
    kappa = 1.0 / max(16, steps)
    u = 0.5 * (1.0 + 1.0 / kappa)
    return Bound(
        kappa=kappa,
        growth=4.0 * (1.0 + kappa) ** 2 * (1.0 + 2.0**-46),
        u=u,
        added=u * (1.0 + 1.0 / kappa) * (1.0 + 2.0**-40),
        slack=(1.0 + 1.0 / kappa) * 32.0 * 2.0**-106,
    )


@contracted
def advance(
    w: Floats, count: int, z_x: float, z_y: float, scale: float, dc_scale: float, dc_size: float, bound: Bound
) -> None:
    """Do one step of the first `count` pixels from Z = (z_x, z_y): w' = (2 Z + scale w) w + dc.

    Checks nothing; `scale` may be 0 where dz is too small to change Z.
    """
    modulus2 = z_x * z_x + z_y * z_y
    scale2 = scale * scale
    slack = bound.slack * modulus2
    linear = bound.added * LINEAR * modulus2
    square = bound.added * SQUARE * scale2
    constant = bound.added * (LINEAR * dc_size**2 + FLOOR)
    for i in range(count):
        x, y, s = w[X + i], w[Y + i], w[S + i]
        zx, zy = z_x + scale * x, z_y + scale * y
        tx, ty = zx + z_x, zy + z_y
        w2 = x * x + y * y
        z2 = zx * zx + (zy * zy + slack) + scale2 * s
        w[S + i] = bound.growth * z2 * s + ((linear + square * w2) * w2 + constant)
        w[X + i] = tx * x - ty * y + dc_scale * w[DC_X + i]
        w[Y + i] = tx * y + ty * x + dc_scale * w[DC_Y + i]


@contracted
def advance_slope(w: Floats, count: int, z_x: float, z_y: float, scale: float, spacing: float, bound: Bound) -> None:
    """Do the same step of the derivatives g = dw/d(pixel), g' = 2 z g + spacing, and of their bounds. Before `advance`.

    q is the square of a bound on the error of g. Unlike roundings, what the error of z adds to it is largest in the
    last steps: shared out over all, as S is, it would count for sqrt(n) times too much. So the sum is squared exactly.
    """
    scale2, per_error = scale * scale, 16.5 * bound.kappa
    growth, constant = bound.growth / (1.0 + bound.kappa), SLOPE * spacing**2 + FLOOR
    for i in range(count):
        zx, zy = z_x + scale * w[X + i], z_y + scale * w[Y + i]
        x, y = w[GX + i], w[GY + i]
        z2, error2 = zx * zx + zy * zy, scale2 * w[S + i]
        kept = growth * (z2 + 2.0 * error2) * w[Q + i]
        added = (per_error * error2 + SLOPE * z2) * (x * x + y * y) + constant
        w[Q + i] = kept + 2.0 * np.sqrt(kept * added + _LEAST_PRODUCT) + added
        w[GX + i] = 2.0 * (zx * x - zy * y) + spacing
        w[GY + i] = 2.0 * (zx * y + zy * x)


@inner
def classify(w: Floats, count: int, z_x: float, z_y: float, scale: float, bound: Bound, near: float) -> int:
    """Write the verdict on each pixel at Z; return how many do not simply stay: usually none.

    A pixel is inside if ``|z| + R <= 2`` and out if ``|z| - R > 2``, where R = scale r + MARGIN; as squares,
    ``|z|^2 + (4 + R) R <= 4`` and ``|z|^2 - (4 + R) R > 4``.
    """
    scale2 = scale * scale
    per_u = scale2 * (1.0 + 2.0**-40) / bound.u
    staying = 0
    for i in range(count):
        x, y = w[X + i], w[Y + i]
        zx, zy = z_x + scale * x, z_y + scale * y
        z2, w2 = zx * zx + zy * zy, scale2 * (x * x + y * y)
        error = np.sqrt(w[S + i] * per_u) + MARGIN
        error *= 4.0 + error
        inside = (z2 + error <= 4.0) & (error < 0.25)
        stays = inside & ((z2 >= w[RATIO + i] * w2) | ((z2 >= w2) & (z2 < near)))
        w[MARK + i] = STAY if stays else (REBASE if inside else (OUT if z2 - error > 4.0 else OPEN))
        staying += stays
    return count - staying


@contracted
def grow_error(w: Floats, count: int, a_most: float, b_most: float, steps: int, dc_size: float, bound: Bound) -> None:
    """Let errors grow by the next `steps` steps, during which ``a_most |w| + b_most |dc|`` bounds |w|."""
    a2 = a_most * a_most
    # (p + q)^2 <= (1 + steps kappa) p^2 + (1 + 1 / (steps kappa)) q^2: of many steps at once all may lose
    kept = (1.0 + steps * bound.kappa) * (1.0 + steps * 2.0**-46) * a2
    added = 2.0 * bound.u * (1.0 + 1.0 / (steps * bound.kappa)) * (steps * SKIP_ERROR) ** 2
    linear = added * a2
    constant = added * (b_most * dc_size) ** 2 + bound.added * FLOOR
    for i in range(count):
        x, y = w[X + i], w[Y + i]
        w[S + i] = kept * w[S + i] + (linear * (x * x + y * y) + constant)


@inner
def classify_at_zero(w: Floats, count: int, z_x: float, z_y: float, z_exponent: int, exponent: int) -> None:
    """Do as `classify`, at a Z below the range of float64, where nothing escapes and dz may be larger than Z."""
    larger = max(z_exponent, exponent)
    z_factor, w_factor = power(z_exponent - larger), power(exponent - larger)
    for i in range(count):
        x, y = w[X + i] * w_factor, w[Y + i] * w_factor
        nearer = np.hypot(z_x * z_factor + x, z_y * z_factor + y) < np.hypot(x, y)
        w[MARK + i] = REBASE if nearer else STAY


@inner
def pass_zero(
    w: Floats, count: int, z_x: float, z_y: float, z_exponent: int, exponent: int, after: int, place: pixel_pool.Place,
    bound: Bound, fields: Floats | None,
) -> None:  # fmt: skip
    """Do one step from a Z that may be 0 or underflow, from the scale 2^exponent to 2^after."""
    # z = 2^larger (zx, zy), so that neither Z nor dz is lost in the sum
    larger = max(exponent, z_exponent)
    w_factor, factor, dc_scale = (
        power(exponent - larger),
        power(larger + exponent - after),
        power(place.exponent - after),
    )
    z_x, z_y = z_x * power(z_exponent - larger), z_y * power(z_exponent - larger)
    z_modulus = np.hypot(z_x, z_y)
    for i in range(count):
        x, y, r = w[X + i], w[Y + i], np.sqrt(w[S + i] / bound.u)
        zx, zy = z_x + x * w_factor, z_y + y * w_factor
        tx, ty = zx + z_x, zy + z_y
        w_modulus, modulus = np.hypot(x, y), np.hypot(zx, zy)
        w[X + i] = (tx * x - ty * y) * factor + dc_scale * w[DC_X + i]
        w[Y + i] = (tx * y + ty * x) * factor + dc_scale * w[DC_Y + i]
        if fields is not None:
            g_x, g_y, error, lost = w[GX + i], w[GY + i], r * w_factor, np.sqrt(SLOPE)
            w[GX + i] = 2.0 * (zx * g_x - zy * g_y) * factor + place.spacing * dc_scale
            w[GY + i] = 2.0 * (zx * g_y + zy * g_x) * factor
            size = abs(g_x) + abs(g_y)
            q = 2.0 * ((modulus + error) * np.sqrt(w[Q + i]) + error * size)
            q += lost * (z_modulus + w_modulus * w_factor) * size
            w[Q + i] = (q * factor + lost * dc_scale * place.spacing) ** 2 * (1.0 + 2.0**-40) + FLOOR
        r = r * factor * (2.0 * modulus + _PAST_ZERO_SLOPE * z_modulus + r * w_factor) + _PAST_ZERO * (
            factor * (z_modulus + w_modulus * w_factor) * w_modulus + dc_scale * place.most
        )
        w[S + i] = bound.u * (r * r * (1.0 + 2.0**-30) + FLOOR)


@inner
def rebase(
    w: Floats, i: int, pool: Floats, k: int, exponent: int, z_x: float, z_y: float, z_exponent: int, bound: Bound,
    error: float, error_exponent: int, m: int, fields: Floats | None,
) -> None:  # fmt: skip
    """Write pixel `i` with dz = Z + dz to slot `k` of a pool; `error` bounds that of Z, without its rounding."""
    larger = max(z_exponent, exponent)
    if error > 0.0:
        larger = max(larger, error_exponent)
    z_factor, w_factor = power(z_exponent - larger), power(exponent - larger)
    w_x, w_y = w[X + i] * w_factor, w[Y + i] * w_factor
    x, y = z_x * z_factor + w_x, z_y * z_factor + w_y
    sizes = (abs(z_x) + abs(z_y)) * z_factor + (abs(w_x) + abs(w_y))
    r = np.sqrt(w[S + i] / bound.u) * w_factor + _REBASE_ROUNDING * sizes
    r += error * power(error_exponent - larger)
    shift = exponent_above(max(abs(x), abs(y), r, _LEAST_REBASED))
    factor = power(-shift)
    pool[k, pixel_pool.X], pool[k, pixel_pool.Y] = x * factor, y * factor
    pool[k, pixel_pool.S] = bound.u * ((r * factor) ** 2 * (1.0 + 2.0**-40) + FLOOR)
    pool[k, pixel_pool.RATIO] = w[RATIO + i] if larger + shift > NEAR_ZERO else PLAIN_RATIO
    pool[k, pixel_pool.EXPONENT], pool[k, pixel_pool.DONE] = larger + shift, w[DONE + i] + m
    pool[k, pixel_pool.PIXEL], pool[k, pixel_pool.M] = w[PIXEL + i], 0.0
    if fields is not None:
        pool[k, pixel_pool.GX], pool[k, pixel_pool.GY] = w[GX + i] * w_factor * factor, w[GY + i] * w_factor * factor
        pool[k, pixel_pool.Q] = w[Q + i] * (w_factor * factor) ** 2 + FLOOR if w_factor > 0.0 else np.inf  # a lost g


@inner
def set_aside(
    w: Floats, i: int, pool: Floats, k: int, exponent: int, shift: int, bound: Bound, m: int, fields: Floats | None
) -> None:
    """Write pixel `i`, which stays at Z_m, to slot `k` of a pool, with dz in units 2^shift larger."""
    factor = power(-shift)
    pool[k, pixel_pool.X], pool[k, pixel_pool.Y], pool[k, pixel_pool.RATIO] = (
        w[X + i] * factor,
        w[Y + i] * factor,
        PLAIN_RATIO,
    )
    pool[k, pixel_pool.S] = w[S + i] * factor * factor + bound.u * FLOOR
    pool[k, pixel_pool.EXPONENT], pool[k, pixel_pool.DONE] = exponent + shift, w[DONE + i]
    pool[k, pixel_pool.PIXEL], pool[k, pixel_pool.M] = w[PIXEL + i], m
    if fields is not None:
        pool[k, pixel_pool.GX], pool[k, pixel_pool.GY] = w[GX + i] * factor, w[GY + i] * factor
        pool[k, pixel_pool.Q] = w[Q + i] * factor * factor + FLOOR


@inner
def moduli(w: Floats, count: int, bound: Bound) -> float:
    """Return a bound on |w| + r of all pixels."""
    most_w2 = most_s = 0.0
    for i in range(count):
        most_w2 = max(most_w2, w[X + i] * w[X + i] + w[Y + i] * w[Y + i])
        most_s = max(most_s, w[S + i])
    return (np.sqrt(most_w2) + np.sqrt(most_s / bound.u)) * (1.0 + 2.0**-40)


@inner
def rescale(w: Floats, count: int, by: int) -> None:
    """Multiply w of the pixels by 2^-by, for a scale multiplied by 2^by."""
    factor = power(-by)
    for row in range(X, DC_X, _ROW):
        for i in range(count):
            w[row + i] *= factor if row < S else factor * factor


@inner
def replace(w: Floats, i: int, last: int) -> None:
    """Move pixel `last` to slot `i`."""
    for row in range(0, SIZE, _ROW):
        w[row + i] = w[row + last]
