"""How arrays are divided into chunks."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK_BYTES = 2**20
"""Largest size in bytes of decoded chunks, for arrays that do not define chunks."""

LEAST_BYTES, MOST_BYTES = 2**16, 2**22
"""Smallest and largest size in bytes of decoded chunks, if a source only defines the blocks in which it computes or
reads: large enough for a request, small enough for a browser."""


_DIVISORS = (2, 3, 5, 7)
"""Numbers of parts into which a side of a block may be divided."""


def default_chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return chunks of at most `CHUNK_BYTES`, halving the longest side of `shape` until they fit.

    Examples
    --------
    >>> default_chunks((2**59, 2**59), 1), default_chunks((10, 0), 8), default_chunks((), 8)
    ((1024, 1024), (10, 1), ())
    """
    chunks = [max(1, size) for size in shape]
    while chunks and max(chunks) > 1 and prod(chunks) * itemsize > CHUNK_BYTES:
        longest = chunks.index(max(chunks))
        chunks[longest] = -(-chunks[longest] // 2)
    return tuple(chunks)


def block_chunks(shape: tuple[int, ...], itemsize: int, blocks: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return chunks for an array that is computed in blocks.

    `blocks` are their sizes along each dimension; the largest count.

    Raises
    ------
    ValueError
        If the shape is not known before computing.
    """
    if any(size != size for size in shape):  # noqa: PLR0124  true only for NaN
        msg = f"a dask array of unknown shape {shape} has no Zarr chunks; first call compute_chunk_sizes()"
        raise ValueError(msg)
    return aligned_chunks(shape, itemsize, tuple(max(1, *sizes) if sizes else 1 for sizes in blocks))


def aligned_chunks(shape: Sequence[int], itemsize: int, block: Sequence[int]) -> tuple[int, ...]:
    """Return the chunks for an array that is read or computed in blocks.

    Blocks of 64 KiB to 4 MiB are chunks. Otherwise chunks are parts or multiples of blocks; a part is completely inside
    one block if the sides of the block can be divided.

    Examples
    --------
    >>> aligned_chunks((256, 361, 720), 4, (1, 361, 720)), aligned_chunks((20_000, 20_000), 8, (4096, 4096))
    ((1, 361, 720), (512, 1024))
    >>> aligned_chunks((5, 9000, 9000), 2, (1, 9000, 9000)), aligned_chunks((100, 20, 30), 4, (1, 20, 30))
    ((1, 1125, 1125), (32, 20, 30))
    """
    chunks = [max(1, min(size, side)) for size, side in zip(shape, block, strict=True)]
    while prod(chunks) * itemsize > MOST_BYTES and max(chunks) > 1:
        axis = chunks.index(max(chunks))
        chunks[axis] = _part(chunks[axis], whole=block[axis] >= shape[axis])
    while prod(chunks) * itemsize < LEAST_BYTES:
        growing = _growing(shape, chunks)
        if growing is None:
            break
        chunks[growing] = min(2 * chunks[growing], shape[growing])
    return tuple(chunks)


def _part(side: int, *, whole: bool) -> int:
    """Return a part of a block's side: half of the array's only block, otherwise a divisor if there is one."""
    if not whole:
        for divisor in _DIVISORS:
            if side % divisor == 0:
                return side // divisor
    return -(-side // 2)


def _growing(shape: Sequence[int], chunks: list[int]) -> int | None:
    """Return the dimension along which chunks grow next: the shorter of the last two, then those before."""
    last = [axis for axis in range(max(0, len(shape) - 2), len(shape)) if chunks[axis] < shape[axis]]
    if last:
        return min(last, key=lambda axis: chunks[axis])
    before = [axis for axis in range(len(shape) - 2) if chunks[axis] < shape[axis]]
    return before[-1] if before else None
