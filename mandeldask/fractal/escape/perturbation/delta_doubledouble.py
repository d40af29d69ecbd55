"""Delta orbits in double-double, for the pixels that float64 leaves open; each lane has its own index.

The recurrence, rebasing and decisions are those of `delta_step` and `delta_groups`. r itself is carried,
not its square, with a bound q on the error of the derivative g. All lanes do an ordinary step in vectorised loops. A
lane that is done, must be rebased or rescaled, or is at a zero of the reference, is handled alone before.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic import doubledouble as dd
from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import inlined, inner, kernel
from mandeldask.fractal.escape.arithmetic.power_of_two import power
from mandeldask.fractal.escape.perturbation.delta_edge import beyond_circle, edge_in_units
from mandeldask.fractal.escape.perturbation.delta_groups import TINY_EXPONENT
from mandeldask.fractal.escape.perturbation.delta_step import MARGIN
from mandeldask.fractal.escape.perturbation.doubledouble_lanes import (
    ALONE,
    DC_SCALE,
    DC_X,
    DC_X_LOW,
    DC_Y,
    DC_Y_LOW,
    EXPONENT,
    GX,
    GY,
    LANES,
    PIXEL,
    REF_X,
    REF_X_LOW,
    REF_Y,
    REF_Y_LOW,
    ROW,
    SCALE,
    SIZE,
    X_LOW,
    Y_LOW,
    ZX,
    ZX_LOW,
    ZY,
    ZY_LOW,
    M,
    N,
    Q,
    R,
    X,
    Y,
    gather,
    load,
    set_exponent,
    write_fields,
)
from mandeldask.fractal.escape.perturbation.reference_orbit import TINY

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Flag, Floats, Ints
    from mandeldask.fractal.escape.perturbation import pixel_pool

_STEP: ErrorBound = 2.0**-98
"""Bound on the error of a step, per (2 |2 Z + dz| + |Z|) |w| and |dc|; that of Z is at most 2^-103 of its modulus."""
_SLOPE: ErrorBound = 2.0**-49
"""Bound on the rounding error of a float64 step of g, per |z g| and per the added term."""
_REFERENCE: ErrorBound = 2.0**-100
"""Bound on the error of Z as two float64 and of adding dz to it, per sum of the moduli; Z alone: 2^-103."""
_OUTWARD: ErrorBound = 1.0 + 2.0**-40
"""Factor above 1 that covers the rounding of a bound itself."""
_LARGEST_SQUARE = 2.0**80
"""|w|^2 is kept below this and above its inverse."""
_CANCEL_INTERVAL = 64
"""Iterations between two checks of the cancellation flag."""


@kernel
def iterate_double_double(
    w: Floats, orbit: pixel_pool.Orbit, place: pixel_pool.DoubleDoublePlace, starts: Floats, u: float, maxiter: int,
    count_and_proven: Ints, fields: Floats | None, flag: Flag,
) -> None:  # fmt: skip
    """Write the counts, and the fields if they are wanted, that can be proven.

    Parameters
    ----------
    w : float64, shape (SIZE,)
        A workspace.
    starts : float64, shape (pixels, numbers by pixel)
        The pixels, as `pixel_pool.DOUBLE_DOUBLE` has them; those of `place`, by their index PIXEL.
    u : float
        ``S / r^2`` in `starts`.
    """
    active = following = 0
    while not flag[0]:
        while active < LANES and following < starts.shape[0]:
            load(w, active, place, starts[following], u)
            active, following = active + 1, following + 1
        if active == 0:
            break
        for _ in range(_CANCEL_INTERVAL):
            gather(w, active, orbit.x, orbit.x_low, orbit.y, orbit.y_low)
            if _mark_alone(w, active, maxiter):
                for i in range(active - 1, -1, -1):
                    if w[ALONE + i] > 0.0 and not _handle_alone(w, i, orbit, place, maxiter, count_and_proven, fields):
                        active -= 1
                        for row in range(0, SIZE, ROW):
                            w[row + i] = w[row + active]
            if fields is not None and place.worst_slope < np.inf:
                _step(w, active, place.spacing, fields)
            else:
                _step(w, active, 0.0, None)


@inner
def _mark_alone(w: Floats, active: int, maxiter: int) -> bool:
    """Compute every z, and mark as ALONE the lanes that need more than an ordinary step; return whether any does."""
    count = 0
    for i in range(active):
        scale = w[SCALE + i]
        x, y = scale * w[X + i], scale * w[Y + i]
        zx, zx_low = dd.add(w[REF_X + i], w[REF_X_LOW + i], x, scale * w[X_LOW + i])
        zy, zy_low = dd.add(w[REF_Y + i], w[REF_Y_LOW + i], y, scale * w[Y_LOW + i])
        w[ZX + i], w[ZX_LOW + i], w[ZY + i], w[ZY_LOW + i] = zx, zx_low, zy, zy_low
        z2, w2 = zx * zx + zy * zy, w[X + i] * w[X + i] + w[Y + i] * w[Y + i]
        reference2 = w[REF_X + i] * w[REF_X + i] + w[REF_Y + i] * w[REF_Y + i]
        stays = (z2 + _margin(scale * w[R + i]) <= 4.0) & (z2 >= x * x + y * y) & (w[N + i] < maxiter)
        ordinary = (
            (w2 < _LARGEST_SQUARE)
            & (w2 > 1.0 / _LARGEST_SQUARE)
            & ((reference2 > TINY * TINY) | (scale > 2.0**TINY_EXPONENT))
        )
        alone = (w[ALONE + i] > 0.0) | (not stays) | (not ordinary)
        w[ALONE + i] = 1.0 if alone else 0.0
        count += 1 if alone else 0
    return count > 0


@inlined
def _margin(r: float) -> float:
    """Return the least distance of |z|^2 from 4 that decides the side, if the error of z is at most `r`."""
    error = r + MARGIN
    return error * (4.0 + error)


@inner
def _handle_alone(
    w: Floats, i: int, orbit: pixel_pool.Orbit, place: pixel_pool.DoubleDoublePlace, maxiter: int,
    count_and_proven: Ints,
    fields: Floats | None,
) -> bool:  # fmt: skip
    """Handle lane `i` before its next ordinary step; return False if it has none."""
    last = orbit.x.size - 1
    while True:
        _rescale(w, i, place.exponent)
        m, scale, exponent, pixel = int(w[M + i]), w[SCALE + i], int(w[EXPONENT + i]), int(w[PIXEL + i])
        ref_x, ref_x_low, ref_y, ref_y_low = orbit.x[m], orbit.x_low[m], orbit.y[m], orbit.y_low[m]
        reference = np.hypot(ref_x, ref_y)
        zx, zx_low = dd.add(ref_x, ref_x_low, scale * w[X + i], scale * w[X_LOW + i])
        zy, zy_low = dd.add(ref_y, ref_y_low, scale * w[Y + i], scale * w[Y_LOW + i])
        z2, at_zero = zx * zx + zy * zy, reference < TINY and exponent < TINY_EXPONENT
        if not at_zero:
            beyond, margin = z2 - 4.0, _margin(scale * w[R + i])
            if abs(beyond) <= margin:
                beyond, margin = _at_edge(w, i, m, exponent, orbit, ref_x, ref_y)
            if beyond - margin > 0.0:
                count_and_proven[0, pixel], count_and_proven[1, pixel] = w[N + i] - 1.0, True
                if fields is not None:
                    write_fields(w, i, pixel, exponent, zx, zy, orbit.x[1], orbit.y[1], place, count_and_proven, fields)
                return False
            if not beyond + margin <= 0.0:
                return False
        if w[N + i] >= maxiter:
            count_and_proven[0, pixel], count_and_proven[1, pixel] = maxiter, True
            return False
        if at_zero:
            _pass_zero(w, i, m, exponent, orbit, place, fields)
            continue
        modulus = scale * np.hypot(w[X + i], w[Y + i])
        if m > 0 and (m == last or z2 < modulus * modulus):
            error = orbit.error * power(orbit.error_exponent) if m == last else 0.0
            lost = _REFERENCE * (reference + modulus) + error
            _rebase(w, i, zx, zx_low, zy, zy_low, scale, 0, lost, place.exponent)
        else:
            w[REF_X + i], w[REF_X_LOW + i], w[REF_Y + i], w[REF_Y_LOW + i] = ref_x, ref_x_low, ref_y, ref_y_low
            w[ZX + i], w[ZX_LOW + i], w[ZY + i], w[ZY_LOW + i] = zx, zx_low, zy, zy_low
            return True


@inner
def _at_edge(
    w: Floats, i: int, m: int, exponent: int, orbit: pixel_pool.Orbit, z_x: float, z_y: float
) -> tuple[float, float]:
    """Return |z|^2 - 4 of lane `i` near the circle, in its units, and a bound on its error: infinite elsewhere."""
    edge = _first_from(orbit.edge_at, m)
    if orbit.edge_at[edge] != m:
        return 0.0, np.inf
    excess, error = edge_in_units(orbit.edge[edge], exponent)
    return beyond_circle(w[X + i], w[Y + i], w[R + i], z_x, z_y, w[SCALE + i], excess, error)


@inner
def _first_from(indices: Ints, m: int) -> int:
    """Return the first position with an index of at least m; the last of the ascending `indices` always is."""
    low, high = 0, indices.size - 1
    while low < high:
        middle = (low + high) // 2
        if indices[middle] < m:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def _rescale(w: Floats, i: int, dc_exponent: int) -> None:
    """Rescale w of lane `i`, so that it neither overflows nor underflows."""
    largest = max(abs(w[X + i]), abs(w[Y + i]))
    if largest * largest > 0.25 * _LARGEST_SQUARE or 0.0 < largest * largest < 4.0 / _LARGEST_SQUARE:
        exponent = int(w[EXPONENT + i])
        shift = max(math.frexp(largest)[1], dc_exponent - exponent - 60)
        factor = power(-shift)
        for row in range(X, SCALE, ROW):
            w[row + i] *= factor
        set_exponent(w, i, exponent + shift, dc_exponent)


@inner
def _rebase(
    w: Floats, i: int, zx: float, zx_low: float, zy: float, zy_low: float, factor: float, exponent: int, lost: float,
    dc_exponent: int,
) -> None:  # fmt: skip
    """Rebase lane `i` to dz = z, with the error `lost`, in units of 2^exponent; its own units are `factor` of these."""
    for row in range(R, SCALE, ROW):
        w[row + i] *= factor
    w[X + i], w[X_LOW + i], w[Y + i], w[Y_LOW + i] = zx, zx_low, zy, zy_low
    w[R + i] += lost
    w[M + i] = 0.0
    set_exponent(w, i, exponent, dc_exponent)
    if factor == 0.0:  # dz is lost in the sum with Z, and g with it
        w[Q + i] = np.inf


@inner
def _pass_zero(
    w: Floats, i: int, m: int, exponent: int, orbit: pixel_pool.Orbit, place: pixel_pool.DoubleDoublePlace,
    fields: Floats | None,
) -> None:  # fmt: skip
    """Do a step of lane `i` from a Z that may be 0 or below the range of float64, or rebase it there.

    z and Z are taken in units of one power of two, so that neither Z nor dz is lost in the sum.
    """
    tiny, at_end = _first_from(orbit.tiny_at, m), m == orbit.x.size - 1
    tiny_exponent = orbit.tiny_exponent[tiny]
    unit = max(exponent, tiny_exponent)
    if at_end and orbit.error > 0.0:
        unit = max(unit, orbit.error_exponent)
    factor = power(tiny_exponent - unit)
    ref_x, ref_x_low = orbit.tiny[tiny, 0] * factor, orbit.tiny[tiny, 2] * factor
    ref_y, ref_y_low = orbit.tiny[tiny, 1] * factor, orbit.tiny[tiny, 3] * factor
    factor = power(exponent - unit)
    zx, zx_low = dd.add(ref_x, ref_x_low, w[X + i] * factor, w[X_LOW + i] * factor)
    zy, zy_low = dd.add(ref_y, ref_y_low, w[Y + i] * factor, w[Y_LOW + i] * factor)
    reference, modulus, z_modulus = np.hypot(ref_x, ref_y), np.hypot(w[X + i], w[Y + i]), np.hypot(zx, zy)
    if m > 0 and (at_end or z_modulus < modulus * factor):
        lost = _REFERENCE * (reference + modulus * factor)
        lost += orbit.error * power(orbit.error_exponent - unit) if at_end else 0.0
        _rebase(w, i, zx, zx_low, zy, zy_low, factor, unit, lost, place.exponent)
        return
    after = place.exponent
    if modulus > 0.0:
        size = math.frexp(modulus)[1] + exponent
        after = max(after, 2 * size, tiny_exponent + size + 2)
    set_exponent(w, i, after, place.exponent)
    r, to_after = w[R + i] * factor, power(unit + exponent - after)
    if fields is not None:
        _differentiate_past_zero(w, i, zx, zy, z_modulus, reference, r, to_after, place.spacing)
    tx, tx_low = dd.add(zx, zx_low, ref_x, ref_x_low)
    ty, ty_low = dd.add(zy, zy_low, ref_y, ref_y_low)
    slope = 2.0 * z_modulus * (1.0 + 2.0**-48) + _REFERENCE * reference + r
    product = (2.0 * (abs(tx) + abs(ty)) + reference) * (abs(w[X + i]) + abs(w[Y + i]))
    w[R + i] = (w[R + i] * slope * to_after + _rounding_error(product * to_after, w, i)) * _OUTWARD + 2.0**-900
    _multiply_add(w, i, tx * to_after, tx_low * to_after, ty * to_after, ty_low * to_after)
    w[M + i] += 1.0
    w[N + i] += 1.0


@inner
def _differentiate_past_zero(
    w: Floats, i: int, zx: float, zy: float, modulus: float, reference: float, r: float, to_after: float, spacing: float
) -> None:
    """Do the step of the derivative of lane `i`, where z is known to `r`; `to_after` brings a product to new units."""
    gx, gy, added = w[GX + i], w[GY + i], w[DC_SCALE + i] * spacing
    slope = abs(gx) + abs(gy)
    q = 2.0 * ((modulus + r) * w[Q + i] + r * slope) + _SLOPE * (modulus + reference) * slope
    w[Q + i] = (q * to_after + _SLOPE * added) * _OUTWARD
    w[GX + i], w[GY + i] = 2.0 * (zx * gx - zy * gy) * to_after + added, 2.0 * (zx * gy + zy * gx) * to_after


@inner
def _step(w: Floats, active: int, spacing: float, slopes: Floats | None) -> None:
    """Do an ordinary step: w' = (Z + z) w + dc, and g' = 2 z g + spacing unless `slopes` is None."""
    for i in range(active):
        zx, zy, x, y, r = w[ZX + i], w[ZY + i], w[X + i], w[Y + i], w[R + i]
        modulus, scale = np.sqrt(zx * zx + zy * zy), w[SCALE + i]
        if slopes is not None:
            gx, gy, added = w[GX + i], w[GY + i], spacing * w[DC_SCALE + i]
            slope = abs(gx) + abs(gy)
            q = 2.0 * ((modulus + scale * r) * w[Q + i] + scale * r * slope) + _SLOPE * (modulus * slope + added)
            w[Q + i] = q * _OUTWARD
            w[GX + i], w[GY + i] = 2.0 * (zx * gx - zy * gy) + added, 2.0 * (zx * gy + zy * gx)
        tx, tx_low = dd.add(zx, w[ZX_LOW + i], w[REF_X + i], w[REF_X_LOW + i])
        ty, ty_low = dd.add(zy, w[ZY_LOW + i], w[REF_Y + i], w[REF_Y_LOW + i])
        reference = abs(w[REF_X + i]) + abs(w[REF_Y + i])
        growth = 2.0 * modulus * (1.0 + 2.0**-48) + _REFERENCE * reference + scale * r
        lost = _rounding_error((2.0 * (abs(tx) + abs(ty)) + reference) * (abs(x) + abs(y)), w, i)
        w[R + i] = (r * growth + lost) * _OUTWARD + 2.0**-900
        _multiply_add(w, i, tx, tx_low, ty, ty_low)
        w[N + i] += 1.0
        w[M + i] += 1.0


@inlined
def _rounding_error(product: float, w: Floats, i: int) -> float:
    """Return a bound on the rounding error of a step of lane `i`, from |2 t w| + |Z w|."""
    return _STEP * (product + w[DC_SCALE + i] * (abs(w[DC_X + i]) + abs(w[DC_Y + i])))


@inlined
def _multiply_add(w: Floats, i: int, tx: float, tx_low: float, ty: float, ty_low: float) -> None:
    """Replace w of lane `i` by t w + dc."""
    scale = w[DC_SCALE + i]
    dc_x, dc_x_low, dc_y, dc_y_low = w[DC_X + i], w[DC_X_LOW + i], w[DC_Y + i], w[DC_Y_LOW + i]
    w[X + i], w[X_LOW + i], w[Y + i], w[Y_LOW + i] = dd.multiply_add(
        tx, tx_low, ty, ty_low, w[X + i], w[X_LOW + i], w[Y + i], w[Y_LOW + i],
        scale * dc_x, scale * dc_x_low, scale * dc_y, scale * dc_y_low,
    )  # fmt: skip
