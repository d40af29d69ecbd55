"""Fields of one grid, computed by one kernel: where lazily indexed arrays get their pixels."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Any

from dask.base import normalize_token

from mandeldask.forking import renewed_in_children
from mandeldask.fractal.rationals import as_key
from mandeldask.lazy.workers import computed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Grid
    from mandeldask.fractal.mandelbrot import Kernel

KEPT_BYTES = 2**26
"""Fields kept for a reader who has asked for another field of the same pixels (64 MiB)."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """One field at the pixels of a grid, not computed yet."""

    kernel: Kernel
    """Computes the field, and possibly others."""
    grid: Grid
    """Where the pixels are."""
    field: str
    """Which of the kernel's fields."""

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
            return computed(self.kernel, window)[self.field]
        return _passes.take(self.kernel, window, self.field)

    def __dask_tokenize__(self) -> Any:
        return self.field, content_token(self.kernel, self.grid)


def content_token(kernel: Kernel, grid: Grid) -> Any:
    """Return what determines every value that `kernel` computes on `grid`."""
    return normalize_token(kernel), as_key(grid.im.start, grid.im.step, grid.re.start, grid.re.step), grid.shape


@dataclass(slots=True)
class _Pass:
    """What is left of one kernel call."""

    running: RLock = field(default_factory=RLock)
    fields: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        return sum(pixels.nbytes for pixels in self.fields.values())


class Passes:
    """Kernel calls whose fields are taken one by one, as xarray loads the variables of a Dataset.

    A pass computes all fields of the kernel; those not asked for yet are kept until someone takes them, or until newer
    ones need the room.

    Parameters
    ----------
    max_bytes : int
        What may be kept.
    """

    def __init__(self, max_bytes: int = KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self.renew()
        renewed_in_children(self)

    def renew(self) -> None:
        """Keep nothing: what the threads of its parent compute never comes to a forked child."""
        self._passes: OrderedDict[tuple[Kernel, Grid], _Pass] = OrderedDict()
        self._lock = RLock()

    @property
    def nbytes(self) -> int:
        """Bytes kept now."""
        return sum(one.nbytes for one in list(self._passes.values()))

    def take(self, kernel: Kernel, grid: Grid, name: str) -> NDArray[Any]:
        """Return a field, computed now or by the call that computed another field of the same grid."""
        key = kernel, grid
        with self._lock:
            one = self._passes.setdefault(key, _Pass())
            self._passes.move_to_end(key)
        with one.running:
            if name not in one.fields:
                one.fields = dict(computed(kernel, grid))
            pixels = one.fields.pop(name)
        self._trim(key, one)
        return pixels

    def _trim(self, key: tuple[Kernel, Grid], one: _Pass) -> None:
        """Forget the pass if all of it was taken, and the oldest ones while too much is kept."""
        with self._lock:
            if not one.fields and self._passes.get(key) is one:
                del self._passes[key]
            while self._passes and self.nbytes > self._max_bytes:
                self._passes.popitem(last=False)


_passes = Passes()
