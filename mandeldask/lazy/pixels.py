"""One field at the pixels of a grid: the source of lazily indexed arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mandeldask.fractal.rationals import as_key
from mandeldask.lazy.cluster_orbits import run_kernel
from mandeldask.lazy.field_cache import fields
from mandeldask.lazy.tokens import normalize_token

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Grid
    from mandeldask.fractal.kernel import Kernel


@dataclass(frozen=True, slots=True)
class Pixels:
    """One field at the pixels of a grid, not computed yet."""

    kernel: Kernel
    """Computes the field, and possibly other fields."""
    grid: Grid
    """Positions of the pixels."""
    field: str
    """Name of the field."""

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels (height, width)."""
        return self.grid.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.kernel.dtypes[self.field]

    def read(self, rows: slice, cols: slice) -> NDArray[Any]:
        """Return the pixels of two slices, shape (len(rows), len(cols))."""
        window = self.grid[rows, cols]
        if len(self.kernel.dtypes) == 1:
            return run_kernel(self.kernel, window)[self.field]
        return fields.take(self.kernel, window, self.field)

    def constant(self) -> np.generic | None:
        """Return the common value of all pixels if the kernel knows it without computing them, else None."""
        known = getattr(self.kernel, "constant", None)
        values = None if known is None else known(self.grid)
        return None if values is None else values[self.field]

    def __dask_tokenize__(self) -> Any:
        least = getattr(self.kernel, "least", None)
        kernel = self.kernel if least is None else least(self.field)
        return self.field, content_token(kernel, self.grid)


def content_token(kernel: Kernel, grid: Grid) -> Any:
    """Return a token of all inputs that determine the values of `kernel` on `grid`."""
    return normalize_token(kernel), as_key(grid.im.start, grid.im.step, grid.re.start, grid.re.step), grid.shape
