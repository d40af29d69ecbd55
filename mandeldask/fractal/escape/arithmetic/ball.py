"""One step of an orbit for a whole disc of c at once, in float64 with every rounding outward.

A disc of orbits is a middle z and a radius r: for every c within `rho` of the middle c, the exact iterate lies within r
of z. From ``(z + w)^2 + (c + g) - (z^2 + c) = (2 z + w) w + g`` with |w| <= r, |g| <= rho follows
``r' = (2 |z| + r) r + rho``; Lemma P1 derives the constants.
"""

from __future__ import annotations

from math import sqrt

from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import inner

ROUNDING: ErrorBound = 2.0**-48
"""Bound on the rounding error of the middle in one step, for |z|, |c| <= 2.5: at most 26.1 units of 2^-53."""

OUTWARD: ErrorBound = 1.0 + 2.0**-48
"""Factor above 1 that covers the rounding of |z|, of the radius and of a comparison (some 10 units of 2^-53)."""


@inner
def widened(modulus: float, radius: float, rho: float) -> float:
    """Return the radius after one step from a middle of that `modulus`, for c within `rho`."""
    return ((2.0 * modulus + radius) * radius + rho + ROUNDING) * OUTWARD


@inner
def modulus_of(x: float, y: float) -> float:
    """Return |x + iy|, rounded up."""
    return sqrt(x * x + y * y) * OUTWARD


@inner
def certainly_out(modulus: float, radius: float) -> bool:
    """Whether every point of the disc has left |z| <= 2; `modulus` is rounded up by no more than OUTWARD twice."""
    return modulus - radius > 2.0 + 8.0 * ROUNDING * (1.0 + modulus)


@inner
def certainly_in(modulus: float, radius: float) -> bool:
    """Whether every point of the disc has |z| <= 2."""
    return modulus + radius < 2.0 - 8.0 * ROUNDING
