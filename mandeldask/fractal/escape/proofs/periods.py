"""Periods of the pixels that do not escape: by their own cycles, and inside minibrots by those of its map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.limits import MOST_MINIBROT_FAILURES, MOST_MINIBROTS
from mandeldask.fractal.escape.perturbation.reference_orbit import bits_for, finest_of
from mandeldask.fractal.escape.proofs.interior_stage import periods_one_by_one, positions_of
from mandeldask.fractal.escape.proofs.minibrot_stage import periods_around

if TYPE_CHECKING:
    from mandeldask.fractal.escape.tile import Tile


def find_periods(tile: Tile) -> None:
    """Write the period of every pixel that does not escape and whose cycle can be proven; it closes no pixel.

    Raises
    ------
    mandeldask.cancellation.Cancelled
        If the computation was cancelled.
    """
    if tile.period is None:
        return
    pixels = _unknown(tile)
    tile.period[pixels] = periods_one_by_one(*positions_of(tile, pixels), tile.cancellation.flag)
    tile.cancellation.check()
    bits, failures = bits_for(finest_of(tile.grid)), 0
    pixels = _unknown(tile)
    for _ in range(MOST_MINIBROTS):
        if not pixels.size or failures == MOST_MINIBROT_FAILURES:
            break
        middle = int(pixels[pixels.size // 2])
        found = periods_around(tile, tile.grid.point(*divmod(middle, tile.grid.re.size)), pixels, bits)
        tile.cancellation.check()
        tile.period[pixels] = found
        failures += not found.any()
        pixels = pixels[(found == 0) & (pixels != middle)]


def _unknown(tile: Tile) -> np.ndarray:
    """Return the pixels that do not escape and have no period yet."""
    return np.flatnonzero((tile.counts == tile.maxiter) & (tile.period == 0))
