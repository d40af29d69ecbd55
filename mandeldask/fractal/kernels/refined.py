"""Delta orbits in double-double, pixel by pixel, for the few that float64 leaves open at depth.

The same recurrence, rebasing and bound as in `delta` and `groups`, with r carried as it is.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mandeldask.fractal.kernels import doubledouble as dd
from mandeldask.fractal.kernels.compiled import inner, kernel
from mandeldask.fractal.kernels.delta import MARGIN, power
from mandeldask.fractal.kernels.groups import DEEP, NEAR_ZERO
from mandeldask.fractal.reference import TINY

_STEP = 2.0**-98
"""More than a step loses, per (2 |2 Z + dz| + |Z|) |w| and per |dc|; Z is wrong by 2^-103 of its modulus at most."""

_LOOK = 1023
"""Iterations between two looks at the cancellation flag, as a mask."""


class DoubledOrbit(NamedTuple):
    """A reference orbit in double-double."""

    x: np.ndarray
    y: np.ndarray
    x_low: np.ndarray
    y_low: np.ndarray
    error: float
    """Bound on the error of the last point."""


@kernel
def follow_refined(orbit, dc_x, dc_y, exponent, maxiter, counts, proven, flag):
    """Write the counts that can be proven; `dc_x`, `dc_y` are (high, low) by pixel, in units of 2^exponent."""
    for i in range(counts.size):
        if flag[0]:
            return
        count = _count(orbit, dc_x[0, i], dc_x[1, i], dc_y[0, i], dc_y[1, i], exponent, maxiter, flag)
        if count >= 0:
            counts[i], proven[i] = count, True


@inner
def _count(orbit, d_x, d_x_low, d_y, d_y_low, dc_exponent, maxiter, flag):
    """Return the count of one pixel, or -1."""
    orbit_x, orbit_y, orbit_x_low, orbit_y_low = orbit.x, orbit.y, orbit.x_low, orbit.y_low
    last = orbit_x.size - 1
    d_modulus = np.hypot(d_x, d_y)
    x = x_low = y = y_low = r = 0.0
    exponent = dc_exponent
    m = n = 0
    while True:
        largest = max(abs(x), abs(y))
        if largest > 2.0**40 or 0.0 < largest < 2.0**-40:
            shift = max(math.frexp(largest)[1], dc_exponent - exponent - 60)
            factor = power(-shift)
            x, x_low, y, y_low, r = x * factor, x_low * factor, y * factor, y_low * factor, r * factor
            exponent += shift
        scale = power(exponent) if exponent > DEEP else 0.0
        z_x, z_y = orbit_x[m], orbit_y[m]
        zx, zx_low = dd.add(z_x, orbit_x_low[m], scale * x, scale * x_low)
        zy, zy_low = dd.add(z_y, orbit_y_low[m], scale * y, scale * y_low)
        z2, w2 = zx * zx + zy * zy, x * x + y * y
        modulus, modulus_w, reference = np.sqrt(z2), np.sqrt(w2), np.hypot(z_x, z_y)
        error = scale * r + MARGIN
        error *= 4.0 + error
        if z2 - error > 4.0:
            return n - 1
        if not z2 + error <= 4.0:
            return -1
        if n >= maxiter:
            return maxiter
        deep = exponent < NEAR_ZERO and reference < TINY
        if (deep and m > 0) or (n & _LOOK == 0 and flag[0]):
            return -1
        if m > 0 and (m == last or z2 < scale * scale * w2):
            r = scale * r + 2.0**-100 * (reference + scale * modulus_w) + (orbit.error if m == last else 0.0)
            x, x_low, y, y_low = zx, zx_low, zy, zy_low
            exponent = m = 0
            continue
        if deep:  # dz' = dz^2 + dc, with an exponent that suits the larger
            after = max(dc_exponent, 2 * (exponent + math.frexp(modulus_w)[1])) if modulus_w > 0.0 else dc_exponent
            factor, slope = power(2 * exponent - after), 2.0 * modulus_w + r
            tx, tx_low, ty, ty_low = x * factor, x_low * factor, y * factor, y_low * factor
            exponent = after
        else:
            factor, slope = 1.0, 2.0 * modulus * (1.0 + 2.0**-48) + 2.0**-100 * reference + scale * r
            tx, tx_low = dd.add(zx, zx_low, z_x, orbit_x_low[m])
            ty, ty_low = dd.add(zy, zy_low, z_y, orbit_y_low[m])
        dc_scale = power(dc_exponent - exponent)
        r = r * slope * factor + _STEP * ((2.0 * np.hypot(tx, ty) + reference) * modulus_w + dc_scale * d_modulus)
        r = r * (1.0 + 2.0**-40) + 2.0**-900
        a, a_low = dd.multiply(tx, tx_low, x, x_low)
        b, b_low = dd.multiply(ty, ty_low, y, y_low)
        f, f_low = dd.multiply(tx, tx_low, y, y_low)
        g, g_low = dd.multiply(ty, ty_low, x, x_low)
        a, a_low = dd.add(a, a_low, -b, -b_low)
        f, f_low = dd.add(f, f_low, g, g_low)
        x, x_low = dd.add(a, a_low, dc_scale * d_x, dc_scale * d_x_low)
        y, y_low = dd.add(f, f_low, dc_scale * d_y, dc_scale * d_y_low)
        m += 1
        n += 1
