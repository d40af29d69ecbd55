"""External rays: each component of the set is identified by the angles of the rays that land at its root.

A ray of angle theta is the curve along which the Boettcher map has that argument. It is followed inwards by Newton's
method. Two rays land at the root of every component except the main one (A. Douady, J. H. Hubbard).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FARTHEST = 2.0**16
"""Modulus at which rays begin: beyond it, c and its Boettcher map are equal in float64."""

STEPS = 8
"""Number of points of a ray for each square root of the modulus."""

_NEWTON = 6
"""Newton steps from one point of a ray to the next."""


def ray_ends(period: int, halvings: int) -> NDArray[np.complex128]:
    """Return a point of each ray of angle ``k / (2**period - 1)``, close to its landing point.

    Parameters
    ----------
    period : int
        Period of the angles under doubling, or a multiple of it.
    halvings : int
        Number of times that the logarithm of the modulus is halved on the way inwards.

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
