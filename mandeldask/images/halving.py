"""Levels of an image, each made from the next finer one when it is read.

Every window of the image is read once for all levels: what the coarser ones need of it is remembered, within bounds.
"""

from __future__ import annotations

import time
from functools import lru_cache, partial
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mandeldask.budget import spend
from mandeldask.cancellation import current
from mandeldask.images.downsampling import Method, State, cells_along, half, method
from mandeldask.shared_cache import SharedCache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from mandeldask.images.levels import ImageLevels

LEVEL_BYTES = 2**25
"""Memory for what is remembered of one level number, in all pyramids together: fine levels, of which there is more,
cannot push out coarse ones, which cost more to make again."""

TILE = 512
"""Elements along an axis of a chunk of a level, where the array's chunks say nothing better."""

_TILE_ELEMENTS = 2**18, 2**22
"""Elements that are halved at a time, at least and at most."""


@lru_cache(maxsize=64)
def remembered(level: int) -> SharedCache[State]:  # noqa: ARG001  one for each
    """Return the states of tiles of a level: of every pyramid of this process."""
    return SharedCache(LEVEL_BYTES, _bytes)


def _bytes(state: State) -> int:
    return sum(words.nbytes for words in state)


class Source(Protocol):
    """An array that levels are made of."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Elements along each axis."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""

    @property
    def chunks(self) -> tuple[int, ...]:
        """Elements that are best read together, along each axis."""

    @property
    def read(self) -> Callable[[tuple[slice, ...]], NDArray[Any]]:
        """Returns the elements of a window; several threads may call it."""

    @property
    def missing(self) -> Any:
        """The value that stands for missing elements, besides NaN; None if there is none."""

    @property
    def fingerprint(self) -> str:
        """Identity of the content: equal only where every element is equal."""


class Halvings:
    """Reads windows of an array's levels.

    Parameters
    ----------
    source : Source
        The array, its axes in the order of `levels`.
    levels : ImageLevels
        Its levels.
    """

    def __init__(self, source: Source, levels: ImageLevels) -> None:
        self.source = source
        self.levels = levels
        self._method: Method = method(levels.method, source.dtype, levels.halved, source.missing)
        self._tile = _tile(source.chunks, source.shape, levels.halved)
        self._key = (source.fingerprint, levels.method, levels.halved, self._tile)
        self._seconds = 0.0  # that a window of the array takes to read, by the last ones

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.source, self.levels)

    def read(self, level: int, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of a window of a level, from 1."""
        elements = np.empty([span.stop - span.start for span in window], self.source.dtype)
        sides = zip(window, self._tile, strict=True)
        for coords in product(*(range(span.start // side, -(-span.stop // side)) for span, side in sides)):
            inside = self._window(level, coords)
            shared = [
                slice(max(span.start, tile.start), min(span.stop, tile.stop))
                for span, tile in zip(window, inside, strict=True)
            ]
            self._announce(level, coords)
            span = _within(shared, inside)
            state = tuple(words[span] for words in self._state(level, coords))
            elements[_within(shared, window)] = self._method.finish(state, self._cells(level, shared))
        return elements

    def _cells(self, level: int, window: Sequence[slice]) -> NDArray[np.int64]:
        """Return how many elements of the array each element of a window stands for."""
        cells = np.ones((), np.int64)
        for axis, (size, span) in enumerate(zip(self.source.shape, window, strict=True)):
            depth = level if axis in self.levels.halved else 0
            cells = np.multiply.outer(cells, cells_along(size, depth, span.start, span.stop))
        return cells

    def _window(self, level: int, coords: tuple[int, ...]) -> tuple[slice, ...]:
        return _clipped(coords, self._tile, self.levels.shape_of(level))

    def _state(self, level: int, coords: tuple[int, ...]) -> State:
        """Return what is known of a tile of a level; remembered, or made from the next finer one."""
        compute = partial(self._halved, level, coords)
        return remembered(level).read((*self._key, coords), compute)

    def _halved(self, level: int, coords: tuple[int, ...]) -> State:
        if level == 1:
            return self._method.halve(self._begun(coords), 1)
        finer = {below: self._state(level - 1, below) for below in self._below(level - 1, coords)}
        return self._method.halve(self._joined(level - 1, finer), level)

    def _below(self, level: int, coords: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Return the tiles of a level that make up a tile of the next coarser one, in C order."""
        halved, shape = self.levels.halved, self.levels.shape_of(level)
        ranges = [
            range(2 * at, min(2 * at + 2, -(-size // side))) if axis in halved else range(at, at + 1)
            for axis, (at, side, size) in enumerate(zip(coords, self._tile, shape, strict=True))
        ]
        return list(product(*ranges))

    def _joined(self, level: int, finer: Mapping[tuple[int, ...], State]) -> State:
        """Return adjacent tiles as one."""
        windows = {coords: self._window(level, coords) for coords in finer}
        corners = zip(*windows.values(), strict=True)
        whole = [slice(min(span.start for span in along), max(span.stop for span in along)) for along in corners]
        shape = [span.stop - span.start for span in whole]
        joined = tuple(np.empty(shape, words.dtype) for words in next(iter(finer.values())))
        for coords, state in finer.items():
            at = _within(windows[coords], whole)
            for words, span in zip(joined, state, strict=True):
                words[at] = span
        return joined

    def _begun(self, coords: tuple[int, ...]) -> State:
        """Read what a tile of level 1 needs of the array."""
        current().check()
        factors = [2 if axis in self.levels.halved else 1 for axis in range(len(coords))]
        sides = [factor * side for factor, side in zip(factors, self._tile, strict=True)]
        window = _clipped(coords, sides, self.source.shape)
        began = time.perf_counter()
        block = self.source.read(window)
        self._seconds = time.perf_counter() - began
        return self._method.begin(block)

    def _announce(self, level: int, coords: tuple[int, ...]) -> None:
        """Say what a tile may take before it is made, once it is known how long a window of the array takes."""
        missing = self._unread(level, coords)
        if missing > 1 and not self._seconds:  # look how long one takes
            first = tuple(at << (level - 1) if axis in self.levels.halved else at for axis, at in enumerate(coords))
            self._state(1, first)
            missing -= 1
        spend(missing * self._seconds, f"level {level} of an array of {self.source.shape}")

    def _unread(self, level: int, coords: tuple[int, ...]) -> int:
        """Return how many windows of the array a tile still needs."""
        if (*self._key, coords) in remembered(level):
            return 0
        return 1 if level == 1 else sum(self._unread(level - 1, below) for below in self._below(level - 1, coords))


def _clipped(coords: Sequence[int], sides: Sequence[int], shape: Sequence[int]) -> tuple[slice, ...]:
    """Return the window of the tile at `coords`, cut where the array ends."""
    along = zip(coords, sides, shape, strict=True)
    return tuple(slice(at * side, min((at + 1) * side, size)) for at, side, size in along)


def _within(window: Sequence[slice], outer: Sequence[slice]) -> tuple[slice, ...]:
    """Return where a window lies in one around it."""
    pairs = zip(window, outer, strict=True)
    return tuple(slice(span.start - whole.start, span.stop - whole.start) for span, whole in pairs)


def _tile(chunks: tuple[int, ...], shape: tuple[int, ...], halved: tuple[int, ...]) -> tuple[int, ...]:
    """Return the elements of a tile along each axis: chunks where they suit, so that each is read once."""
    least, most = _TILE_ELEMENTS
    sides = [min(chunk, max(1, size)) for chunk, size in zip(chunks, shape, strict=True)]
    if prod(sides) > most:
        return tuple(min(TILE, size) if axis in halved else 1 for axis, size in enumerate(shape))
    while prod(sides) < least and (short := [axis for axis in halved if sides[axis] < half(shape[axis])]):
        sides[min(short, key=sides.__getitem__)] *= 2
    return tuple(sides)
