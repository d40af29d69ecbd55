"""Blocks of files (tiles, strips, chunks, row groups): decoded once, and shown in chunks of a fitting size."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from mandeldask.zarrview.blocked import in_blocks, shared_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable

    from numpy.typing import NDArray

    from mandeldask.zarrview.nodes import Array

BLOCK_LIMIT = 2**30
"""Bytes, decoded, of the largest block that is decoded at all: a small file may unpack to any size."""

LEAST, MOST = 2**16, 2**22
"""Bytes of the smallest and the largest chunk, where blocks of a file leave the choice."""

_ENDLESS = 2**62
"""Size of a dimension that may grow."""

_DIVISORS = (2, 3, 5, 7)
"""Into how many parts a side of a block may be cut."""


def decoded(key: Hashable, decode: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """Return what `decode` returns, kept for a while by `key` and decoded once for all who ask for it at a time."""
    return shared_blocks().read(key, decode)


def blocked(array: Array, block: tuple[int, ...], growing: Collection[int] = ()) -> Array:
    """Return `array`, read by blocks of a file that are kept for a while, with the chunks that suit them.

    Parameters
    ----------
    array : Array
        Reads windows of the file.
    block : tuple of int
        Elements of a block along each dimension.
    growing : collection of int
        Dimensions that may become longer. Chunks do not depend on how long they are now: clients that have the old
        metadata find the old elements in the chunks of then.
    """
    if not array.shape:
        return array
    shape = tuple(_ENDLESS if axis in growing else size for axis, size in enumerate(array.shape))
    return in_blocks(array, block, block_chunks(shape, block, _itemsize(array)))


def _itemsize(array: Array) -> int:
    return max(1, array.dtype.itemsize)


def block_chunks(shape: tuple[int, ...], block: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return the chunks in which an array that a file keeps in blocks is shown.

    They are the blocks if these have 64 KiB to 4 MiB, else parts or multiples of them: a chunk that is part of a block
    lies in it wholly where its sides can be divided.

    Examples
    --------
    >>> block_chunks((9000, 9000), (512, 512), 2), block_chunks((9000, 9000), (64, 64), 1)
    ((512, 512), (256, 256))
    >>> block_chunks((5, 9000, 9000), (1, 9000, 9000), 2), block_chunks((100, 20, 30), (1, 20, 30), 4)
    ((1, 1125, 1125), (32, 20, 30))
    """
    chunks = [max(1, min(size, side)) for size, side in zip(shape, block, strict=True)]
    while prod(chunks) * itemsize > MOST and max(chunks) > 1:
        axis = chunks.index(max(chunks))
        chunks[axis] = _part(chunks[axis], whole=block[axis] >= shape[axis])
    while prod(chunks) * itemsize < LEAST:
        growing = _growing(shape, chunks)
        if growing is None:
            break
        chunks[growing] = min(2 * chunks[growing], shape[growing])
    return tuple(chunks)


def _part(side: int, *, whole: bool) -> int:
    """Return a part of a block's side: half of one that nothing lies behind, else one that divides it if it can."""
    if not whole:
        for divisor in _DIVISORS:
            if side % divisor == 0:
                return side // divisor
    return -(-side // 2)


def _growing(shape: tuple[int, ...], chunks: list[int]) -> int | None:
    """Return the dimension along which chunks grow next: the shorter of the last two, then those before."""
    last = [axis for axis in range(max(0, len(shape) - 2), len(shape)) if chunks[axis] < shape[axis]]
    if last:
        return min(last, key=lambda axis: chunks[axis])
    before = [axis for axis in range(len(shape) - 2) if chunks[axis] < shape[axis]]
    return before[-1] if before else None
