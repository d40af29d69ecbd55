"""PixelVariable: lazily indexed pixels whose `.chunk()` makes a dask array of only the window.

xarray would wrap the lazy array with `dask.array.from_array`. That computes every field separately, and is wrong for
blocks longer than 2^53 pixels, since dask slices blocks in floats.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from mandeldask.internals.xarray_names import content_of
from mandeldask.lazy.blocks import MAX_BLOCKS, TILESIZE, blocks_along
from mandeldask.lazy.indexing import pixels_of
from mandeldask.lazy.memory import MAX_PIXELS, check_read
from mandeldask.lazy.tokens import normalize_token

if TYPE_CHECKING:
    from typing import Self

MOST_BLOCKS = 1024
"""Greatest number of blocks along an axis for `.chunk()`: reducing more than 256 takes seconds."""


class PixelVariable(xr.Variable):
    """A Variable that may hold lazily indexed pixels; windows of it are PixelVariables."""

    __slots__ = ()

    def chunk(  # type: ignore[override]  # noqa: PLR0913, PLR0917  xarray's signature
        self,
        chunks: Any = {},  # noqa: B006  the same signature; it is not modified
        name: str | None = None,
        lock: bool | None = None,  # noqa: FBT001
        inline_array: bool | None = None,  # noqa: FBT001
        chunked_array_type: Any = None,
        from_array_kwargs: Any = None,
        **chunks_kwargs: Any,
    ) -> Self:
        """Return the pixels as a dask array, in blocks from the window's corner.

        If one block is requested and is too large, the pixels stay lazily indexed: `chunks={}` can open whole trees.

        Raises
        ------
        ValueError
            If there would be more than `MOST_BLOCKS` blocks along an axis, or if "auto" would need blocks that are too
            large to compute.
        MemoryError
            If a whole level is to be divided unevenly.
        """
        pixels = pixels_of(self)
        sides = None if pixels is None else _sides(_by_axis(self, chunks_kwargs or chunks), pixels.shape)
        if pixels is None or sides is None:
            check_read(self.shape)
            return super().chunk(
                chunks, name, lock, inline_array, chunked_array_type, from_array_kwargs, **chunks_kwargs
            )
        if math.prod(sides) > MAX_PIXELS:
            return self._unchunked(sides)
        from mandeldask.lazy.dask_blocks import dask_arrays  # noqa: PLC0415  dask only if needed

        blocks = dask_arrays(pixels.grid, pixels.kernel, sides)[pixels.field]
        encoding = {name: value for name, value in self.encoding.items() if name != "chunks"}  # the chunks of the level
        return self._replace(data=blocks, encoding=encoding)

    def __getitem__(self, key: Any) -> Self:
        """Return a window.

        The window's dask blocks may start inside Zarr chunks of the level, so its encoding has no chunks.
        """
        window = super().__getitem__(key)
        if window.chunks is not None and window.shape != self.shape:
            window.encoding = {name: value for name, value in window.encoding.items() if name != "chunks"}
        return window

    def _unchunked(self, sides: tuple[int, int]) -> Self:
        """Return the lazily indexed pixels if the request is one block too large to compute."""
        if sides != self.shape:
            msg = (
                f"{self.shape[0]} x {self.shape[1]} pixels are too many for dask: its blocks would need to have "
                f"{sides[0]} x {sides[1]} pixels, more than can be computed at once: select a window first"
            )
            raise ValueError(msg)
        return self

    def __dask_tokenize__(self) -> Any:
        """Return a token of the inputs that determine the content; xarray's own method would compute the pixels."""
        pixels = pixels_of(self)
        content = content_of(self) if pixels is None else pixels.__dask_tokenize__()
        return normalize_token((type(self).__name__, self._dims, content, self._attrs or None))


class LabelVariable(xr.Variable):
    """Coordinates that an index computes, never dask arrays, since `.chunk()` would list all blocks."""

    __slots__ = ()

    def chunk(self, *_: Any, **__: Any) -> Self:
        """Return the same coordinates, as xarray's own index variables do."""
        return self.copy(deep=False)


def _sides(asked: tuple[Any, ...], shape: tuple[int, int]) -> tuple[int, int] | None:
    """Return the requested block size (height, width); None if the blocks differ in size."""
    height, width = (_side(one, size) for one, size in zip(asked, shape, strict=True))
    if height is None or width is None:
        return None
    blocks = max(blocks_along(shape, (height, width)))
    if blocks > MOST_BLOCKS:
        msg = (
            f"{blocks} blocks along an axis are too many for dask, which would list them all (at most "
            f"{MOST_BLOCKS}): select a window first, or ask for larger chunks"
        )
        raise ValueError(msg)
    return height, width


def _side(asked: Any, size: int) -> int | None:
    """Return the block size along one axis."""
    if asked is None or asked == -1:
        return max(1, size)
    if asked == "auto":
        return max(TILESIZE, -(-size // MAX_BLOCKS))
    if isinstance(asked, tuple):
        regular = all(one == asked[0] for one in asked[:-1]) and 0 < asked[-1] <= asked[0]
        return int(asked[0]) if regular else None
    return int(asked) if isinstance(asked, (int, np.integer)) and asked > 0 else None


def _by_axis(variable: xr.Variable, chunks: Any) -> tuple[Any, ...]:
    """Return the requested chunks of each axis, from any form that xarray accepts."""
    if isinstance(chunks, dict):
        return tuple(chunks.get(dim, chunks.get(axis)) for axis, dim in enumerate(variable.dims))
    if isinstance(chunks, (tuple, list)):
        return tuple(tuple(one) if isinstance(one, list) else one for one in chunks)
    return (chunks,) * variable.ndim
