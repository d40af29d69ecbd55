"""Read the argument `chunks`, in any of dask's forms, as block sizes along each axis."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from mandeldask.lazy.blocks import MAX_BLOCKS, Side, auto_side, blocks_of, task_side
from mandeldask.lazy.memory import MAX_PIXELS

AxisChunks = int | Literal["auto"] | tuple[int, ...] | None
"""Pixels along the blocks of one axis: one number, -1 or None for all in one, "auto", or a number for each block."""

ChunksLike: TypeAlias = AxisChunks | Sequence[AxisChunks] | Mapping[Any, AxisChunks]
"""One value for both axes, a pair (rows, columns), or a dict by dimension or axis. An axis that is missing in a dict
has one block."""

DIMS = ("y", "x")
"""Names of the dimensions: rows, then columns."""


@dataclass(frozen=True, slots=True)
class Division:
    """How a grid is divided."""

    side: int
    """Tile size in pixels. It is also the Zarr chunk size, unless the dask chunks set another one."""
    sides: tuple[Side, Side] | None
    """Pixels along the dask blocks of each axis; None for lazily indexed arrays at every size."""
    tile: int | None = None
    """Tile size inside larger dask blocks; None if a block is one tile."""

    @classmethod
    def of(cls, chunks: Any, shape: tuple[int, int], side: int, maxiter: int) -> Division:
        """Return the division for `chunks`, with tiles of `side` pixels; with "auto" tasks are short at `maxiter`.

        Raises
        ------
        ValueError, TypeError
            If `chunks` is not valid.
        """
        tile, auto = task_side(side, maxiter), auto_side(shape, side, maxiter)
        is_grown = isinstance(chunks, str) and auto > tile
        return cls(side, block_sides(chunks, shape, auto), tile if is_grown else None)


def block_sides(chunks: Any, shape: tuple[int, int], auto: int) -> tuple[Side, Side] | None:
    """Return pixels along the blocks of each axis; None for lazily indexed arrays.

    Parameters
    ----------
    chunks : ChunksLike
        The argument of the user; None for lazily indexed arrays.
    shape : (int, int)
        Pixels (height, width).
    auto : int
        Block size for "auto".

    Raises
    ------
    ValueError, TypeError
        If `chunks` is not valid, or has sizes that do not add up to the pixels of an axis.

    Examples
    --------
    >>> block_sides({"x": -1, "y": 16}, (64, 100), 512), block_sides(((16, 48), "auto"), (64, 100), 512)
    ((16, 100), ((16, 48), 512))
    """
    if chunks is None:
        return None
    rows, cols = (_side(one, size, auto) for one, size in zip(_by_axis(chunks), shape, strict=True))
    return rows, cols


def can_be_listed(shape: tuple[int, int], sides: tuple[Side, Side]) -> bool:
    """Return whether dask can list the blocks and each block can be computed at once."""
    most = [max(side) if isinstance(side, tuple) else min(side, size) for side, size in zip(sides, shape, strict=True)]
    return max(map(len, blocks_of(shape, sides, MAX_BLOCKS + 1))) <= MAX_BLOCKS and most[0] * most[1] <= MAX_PIXELS


def _by_axis(chunks: Any) -> tuple[Any, Any]:
    """Return the entry of `chunks` for each axis."""
    if isinstance(chunks, dict):
        unknown = [name for name in chunks if isinstance(name, bool) or name not in {*DIMS, 0, 1}]
        if unknown:
            msg = f"chunks must name the dimensions y and x, or the axes 0 and 1, not {unknown[0]!r}"
            raise ValueError(msg)
        y, x = (chunks.get(dim, chunks.get(axis)) for axis, dim in enumerate(DIMS))
        return y, x
    if isinstance(chunks, (tuple, list)):
        if len(chunks) != len(DIMS):
            msg = f"chunks must be the rows and columns of a block, not {len(chunks)} numbers: {_shown(chunks)}"
            raise ValueError(msg)
        return chunks[0], chunks[1]
    return chunks, chunks


def _side(asked: Any, size: int, auto: int) -> Side:
    """Return pixels along the blocks of one axis."""
    if asked is None:
        return max(1, size)
    if isinstance(asked, str) and asked == "auto":
        return auto
    if isinstance(asked, (tuple, list)):
        sizes = tuple(_number(one, least=0) for one in asked)
        if sum(sizes) != size:
            msg = f"chunks {_shown(asked)} add up to {sum(sizes)} pixels, not to the {size} of the axis"
            raise ValueError(msg)
        return sizes
    number = _number(asked, least=-1)
    return max(1, size) if number == -1 else number


def _number(asked: Any, least: int) -> int:
    """Return `asked` as a number of pixels. The error quotes it."""
    if isinstance(asked, bool) or not hasattr(asked, "__index__"):
        msg = (
            f'chunks must be pixels along a block, -1 for all, "auto", a pair or dict of these, or None, not {asked!r}'
        )
        raise TypeError(msg) if not isinstance(asked, str) else ValueError(msg)
    number = operator.index(asked)
    if number < least or (number == 0 and least < 0):
        msg = f"chunks must be at least 1 pixel along a block, or -1 for all, not {number}"
        raise ValueError(msg)
    return number


def _shown(asked: Any) -> str:
    """Return the repr of `asked`, shortened to a line."""
    text = repr(asked)
    return text if len(text) <= 60 else f"{text[:60]}…"  # noqa: PLR2004  the length of a line
