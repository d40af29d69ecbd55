"""The division of an image's levels into tiles, and the windows of the array that are read for them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Final

from mandeldask.images.downsampling import half

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TILE: Final = 512
"""Elements along an axis of a tile, unless the array's blocks suggest another size."""

WINDOW_BYTES: Final = 2**26
"""Largest number of bytes of the array that are read at once. Larger blocks are read in several windows, each within
one block if the side lengths can be divided."""

_WINDOW_LEAST: Final = 2**20
"""Smallest number of elements that are read at once, if the array has that many."""

_TILE_MOST: Final = 2**20
"""Largest number of elements of a tile."""

_DIVISORS: Final = (2, 3, 5, 7)
"""Numbers of parts into which one side of a tile can be divided."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """The division of an array's levels. Tiles of all levels have one size, except at the ends of axes."""

    shape: tuple[int, ...]
    """Elements of the array along each axis."""
    halved: tuple[int, ...]
    """The axes that are halved."""
    tile: tuple[int, ...]
    """Elements of a tile along each axis."""
    reach: tuple[int, ...]
    """Number of tiles of level 1 along each axis that one window of the array gives; a window consists of whole
    blocks."""

    def shape_of(self, level: int) -> tuple[int, ...]:
        """Return the elements of a level along each axis."""
        return tuple(half(size, level) if axis in self.halved else size for axis, size in enumerate(self.shape))

    def grid(self, level: int) -> tuple[int, ...]:
        """Return the number of tiles of a level along each axis."""
        return tuple(-(-size // side) for size, side in zip(self.shape_of(level), self.tile, strict=True))

    def inside(self, level: int, coords: Sequence[int]) -> tuple[slice, ...]:
        """Return the window of a tile in its level, clipped at the end of each axis."""
        return clipped(coords, self.tile, self.shape_of(level))

    def below(self, level: int, coords: Sequence[int]) -> list[tuple[int, ...]]:
        """Return the tiles of the next finer level that form a tile of `level`, in C order."""
        ranges = [
            range(2 * at, min(2 * at + 2, count)) if axis in self.halved else range(at, at + 1)
            for axis, (at, count) in enumerate(zip(coords, self.grid(level - 1), strict=True))
        ]
        return list(product(*ranges))

    def read_with(self, coords: Sequence[int]) -> tuple[int, ...]:
        """Return the index of the window of the array from which a tile of level 1 is made."""
        return tuple(at // count for at, count in zip(coords, self.reach, strict=True))

    def made_of(self, place: Sequence[int]) -> tuple[tuple[slice, ...], Iterator[tuple[int, ...]]]:
        """Return a window of the array, and the tiles of level 1 that are made from it."""
        factors = [2 if axis in self.halved else 1 for axis in range(len(self.shape))]
        sides = [factor * side * count for factor, side, count in zip(factors, self.tile, self.reach, strict=True)]
        ranges = [
            range(at * count, min((at + 1) * count, end))
            for at, count, end in zip(place, self.reach, self.grid(1), strict=True)
        ]
        return clipped(place, sides, self.shape), product(*ranges)

    def is_part_of(self, block: Sequence[int]) -> bool:
        """Return whether a block of the array is longer than one window along some axis."""
        factors = [2 if axis in self.halved else 1 for axis in range(len(self.shape))]
        sides = zip(factors, self.tile, self.reach, block, self.shape, strict=True)
        return any(factor * side * count < min(whole, size) for factor, side, count, whole, size in sides)

    def block_of(self, coords: Sequence[int], block: Sequence[int]) -> tuple[int, ...]:
        """Return the index of the block of the array in which a tile of level 1 begins."""
        return tuple(span.start // side for span, side in zip(self.source_of(coords), block, strict=True))

    def tiles_in(self, place: Sequence[int], block: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """Return the tiles of level 1 that begin in a block."""
        factors = [2 if axis in self.halved else 1 for axis in range(len(self.shape))]
        along = zip(place, block, factors, self.tile, self.grid(1), strict=True)
        ranges = [
            range(-(-at * side // (factor * tile)), min(-(-(at + 1) * side // (factor * tile)), end))
            for at, side, factor, tile, end in along
        ]
        return product(*ranges)

    def source_of(self, coords: Sequence[int]) -> tuple[slice, ...]:
        """Return the window of the array from which a tile of level 1 is made."""
        factors = [2 if axis in self.halved else 1 for axis in range(len(self.shape))]
        return clipped(coords, [f * side for f, side in zip(factors, self.tile, strict=True)], self.shape)


def tiling(block: Sequence[int], shape: tuple[int, ...], itemsize: int, halved: tuple[int, ...]) -> Tiling:
    """Return the division of the levels of an array that is read in blocks, so that each block is read once.

    Examples
    --------
    >>> tiling((512, 512), (40_000, 40_000), 2, (0, 1)).tile
    (512, 512)
    >>> stack = tiling((64, 512, 512), (128, 4096, 4096), 2, (1, 2))
    >>> stack.tile, stack.reach
    ((16, 256, 256), (4, 1, 1))
    """
    window = [
        min(size, 2 * side if axis in halved and side % 2 else side)
        for axis, (side, size) in enumerate(zip(block, shape, strict=True))
    ]
    while prod(window) * itemsize > WINDOW_BYTES:
        cut = _cut(window, halved, 2)
        if cut is None:
            window = [min(size, 2 * TILE) if axis in halved else 1 for axis, size in enumerate(shape)]
            break
        axis, parts = cut
        window[axis] //= parts
    while prod(window) < _WINDOW_LEAST and (short := [axis for axis in halved if window[axis] < shape[axis]]):
        window[min(short, key=window.__getitem__)] *= 2
    tile = [half(side) if axis in halved else side for axis, side in enumerate(window)]
    reach = [1] * len(tile)
    while prod(tile) > _TILE_MOST and (cut := _cut(tile, halved)) is not None:
        axis, parts = cut
        tile[axis] //= parts
        reach[axis] *= parts
    return Tiling(shape, halved, tuple(max(1, side) for side in tile), tuple(reach))


def _cut(sides: Sequence[int], halved: Sequence[int], whole: int = 1) -> tuple[int, int] | None:
    """Return the axis along which a tile is divided next, and the number of parts; None if no axis can be divided.

    Along the axes that are halved, the size of a part is a multiple of `whole`.
    """
    axes = sorted(range(len(sides)), key=lambda axis: (axis in halved, -sides[axis]))
    steps = [(axis, parts, whole if axis in halved else 1) for axis in axes for parts in _DIVISORS]
    cuts = [(axis, parts) for axis, parts, step in steps if sides[axis] > 1 and sides[axis] % (parts * step) == 0]
    return cuts[0] if cuts else None


def clipped(coords: Sequence[int], sides: Sequence[int], shape: Sequence[int]) -> tuple[slice, ...]:
    """Return the window of the tile at `coords`, clipped at the end of the array."""
    along = zip(coords, sides, shape, strict=True)
    return tuple(slice(at * side, min((at + 1) * side, size)) for at, side, size in along)


def within(window: Sequence[slice], outer: Sequence[slice]) -> tuple[slice, ...]:
    """Return the position of a window relative to one that contains it."""
    pairs = zip(window, outer, strict=True)
    return tuple(slice(span.start - whole.start, span.stop - whole.start) for span, whole in pairs)
