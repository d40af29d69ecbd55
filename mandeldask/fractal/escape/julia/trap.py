"""Discs around the attracting cycle of c, if it has one, that the recurrence maps into each other: orbits stay.

If f^p maps a disc into itself, orbits that reach it, or an image of it, are bounded; outside |z| <= 2 none is bounded,
since |c| <= 2. How the discs are found needs no proof.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic.ball import OUTWARD, ROUNDING, modulus_of, widened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.rationals import Point

_SETTLING_STEPS = 4096
"""Iterations after which the orbit of 0 is assumed to be near its cycle."""
_LONGEST_PERIOD = 1024
"""Greatest period that is tried."""
_NEWTON_STEPS = 12
_RADII = [2.0 ** (-k / 4) for k in range(72)]
"""Radii that are tried, the largest first; below 2^-18 a disc is too small for float64 lanes."""


@lru_cache(maxsize=64)
def trap_of(c: Point) -> NDArray[np.float64]:
    """Return discs to which orbits always return: rows x, y and radius, shape (3, period); (3, 0) if none is proven.

    Examples
    --------
    >>> from mandeldask.fractal.rationals import as_point
    >>> [trap_of(as_point(c)).shape for c in ("-1", "-0.123+0.745j", "0.4", "1j")]
    [(3, 2), (3, 3), (3, 0), (3, 0)]
    """
    value = complex(float(c.re), float(c.im))
    cycle = _cycle(value)
    for radius in _RADII if cycle else ():
        discs = _images(value, cycle[0], radius, len(cycle))
        if discs is not None:
            return discs
    return np.empty((3, 0))


def _cycle(c: complex) -> list[complex]:
    """Return the points of a cycle that seems to attract the orbit of 0, the one nearest to 0 first."""
    z = 0j
    for _ in range(_SETTLING_STEPS):
        z = z * z + c
        if abs(z) > 2.0:
            return []
    period = _period(c, z)
    for _ in range(_NEWTON_STEPS if period else 0):
        image, slope = z, 1 + 0j
        for _ in range(period):
            image, slope = image * image + c, 2.0 * image * slope
        if slope == 1.0 or abs(slope) > 2.0:
            return []
        z -= (image - z) / (slope - 1.0)
        if not abs(z) <= 2.0:
            return []
    cycle = []
    for _ in range(period):
        cycle.append(z)
        z = z * z + c
    first = min(range(period), key=lambda k: abs(cycle[k]), default=0)
    return cycle[first:] + cycle[:first]


def _period(c: complex, z: complex) -> int:
    """Return the number of iterations after which z comes back, 0 if it does not."""
    image, nearest, period = z, 2.0**-12, 0
    for n in range(1, _LONGEST_PERIOD + 1):
        image = image * image + c
        if abs(image - z) < nearest / 16:
            nearest, period = abs(image - z), n
    return period


def _images(c: complex, z: complex, radius: float, period: int) -> NDArray[np.float64] | None:
    """Return the images of the disc around `z`, itself first, if the last lies inside the first."""
    discs, r, first = np.empty((3, period)), radius, z
    for n in range(period):
        discs[:, n] = z.real, z.imag, r
        modulus = modulus_of(z.real, z.imag)
        if not modulus + r < 2.5:
            return None
        r = widened(modulus, r, ROUNDING)
        z = z * z + c
    inside = modulus_of(z.real - first.real, z.imag - first.imag) + r < radius * (2.0 - OUTWARD)
    return discs if inside else None
