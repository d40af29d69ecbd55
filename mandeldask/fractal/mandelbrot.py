"""Mandelbrot: a callable that computes the fields of the Mandelbrot set on a Grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.cost import cost
from mandeldask.fractal.escape.plan import run
from mandeldask.fractal.escape_time import EscapeTime
from mandeldask.fractal.kernel import About

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.geometry import Grid

ABOUT = About("mandelbrot", "The Mandelbrot set")


@dataclass(frozen=True, slots=True)
class Mandelbrot(EscapeTime):
    """A `Kernel`: exact escape counts of the Mandelbrot set, and other fields in the same pass.

    Examples
    --------
    >>> from mandeldask.fractal.geometry import Grid
    >>> Mandelbrot(maxiter=255)(Grid.window("0", "4", (3, 4)))["iterations"].dtype
    dtype('uint8')
    """

    @property
    def about(self) -> About:
        """Title and names to display."""
        return ABOUT

    def seconds(self, grid: Grid) -> float:
        """Return an upper estimate of the seconds of one core that `grid` may take."""
        return cost(grid, self.maxiter, self.fields).seconds

    def answer(self, tile: Tile) -> None:
        """Compute every pixel of `tile`."""
        run(tile)
        if tile.period is not None:
            from mandeldask.fractal.escape.proofs.periods import find_periods  # noqa: PLC0415  numba

            find_periods(tile)

    def constant(self, grid: Grid, /) -> Mapping[str, np.generic] | None:
        """Return the value of each field if it is the same at every pixel of `grid`, and one proof shows it; else None.

        It takes microseconds for any number of pixels. The result is None if the pixels differ, or if a component is
        too small for one proof.
        """
        from mandeldask.fractal.escape.proofs.quadtree_stage import common_answer  # noqa: PLC0415  numba

        wants_orbits = not {"smooth", "distance"}.isdisjoint(self.fields)
        found = common_answer(grid, self.maxiter, escapes=not wants_orbits)
        if found is None:
            return None
        count, period = found
        if "period" in self.fields and count == self.maxiter and not period:
            return None  # pixels may still be proven individually
        values = {"iterations": count, "period": period, "distance": np.nan}
        return {field: self._constant(field, values) for field in self.fields}

    def _constant(self, field: str, values: Mapping[str, float]) -> np.generic:
        """Return one value in the dtype of its field."""
        if field == "smooth" and self._packing is not None:
            packed: np.generic = self._packing.packed(np.array([np.nan]))[0]
            return packed
        value: np.generic = self._dtype(field).type(values.get(field, np.nan))
        return value
