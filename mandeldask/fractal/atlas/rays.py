"""External rays: the angles at which components of the set are seen from afar.

A ray of angle theta is the curve along which the Boettcher map has that argument. It is followed inwards by Newton's
method; two rays land at the root of every component but the main one, and they name it (A. Douady, J. H. Hubbard).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FARTHEST = 2.0**16
"""Modulus at which rays begin: |c| and the Boettcher map differ by less than float64 shows from there on."""

STEPS = 8
"""Points of a ray while the modulus is replaced by its square root once."""

_NEWTON = 6
"""Newton steps to a point of a ray from the one before."""


def ray_ends(period: int, halvings: int) -> NDArray[np.complex128]:
    """Return a point of each ray of angle ``k / (2**period - 1)``, close to where it lands.

    Parameters
    ----------
    period : int
        Of the angles under doubling, or a multiple.
    halvings : int
        How often the logarithm of the modulus is halved on the way in.

    Returns
    -------
    ndarray, shape (2**period - 1,)
        Points by k.
    """
    denominator = 2**period - 1
    angles = np.arange(denominator)
    c: NDArray[Any] = FARTHEST * np.exp(2j * np.pi * angles / denominator)
    for count in range(1, halvings + 1):
        turned = np.exp(2j * np.pi * angles / denominator)  # angle doubled count - 1 times, exactly
        for step in range(1, STEPS + 1):
            c = _newton(c, FARTHEST ** (2.0 ** (-step / STEPS)) * turned, count)
        angles = angles * 2 % denominator
    return c


def _newton(c: NDArray[Any], target: NDArray[Any], count: int) -> NDArray[Any]:
    """Solve z_count(c) = target from nearby."""
    for _ in range(_NEWTON):
        z, slope = np.zeros_like(c), np.zeros_like(c)
        for _ in range(count):
            slope = 2 * z * slope + 1
            z = z * z + c
        c = c - (z - target) / slope
    return c
