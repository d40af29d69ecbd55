"""How arrays are divided into chunks."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK_BYTES = 2**20
"""Size of decoded chunks, at most, where nothing says how an array is divided."""

LEAST_BYTES, MOST_BYTES = 2**16, 2**22
"""Size of decoded chunks where a source only says in which blocks it computes or reads: small enough for a browser,
large enough for a request."""


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
    """Return chunks for an array that is computed in `blocks`, the sizes along each dimension, by the largest of each.

    Raises
    ------
    ValueError
        If the shape is not known before computing.
    """
    if any(size != size for size in shape):  # noqa: PLR0124  NaN is the one that is not itself
        msg = f"a dask array of unknown shape {shape} has no Zarr chunks; call compute_chunk_sizes() first"
        raise ValueError(msg)
    return aligned_chunks(shape, itemsize, tuple(max(1, *sizes) if sizes else 1 for sizes in blocks))


def aligned_chunks(shape: Sequence[int], itemsize: int, block: Sequence[int]) -> tuple[int, ...]:
    """Return chunks of 64 KiB to 4 MiB that are parts, or multiples, of the blocks in which a source is read.

    Examples
    --------
    >>> aligned_chunks((256, 361, 720), 4, (1, 361, 720)), aligned_chunks((20_000, 20_000), 8, (4096, 4096))
    ((1, 361, 720), (512, 1024))
    >>> aligned_chunks((10**6,), 8, (10,)), aligned_chunks((3, 5), 8, (1, 1))
    ((10240,), (3, 5))
    """
    chunks = [max(1, min(each, size)) for each, size in zip(block, shape, strict=True)]
    while prod(chunks) * itemsize > MOST_BYTES and max(chunks) > 1:
        longest = chunks.index(max(chunks))
        chunks[longest] = _part(chunks[longest])
    for axis in reversed(range(len(chunks))):
        while prod(chunks) * itemsize < LEAST_BYTES and chunks[axis] < shape[axis]:
            chunks[axis] = min(2 * chunks[axis], shape[axis])
    return tuple(chunks)


def _part(size: int) -> int:
    """Return the largest proper divisor of `size` that is not far below half of it; else half, rounded up."""
    for divisor in (2, 3, 5, 7):
        if size % divisor == 0:
            return size // divisor
    return -(-size // 2)
