"""Smooth escape time and distance estimate from an iterate far out.

With the potential ``G = lim ln|z_n| / 2^n``, which is the same for every bailout:

- ``smooth = -log2(G / ln 2)``, that is ``n - log2(log2|z_n|)`` far out: n + 1 where ``|z_(n+1)| = 2``, could z leave
  without c;
- ``distance = 2 |z_n| ln|z_n| / |dz_n/dc|`` far out, in plane units, that is ``2 G / |G'|``: near the set at most 4
  times the distance to it, and no less than the distance (Koebe).
"""

from __future__ import annotations

import numpy as np

from mandeldask.fractal.kernels.compiled import inlined

FAR_OUT = 2.0**24
"""An iterate is far out at |z|^2 > FAR_OUT (1 + |c|^2): the limits above lie within 2^-24 of what it says."""
WORST = 2.0**-30
"""Square of the greatest relative error of z far out for which a field is given."""
WORST_SLOPE = 2.0**-28
"""The same of dz/dc: the two together leave `distance` a ten-thousandth."""

_LOG2_OF_E = 1.4426950408889634
_HALF_ROOT = 0.7071067811865476


@inlined
def log2(value):
    """Return the binary logarithm of a positive normal number to 2^-40: the same on every machine, unlike libm's."""
    bits = np.float64(value).view(np.int64)
    exponent = (bits >> 52) - 1022
    part = np.int64((bits & 0x000FFFFFFFFFFFFF) | 0x3FE0000000000000).view(np.float64)  # 0.5 to 1
    low = part < _HALF_ROOT
    part = part + part if low else part
    t = (part - 1.0) / (part + 1.0)  # ln(part) = 2 artanh(t), |t| < 0.172
    tt = t * t
    series = 1.0 + tt * (
        1.0 / 3.0 + tt * (1.0 / 5.0 + tt * (1.0 / 7.0 + tt * (1.0 / 9.0 + tt * (1.0 / 11.0 + tt / 13.0))))
    )
    return float(exponent - 1 if low else exponent) + 2.0 * _LOG2_OF_E * t * series


@inlined
def smooth(n, m):
    """Return the smooth escape time from ``m = |z_n|^2`` far out."""
    return n + 1.0 - log2(log2(m))


@inlined
def tolerated(n):
    """Return what `WORST` may be where only `smooth` is given: to 10^-5 of itself."""
    return WORST * min(max(1.0, 0.25 * n), 128.0) ** 2


@inlined
def distance(m, dm):
    """Return the distance estimate from ``m = |z_n|^2`` and ``dm = |dz_n/dc|^2`` far out."""
    return np.sqrt(m / dm) * log2(m) / _LOG2_OF_E
