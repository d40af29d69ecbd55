"""Chunk grids and the strict grammar of chunk keys: each chunk has exactly one key, and no other key names a chunk."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_INDEX = re.compile(r"0|[1-9][0-9]{0,18}")
"""A canonical index below 10**19: no sign, no leading zero, only ASCII digits."""


def chunk_grid(shape: Sequence[int], chunks: Sequence[int]) -> tuple[int, ...]:
    """Return the number of chunks along each dimension.

    Examples
    --------
    >>> chunk_grid((2**59 + 1, 0), (512, 512)) == (2**50 + 1, 0)
    True
    """
    return tuple(-(-size // chunk) for size, chunk in zip(shape, chunks, strict=True))


def parse_coords(segments: Sequence[str], grid: Sequence[int]) -> tuple[int, ...] | None:
    """Return the coordinates in `segments` of a key; None unless they are canonical and in the grid.

    Examples
    --------
    >>> parse_coords(["3", "0"], (4, 1)), parse_coords(["4", "0"], (4, 1)), parse_coords(["03", "0"], (4, 1))
    ((3, 0), None, None)
    """
    if len(segments) != len(grid):
        return None
    coords = []
    for segment, count in zip(segments, grid, strict=True):
        if _INDEX.fullmatch(segment) is None or (index := int(segment)) >= count:
            return None
        coords.append(index)
    return tuple(coords)


def window(coords: Sequence[int], chunks: Sequence[int], shape: Sequence[int]) -> tuple[slice, ...]:
    """Return the elements of a chunk, clipped at the end of the array."""
    return tuple(
        slice(index * chunk, min((index + 1) * chunk, size))
        for index, chunk, size in zip(coords, chunks, shape, strict=True)
    )
