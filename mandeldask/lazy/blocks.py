"""Sizes of blocks: how many dask can handle, and how large they should be."""

from __future__ import annotations

MAX_BLOCKS = 256
"""Greatest number of blocks along an axis: dask's reductions and overlaps enumerate all blocks
(30 ms at 256², 0.5 s at 1024², 14 s and 2 GiB at 4096²; https://github.com/dask/dask/issues/8570)."""

TASK_ITERATIONS = 2**29
"""Greatest number of iterations in one dask task, about a second: dask cannot cancel a running task."""

MOST_GROWN = 2048
"""Greatest block size in pixels. Blocks larger than a tile save overhead: on a cluster, a task costs 4 ms, and a tile
takes less than 1 ms."""

FEWEST_GROWN = 8
"""Blocks do not grow if fewer than this number would be left along the longer axis: more processes can then work."""

Side = int | tuple[int, ...]
"""Pixels along the blocks of an axis: one number for all but the last, or a number for each."""

TILESIZE = 512
"""Default block size in pixels, for grids without a pyramid."""


def blocks_along(shape: tuple[int, ...], sides: tuple[int, ...]) -> tuple[int, ...]:
    """Return the number of blocks along each axis."""
    return tuple(-(-size // side) for size, side in zip(shape, sides, strict=True))


def task_side(tilesize: int, maxiter: int, least: int = 32) -> int:
    """Return `tilesize`, halved while it is even and a tile of that size could take more than about a second.

    Examples
    --------
    >>> task_side(512, 255), task_side(512, 10_000)
    (512, 128)
    """
    side = tilesize
    while side * side * maxiter > TASK_ITERATIONS and side % 2 == 0 and side > least:
        side //= 2
    return side


def auto_side(shape: tuple[int, int], tilesize: int, maxiter: int) -> int:
    """Return the block size for `chunks="auto"`: `task_side`, doubled while there are many short tasks.

    Arrays of more than `MAX_BLOCKS` tiles along an axis are not changed: users read them through windows.

    Examples
    --------
    >>> [auto_side((size, size), 512, 255) for size in (4096, 8192, 32768, 2**20)]
    [512, 1024, 2048, 512]
    """
    side = task_side(tilesize, maxiter)
    if max(blocks_along(shape, (side, side))) > MAX_BLOCKS:
        return side
    while (
        2 * FEWEST_GROWN * side <= max(shape)
        and 2 * side <= MOST_GROWN
        and (2 * side) ** 2 * maxiter <= 2 * TASK_ITERATIONS
    ):
        side *= 2
    return side


def blocks_of(shape: tuple[int, int], sides: tuple[Side, Side], most: int | None = None) -> tuple[tuple[int, ...], ...]:
    """Return the sizes of all blocks along each axis; with `most`, list at most that many blocks of equal size."""
    return tuple(_sizes(size, side, most) for size, side in zip(shape, sides, strict=True))


def _sizes(size: int, side: Side, most: int | None) -> tuple[int, ...]:
    if isinstance(side, tuple):
        return side
    whole, rest = divmod(size, side)
    whole = whole if most is None else min(whole, most)
    return (side,) * whole + (rest,) * (rest > 0 or not whole)
