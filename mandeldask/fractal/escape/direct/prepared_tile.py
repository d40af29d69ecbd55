"""The data of a tile that the direct stages share, computed once: positions, blocks and their series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mandeldask.fractal.escape.arithmetic.positions import as_pair, positions
from mandeldask.fractal.escape.direct import block_series

if TYPE_CHECKING:
    from typing import Self

    import numpy as np
    from numpy.typing import NDArray

    from mandeldask.fractal.escape.direct.block_counts import Answers
    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.geometry import Grid


@dataclass(slots=True)
class PreparedTile:
    """The frame of whole blocks around a tile, and the series of its blocks once a stage has computed them."""

    re: NDArray[np.float64]
    """Positions of the columns of the frame, high and low part, shape (2, width)."""
    im: NDArray[np.float64]
    """Positions of its rows, shape (2, height)."""
    steps: tuple[float, float]
    """Distances of columns and of rows."""
    shape: tuple[int, int]
    """Height and width of the frame."""
    before: tuple[int, int]
    """Rows and columns of the frame before the tile's first."""
    starts: block_series.Series | None = None
    """Series from which pixels are iterated, for the blocks that had open pixels when it was computed."""

    @classmethod
    def of(cls, grid: Grid) -> Self:
        """Return the data of a tile, without series."""
        frame, above, left = block_series.frame(grid)
        steps = as_pair(grid.re.step)[0], as_pair(grid.im.step)[0]
        return cls(positions(frame.re), positions(frame.im), steps, frame.shape, (above, left))

    def blocks(self, tile: Tile, pixels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for every block whether it holds one of `pixels`, shape (rows, columns)."""
        return block_series.blocks(pixels, tile.grid.shape, self.before, self.shape)

    def series(self, tile: Tile, wanted: NDArray[np.bool_], tolerance: float, answers: Answers) -> block_series.Series:
        """Return new series of the blocks that are `wanted`; parameters as those of `block_series.start`."""
        return block_series.start(
            self.re, self.im, self.steps, tile.maxiter, wanted.ravel(), tolerance, answers, tile.cancellation.flag
        )

    def no_series(self) -> block_series.Series:
        """Return series of no iterations: all pixels begin at z_0 = 0."""
        rows, cols = self.shape
        return block_series.Series.blank((rows // block_series.BLOCK) * (cols // block_series.BLOCK))


def prepared(tile: Tile) -> PreparedTile:
    """Return the data of `tile`, computed by the first stage that needs it."""
    found: PreparedTile = tile.prepared or PreparedTile.of(tile.grid)
    tile.prepared = found
    return found
