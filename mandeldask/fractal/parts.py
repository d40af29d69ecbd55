"""Parts of large grids: a kernel computes one after the other, in memory that it keeps and that stays small."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_PIXELS = 1 << 20
"""Pixels that are computed at once."""

_BLOCK = 256
"""Parts begin at multiples of this, the side of the largest blocks of pixels."""


def parts_of(shape: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of parts that cover `shape` and have up to `MOST_PIXELS`.

    They are as long as `shape` where possible: then they share a reference orbit at depth.

    Examples
    --------
    >>> [(rows.start, rows.stop, cols.start, cols.stop) for rows, cols in parts_of((1025, 1024))]
    [(0, 1025, 0, 512), (0, 1025, 512, 1024)]
    """
    return _divided(slice(0, shape[0]), slice(0, shape[1]))


def _divided(rows: slice, cols: slice) -> Iterator[tuple[slice, slice]]:
    height, width = rows.stop - rows.start, cols.stop - cols.start
    if height * width <= MOST_PIXELS:
        yield rows, cols
    elif _BLOCK < height <= width or width <= _BLOCK:
        for part in _halves(rows):
            yield from _divided(part, cols)
    else:
        for part in _halves(cols):
            yield from _divided(rows, part)


def _halves(part: slice) -> tuple[slice, slice]:
    """Divide a range of more than `_BLOCK` pixels."""
    middle = part.start + -(-(part.stop - part.start) // (2 * _BLOCK)) * _BLOCK
    return slice(part.start, middle), slice(middle, part.stop)
