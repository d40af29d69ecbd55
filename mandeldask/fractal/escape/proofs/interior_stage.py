"""A stage for pixels that have not escaped after many iterations: attracting cycles, proven pixel by pixel.

It runs after a first stage of orbits that ends after some hundred iterates, and before the stages for longer ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.fractal.escape.arithmetic.jit import inner, kernel
from mandeldask.fractal.escape.arithmetic.positions import positions
from mandeldask.fractal.escape.limits import FARTHEST_CYCLE
from mandeldask.fractal.escape.proofs.attracting_cycle import attracting_period, periodic_point
from mandeldask.fractal.escape.proofs.disc_of_c import MOST_STEPS_TO_CYCLE, PROVEN, classify

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.geometry import Axis

_ITERATES_PER_STEP = 64
"""Number of iterates in lockstep lanes that take as long as one step here."""

_FIRST_BUDGET = 1 << 14
"""Steps allowed before the first success, in addition to 1/32 of the time that iterating would take."""


def answer_by_attracting_cycle(tile: Tile) -> None:
    """Answer open pixels of `tile` whose orbits approach an attracting cycle, while that is faster than iterating."""
    c_x, c_y, rho = positions_of(tile, tile.open)
    periods = attracting_periods(c_x, c_y, rho, tile.maxiter, tile.cancellation.flag)
    tile.close(periods > 0)


def periods_one_by_one(
    c_x: NDArray[np.float64], c_y: NDArray[np.float64], rho: float, flag: NDArray[np.uint8]
) -> NDArray[np.uint32]:
    """Return what `attracting_periods` returns, each by its own orbit: no result depends on other pixels."""
    periods = np.zeros(c_x.size, np.uint32)
    _prove_each(c_x, c_y, rho, periods, flag)
    return periods


def attracting_periods(
    c_x: NDArray[np.float64], c_y: NDArray[np.float64], rho: float, maxiter: int, flag: NDArray[np.uint8]
) -> NDArray[np.uint32]:
    """Return the period of the cycle proven for every c within `rho` of each ``c_x + i c_y``, 0 where none was.

    It stops if too few tests succeed: then iterating up to `maxiter` is faster. The proof allows an error of `rho` in
    every iterate, from any cause.
    """
    periods = np.zeros(c_x.size, np.uint32)
    _prove_in_order(c_x, c_y, rho, maxiter, periods, flag)
    return periods


def positions_of(tile: Tile, pixels: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return re c and im c of `pixels`, and a bound on their error, also in every iterate."""
    im, re = _positions(tile.grid.im), _positions(tile.grid.re)
    rho = 2.0**-49 * float(np.max(np.abs(im)) + np.max(np.abs(re))) + 1e-300
    rows, cols = np.divmod(pixels, re.size)
    tile.cancellation.check()
    return re[cols], im[rows], rho


def _positions(axis: Axis) -> NDArray[np.float64]:
    """Return the nearest float64 to every position; infinity, where no orbit stays, beyond `FARTHEST_CYCLE`."""
    ends = abs(axis[0]), abs(axis[-1])
    if max(ends) > FARTHEST_CYCLE:
        return np.full(axis.size, np.inf)
    high: NDArray[np.float64] = positions(axis)[0]
    return high


@kernel
def _prove_in_order(c_x: Any, c_y: Any, rho: float, maxiter: int, periods: Any, flag: Any) -> None:
    """Prove pixels; the cycle of the last proven pixel is tried first, as neighbours usually share it."""
    gain = maxiter // _ITERATES_PER_STEP
    budget, cycle, x, y = _FIRST_BUDGET + c_x.size * gain // 32, 0, 0.0, 0.0
    for i in range(c_x.size):
        if flag[0] or budget < 0:
            return
        cx, cy = c_x[i], c_y[i]
        found = 0
        if cycle:
            budget -= 8 * cycle
            found, x, y = _from_neighbour(cx, cy, rho, x, y, cycle)
        if not found:
            verdict, _, cycle, steps, x, y = classify(cx, cy, rho, 0.0, min(MOST_STEPS_TO_CYCLE, gain))
            budget -= steps
            found = cycle if verdict == PROVEN else 0
        if found:
            cycle = found
            periods[i] = found
            budget += gain


@kernel
def _prove_each(c_x: Any, c_y: Any, rho: float, periods: Any, flag: Any) -> None:
    for i in range(c_x.size):
        if flag[0]:
            return
        verdict, _, cycle, _, _, _ = classify(c_x[i], c_y[i], rho, 0.0, MOST_STEPS_TO_CYCLE)
        if verdict == PROVEN:
            periods[i] = cycle


@inner
def _from_neighbour(cx: float, cy: float, rho: float, x: float, y: float, cycle: int) -> tuple[int, float, float]:
    """Return the period proven from x + iy, on the cycle of a neighbour, 0 if that fails; and the point on its own."""
    x, y, converged = periodic_point(cx, cy, x, y, cycle)
    return attracting_period(cx, cy, rho, x, y, cycle) if converged else 0, x, y
