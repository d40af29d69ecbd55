"""dask arrays of pixels that refuse to be computed as a whole if they do not fit into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from mandeldask.internals.dask_names import example_of
from mandeldask.lazy.memory import check_read

if TYPE_CHECKING:
    from collections.abc import Callable

    from mandeldask.lazy.pixels import Pixels

COPIES = 2
"""Copies of a dask result in memory: the blocks, and the array that joins them."""


class GuardedArray(da.Array):
    """A dask array that raises MemoryError if it is computed as a whole and does not fit into memory.

    Windows, reductions and other results of it are plain dask arrays. If blocks are larger than tiles, windows consist
    of tiles, so that no unnecessary pixels are computed.
    """

    __slots__ = ("pixels", "tiled")
    pixels: Pixels | None
    """The pixels that it computes; None after unpickling."""
    tiled: Callable[[], da.Array] | None
    """Returns the same pixels in tiles; None if blocks are tiles, and after unpickling."""

    @classmethod
    def of(
        cls, array: da.Array, pixels: Pixels | None = None, tiled: Callable[[], da.Array] | None = None
    ) -> GuardedArray:
        """Return `array` as a GuardedArray."""
        guarded: GuardedArray = cls(array.dask, array.name, array.chunks, dtype=array.dtype, meta=example_of(array))
        guarded.pixels, guarded.tiled = pixels, tiled
        return guarded

    def __getitem__(self, index: Any) -> da.Array:
        """Return a window, made of tiles."""
        tiled = getattr(self, "tiled", None)
        whole = isinstance(index, tuple) and all(isinstance(one, slice) and one == slice(None) for one in index)
        picked: da.Array = super().__getitem__(index) if tiled is None or whole else tiled()[index]  # type: ignore[no-untyped-call]
        return picked

    @property
    def vindex(self) -> Any:
        """Pointwise indexing, made of tiles."""
        tiled = getattr(self, "tiled", None)
        return super().vindex if tiled is None else tiled().vindex

    def copy(self) -> GuardedArray:
        """Return the same array, which is immutable; dask's own method would return one that is not guarded."""
        return self

    def __array__(self, *args: Any, **keywords: Any) -> Any:
        """Return the pixels. The size is checked before dask imports distributed, which takes 0.2 s."""
        self._check()
        return super().__array__(*args, **keywords)  # type: ignore[no-untyped-call]

    def compute(self, **keywords: Any) -> Any:
        """Return the pixels, as `__array__` does."""
        self._check()
        return super().compute(**keywords)  # type: ignore[no-untyped-call]

    def __dask_postcompute__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return the function that joins the blocks. dask calls this before it computes anything.

        Raises
        ------
        MemoryError
            If the array is too large.
        """
        self._check()
        finalize: tuple[Callable[..., Any], tuple[Any, ...]] = super().__dask_postcompute__()  # type: ignore[no-untyped-call]
        return finalize

    def _check(self) -> None:
        check_read(self.shape, np.dtype(self.dtype).itemsize, copies=COPIES)
