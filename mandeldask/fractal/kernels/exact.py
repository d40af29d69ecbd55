"""The last stage: pixel by pixel in arithmetic that can prove anything, for the few that the stages before left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.kernels.fixed import escape_count

if TYPE_CHECKING:
    from mandeldask.fractal.kernels.tile import Tile


def answer_exactly(tile: Tile) -> None:
    """Answer every open pixel of `tile`."""
    for pixel in tile.open.tolist():
        tile.cancellation.check()
        tile.counts[pixel] = escape_count(tile.grid.point(*divmod(pixel, tile.grid.re.size)), tile.maxiter)
    tile.close("exact", np.ones(tile.open.size, np.bool_))
