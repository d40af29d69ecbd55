"""How the levels of an image are divided into tiles, and how much of the array is read at once for them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Final

from mandeldask.images.downsampling import half

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TILE: Final = 512
"""Elements along an axis of a tile, where the blocks of an array say nothing better."""

WINDOW_BYTES: Final = 2**26
"""Bytes of the array that are read at once, at most: blocks that are larger are read part by part, in parts that lie in
one of them if their sides can be divided."""

_WINDOW_LEAST: Final = 2**20
"""Elements that are read at once, at least, as long as the array has so many."""

_TILE_MOST: Final = 2**20
"""Elements of a tile, at most."""

_DIVISORS: Final = (2, 3, 5, 7)
"""Into how many parts a tile may be cut."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """How the levels of an array are divided. Tiles of all levels have one size, but at the ends of axes."""

    shape: tuple[int, ...]
    """Elements of the array along each axis."""
    halved: tuple[int, ...]
    """The axes that are halved."""
    tile: tuple[int, ...]
    """Elements of a tile along each axis."""
    reach: tuple[int, ...]
    """Tiles of level 1 along each axis that are made of one window of the array: a window has whole blocks."""

    def shape_of(self, level: int) -> tuple[int, ...]:
        """Return the elements of a level along each axis."""
        return tuple(half(size, level) if axis in self.halved else size for axis, size in enumerate(self.shape))

    def grid(self, level: int) -> tuple[int, ...]:
        """Return the tiles of a level along each axis."""
        return tuple(-(-size // side) for size, side in zip(self.shape_of(level), self.tile, strict=True))

    def inside(self, level: int, coords: Sequence[int]) -> tuple[slice, ...]:
        """Return where a tile lies in its level, cut off at the end of each axis."""
        return clipped(coords, self.tile, self.shape_of(level))

    def below(self, level: int, coords: Sequence[int]) -> list[tuple[int, ...]]:
        """Return the tiles of the next finer level that make up a tile of `level`, in C order."""
        ranges = [
            range(2 * at, min(2 * at + 2, count)) if axis in self.halved else range(at, at + 1)
            for axis, (at, count) in enumerate(zip(coords, self.grid(level - 1), strict=True))
        ]
        return list(product(*ranges))

    def read_with(self, coords: Sequence[int]) -> tuple[int, ...]:
        """Return the window of the array that a tile of level 1 is made of, by its place among the windows."""
        return tuple(at // count for at, count in zip(coords, self.reach, strict=True))

    def made_of(self, place: Sequence[int]) -> tuple[tuple[slice, ...], Iterator[tuple[int, ...]]]:
        """Return a window of the array, and the tiles of level 1 that are made of it."""
        factors = [2 if axis in self.halved else 1 for axis in range(len(self.shape))]
        sides = [factor * side * count for factor, side, count in zip(factors, self.tile, self.reach, strict=True)]
        ranges = [
            range(at * count, min((at + 1) * count, end))
            for at, count, end in zip(place, self.reach, self.grid(1), strict=True)
        ]
        return clipped(place, sides, self.shape), product(*ranges)

    def is_part_of(self, block: Sequence[int]) -> bool:
        """Return whether a block of the array holds more than one window along some axis."""
        factors = [2 if axis in self.halved else 1 for axis in range(len(self.shape))]
        sides = zip(factors, self.tile, self.reach, block, self.shape, strict=True)
        return any(factor * side * count < min(whole, size) for factor, side, count, whole, size in sides)

    def block_of(self, coords: Sequence[int], block: Sequence[int]) -> tuple[int, ...]:
        """Return the block of the array in which a tile of level 1 begins, by its place among the blocks."""
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
        """Return what of the array a tile of level 1 is made of."""
        factors = [2 if axis in self.halved else 1 for axis in range(len(self.shape))]
        return clipped(coords, [f * side for f, side in zip(factors, self.tile, strict=True)], self.shape)


def tiling(block: Sequence[int], shape: tuple[int, ...], itemsize: int, halved: tuple[int, ...]) -> Tiling:
    """Return how levels of an array are divided whose elements come in blocks: each of these is read once.

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
    """Return the axis along which a tile is cut next, and into how many parts; None if none can be divided.

    Parts have multiples of `whole` elements along the axes that are halved.
    """
    axes = sorted(range(len(sides)), key=lambda axis: (axis in halved, -sides[axis]))
    steps = [(axis, parts, whole if axis in halved else 1) for axis in axes for parts in _DIVISORS]
    cuts = [(axis, parts) for axis, parts, step in steps if sides[axis] > 1 and sides[axis] % (parts * step) == 0]
    return cuts[0] if cuts else None


def clipped(coords: Sequence[int], sides: Sequence[int], shape: Sequence[int]) -> tuple[slice, ...]:
    """Return the window of the tile at `coords`, cut where the array ends."""
    along = zip(coords, sides, shape, strict=True)
    return tuple(slice(at * side, min((at + 1) * side, size)) for at, side, size in along)


def within(window: Sequence[slice], outer: Sequence[slice]) -> tuple[slice, ...]:
    """Return where a window lies in one around it."""
    pairs = zip(window, outer, strict=True)
    return tuple(slice(span.start - whole.start, span.stop - whole.start) for span, whole in pairs)
