"""Arrays that are read in their own blocks: a block that contains many chunks is read once and kept for a while."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.shared_cache import SharedCache
from mandeldask.zarrview.blocks import declared
from mandeldask.zarrview.identity import digest, unique
from mandeldask.zarrview.keys import window as window_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mandeldask.zarrview.nodes import Array, Read

BLOCK_BYTES = 2**28
"""Memory for decoded blocks in a process, unless another budget is given."""

BLOCK_LIMIT = 2**30
"""Size in bytes, decoded, of the largest block that is decoded as a whole: a small file may decompress to any size. Of
the blocks above `BLOCK_BYTES`, only the most recent one is kept."""

ENTRY_BYTES = 300
"""Bytes that Python needs for a block in addition to its elements."""


def _cost(block: NDArray[Any]) -> int:
    return block.nbytes + ENTRY_BYTES


class BlockCache(SharedCache["NDArray[Any]"]):
    """The most recently used decoded blocks, up to `max_bytes` of them, or one that is larger.

    For example, a picture of 400 MB is decoded once for hundreds of chunks. A copy in another process is empty.
    """

    def __init__(self, max_bytes: int = BLOCK_BYTES, name: str = "") -> None:
        super().__init__(max_bytes, _cost, name=name, keeps_last=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return (shared_blocks, ()) if self is _blocks else (BlockCache, (self.most,))


_blocks = BlockCache(name="blocks")


def shared_blocks() -> BlockCache:
    """Return the cache of this process, which is used if no other is given."""
    return _blocks


@dataclass(frozen=True, slots=True)
class Blocked:
    """Reads windows of an array from whole blocks, each of which is read once for concurrent callers.

    The first caller's thread reads a block. Windows that consist of whole blocks are read directly and not kept: no
    other chunk needs them.
    """

    read: Read
    """Reads a block, or any window."""
    shape: tuple[int, ...]
    """Elements of the array along each dimension."""
    dtype: np.dtype[Any]
    """Type of the elements."""
    block: tuple[int, ...]
    """Elements of a block along each dimension."""
    identity: str
    """Identity of the content: equal only if every element is equal."""
    missing: Any = None
    """The value for masked elements."""
    budget: BlockCache = field(default_factory=shared_blocks, repr=False, compare=False)
    """Where blocks are kept."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        if self._is_whole(window):
            return self.read(window)
        spans = [
            range(span.start // size, -(-span.stop // size)) for span, size in zip(window, self.block, strict=True)
        ]
        out = np.empty([span.stop - span.start for span in window], self.dtype)
        for coords in product(*spans):
            here = window_of(coords, self.block, self.shape)
            block = self.budget.read((self.identity, coords), partial(self._block, here))
            shared = [(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(window, here, strict=True)]
            target = _relative(shared, window)
            out[target] = block[_relative(shared, here)]
        return out

    def _is_whole(self, window: Sequence[slice]) -> bool:
        """Return whether a window consists of whole blocks, clipped at the end of the array."""
        return all(
            span.start % size == 0 and (span.stop % size == 0 or span.stop == end)
            for span, size, end in zip(window, self.block, self.shape, strict=True)
        )

    def _block(self, window: tuple[slice, ...]) -> NDArray[Any]:
        shape = tuple(span.stop - span.start for span in window)
        return declared(self.read(window), shape, self.dtype, self.missing)


def _relative(spans: Sequence[tuple[int, int]], window: Sequence[slice]) -> tuple[slice, ...]:
    return tuple(
        slice(start - span.start, stop - span.start) for (start, stop), span in zip(spans, window, strict=True)
    )


def in_blocks(
    array: Array, block: tuple[int, ...], chunks: tuple[int, ...] | None = None, budget: BlockCache | None = None
) -> Array:
    """Return `array`, read in blocks that are kept for a while.

    Parameters
    ----------
    array : Array
        Its `fingerprint` must change with its content: that of a file, for example, depends on the stamp of the
        file. An array without a fingerprint gets a unique identity.
    block : tuple of int
        Elements of a block along each dimension: a strip of a TIFF, a row group, a whole picture.
    chunks : tuple of int, optional
        Zarr chunks; those of `array` by default.
    budget : BlockCache, optional
        Where blocks are kept; in one cache of this process by default.

    Examples
    --------
    >>> from mandeldask.zarrview.nodes import Array
    >>> strips = Array((6, 4), np.dtype("u1"), np.arange(24, dtype="u1").reshape(6, 4).__getitem__, (4, 2))
    >>> in_blocks(strips, (3, 4)).read((slice(2, 4), slice(1, 3)))
    array([[ 9, 10],
           [13, 14]], dtype=uint8)
    """
    identity = digest(array.fingerprint or unique(), array.as_of, block)
    cache = shared_blocks() if budget is None else budget
    read = Blocked(array.read, array.shape, array.dtype, block, identity, array.missing, cache)
    return replace(array, read=read, chunks=array.chunks if chunks is None else chunks, block=block)


def in_shared_blocks(array: Array, block: tuple[int, ...]) -> Array:
    """Return `array`, read in blocks that are kept if a chunk is part of a block and blocks are not too large."""
    sides = zip(array.chunks, block, array.shape, strict=True)
    shared = any(chunk % side and chunk < size for chunk, side, size in sides)
    size = prod(block) * max(1, array.dtype.itemsize)
    return in_blocks(array, block) if shared and size <= BLOCK_LIMIT else array


def in_dask_blocks(array: Array, blocks: Sequence[Sequence[int]]) -> Array:
    """Return `array`, computed in the blocks of a dask array if a chunk is part of one and they are of one size."""
    regular = all(len({*sizes[:-1]}) <= 1 and sizes[-1] <= sizes[0] for sizes in blocks if sizes)
    return in_shared_blocks(array, tuple(max(1, *sizes) if sizes else 1 for sizes in blocks)) if regular else array
