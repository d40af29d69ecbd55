"""How arrays are divided into chunks."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK_BYTES = 2**20
"""Size of decoded chunks, at most, where nothing says how an array is divided."""


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


def block_chunks(shape: tuple[int, ...], blocks: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return chunks for an array that is computed in `blocks`, the sizes along each dimension: the largest of each.

    Raises
    ------
    ValueError
        If the shape is not known before computing.
    """
    if any(size != size for size in shape):  # noqa: PLR0124  NaN is the one that is not itself
        msg = f"a dask array of unknown shape {shape} has no Zarr chunks; call compute_chunk_sizes() first"
        raise ValueError(msg)
    return tuple(max(1, *sizes) if sizes else 1 for sizes in blocks)
