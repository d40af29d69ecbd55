"""Find all roots of a function in float64 by the Ehrlich-Aberth method, as starting points for proven roots.

O. Aberth, Iteration methods for finding all zeros of a polynomial simultaneously, Math. Comp. 27 (1973).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_MOST_STEPS = 400
"""Greatest number of steps; about thirty are enough for the degrees of small periods."""

_SETTLED = 1e-13
"""A root has converged when its step is smaller than this."""

_LONGEST = 0.5
"""Greatest length of a step."""

_START_RADIUS, _START_MIDDLE = 1.6, -0.6
"""The circle on which all roots start: around the set, and not symmetric to its roots."""


def all_roots(newton: Callable[[NDArray[Any]], NDArray[Any]], count: int) -> NDArray[np.complex128]:
    """Return approximations of the `count` roots of a polynomial, shape (count,).

    Parameters
    ----------
    newton : callable
        Returns f / f' at an array of points.
    count : int
        The degree of f.
    """
    turns = (np.arange(count) + 0.25) / count
    roots: NDArray[Any] = _START_MIDDLE + _START_RADIUS * np.exp(2j * np.pi * turns)
    moving = np.ones(count, bool)
    for _ in range(_MOST_STEPS):
        with np.errstate(all="ignore"):
            step = newton(roots[moving])
            apart = roots[moving, None] - roots[None, :]
            apart[np.arange(apart.shape[0]), np.flatnonzero(moving)] = np.inf
            step = step / (1 - step * (1 / apart).sum(axis=1))
        step = np.where(np.isfinite(step), step, 0.01 * (1 + 1j))
        size = np.abs(step)
        step = step / np.maximum(1, size / _LONGEST)
        roots[moving] -= step
        moving[np.flatnonzero(moving)[size < _SETTLED]] = False
        if not moving.any():
            break
    return roots
