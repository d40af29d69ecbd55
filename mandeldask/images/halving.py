"""Levels of an image, each made from the next finer one when it is read.

Every block of the image is read only once for all levels: the partial results that coarser levels need are cached, up
to a size limit.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mandeldask.budget import pause
from mandeldask.cancellation import current
from mandeldask.flights import Flights
from mandeldask.images.downsampling import Method, State, cells_along, method
from mandeldask.images.states import StateStorage, compact, states_of_level
from mandeldask.images.tiling import tiling, within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from mandeldask.images.levels import ImageLevels

Coords = tuple[int, ...]

_reading = Flights()
"""Reads of windows in progress: concurrent requests for a window share one read."""


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
        """Elements along each axis that are read together most efficiently."""

    @property
    def read(self) -> Callable[[tuple[slice, ...]], NDArray[Any]]:
        """Function that returns the elements of a window; several threads can call it."""

    @property
    def missing(self) -> Any:
        """The value that stands for missing elements, in addition to NaN; None if there is none."""

    @property
    def fingerprint(self) -> str:
        """Identity of the content: equal only if all elements are equal."""


class Halvings:
    """Reads windows of an array's levels.

    Parameters
    ----------
    source : Source
        The array, its axes in the order of `levels`.
    levels : ImageLevels
        Its levels.
    block : tuple of int, optional
        Elements along each axis of the blocks in which the array is read, if these are not its chunks.
    storage : StateStorage, optional
        Long-term storage for the states of tiles. It is not pickled: a copy in another process has none.
    """

    def __init__(
        self,
        source: Source,
        levels: ImageLevels,
        block: tuple[int, ...] | None = None,
        storage: StateStorage | None = None,
    ) -> None:
        self.source = source
        self.levels = levels
        self.tiling = tiling(block or source.chunks, source.shape, source.dtype.itemsize, levels.halved)
        self._block = block
        self._storage = storage
        self._method: Method = method(levels.method, source.dtype, levels.halved, source.missing)
        self._key = (source.fingerprint, levels.method, levels.halved, self.tiling.tile)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.source, self.levels, self._block)

    def stored_in(self, storage: StateStorage) -> Halvings:
        """Return a copy that also stores the states of tiles in `storage`."""
        return Halvings(self.source, self.levels, self._block, storage)

    def read(self, level: int, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of a window of a level, from 1.

        Raises
        ------
        mandeldask.budget.Unfinished
            If it takes longer than this context allows. Finished parts are cached, so the next call continues from
            there.
        """
        elements = np.empty([span.stop - span.start for span in window], self.source.dtype)
        sides = zip(window, self.tiling.tile, strict=True)
        for coords in product(*(range(span.start // side, -(-span.stop // side)) for span, side in sides)):
            inside = self.tiling.inside(level, coords)
            shared = [
                slice(max(span.start, tile.start), min(span.stop, tile.stop))
                for span, tile in zip(window, inside, strict=True)
            ]
            span = within(shared, inside)
            state = tuple(words[span] for words in self._state(level, coords))
            elements[within(shared, window)] = self._method.finish(state, self._cells(level, shared))
        return elements

    @property
    def count(self) -> int:
        """Number of tiles of all levels."""
        return sum(prod(self.tiling.grid(level)) for level in range(1, self.levels.count))

    @property
    def has_large_blocks(self) -> bool:
        """Whether the array has blocks so large that they must be read one after another, to limit memory."""
        return self.tiling.is_part_of(self._block or self.source.chunks)

    def steps(self) -> Iterator[Callable[[], object]]:
        """Yield a function for each tile of every level, finer tiles before the coarser tile that they form.

        The tiles of a block come in sequence, and so do the blocks of a coarser tile.
        """
        last, begun, left = self.levels.count - 1, set[Coords](), dict[tuple[int, Coords], int]()
        block = self._block or self.source.chunks
        for coords in product(*map(range, self.tiling.grid(last))) if last else ():
            for first in self._downwards(last, coords):
                place = self.tiling.block_of(first, block)
                if place in begun:
                    continue
                begun.add(place)
                for each in self.tiling.tiles_in(place, block):
                    yield partial(self._state, 1, each)
                    for level, made in self._completed(1, each, left):
                        yield partial(self._state, level, made)

    def _downwards(self, level: int, coords: Coords) -> Iterator[Coords]:
        """Yield the tiles of level 1 that form a tile."""
        if level == 1:
            yield coords
        for below in self.tiling.below(level, coords) if level > 1 else ():
            yield from self._downwards(level - 1, below)

    def _completed(
        self, level: int, coords: Coords, left: dict[tuple[int, Coords], int]
    ) -> Iterator[tuple[int, Coords]]:
        """Yield the coarser tiles that a tile completes; `left` counts the missing parts of the others."""
        while level < self.levels.count - 1:
            level += 1
            coords = tuple(at // 2 if axis in self.levels.halved else at for axis, at in enumerate(coords))
            missing = left.pop((level, coords), len(self.tiling.below(level, coords))) - 1
            if missing:
                left[level, coords] = missing
                return
            yield level, coords

    def _cells(self, level: int, window: Sequence[slice]) -> NDArray[np.int64]:
        """Return the number of array elements in the cell of each element of a window; one number if all are equal."""
        sizes = zip(self.source.shape, window, strict=True)
        along = [
            cells_along(size, level if axis in self.levels.halved else 0, span.start, span.stop)
            for axis, (size, span) in enumerate(sizes)
        ]
        if all(each.size and each[0] == each[-1] for each in along):  # only the last cell can be smaller
            return np.broadcast_to(np.int64(prod(int(each[0]) for each in along)), [len(each) for each in along])
        cells = np.ones((), np.int64)
        for each in along:
            cells = np.multiply.outer(cells, each)
        return cells

    def _state(self, level: int, coords: Coords) -> State:
        """Return the state of a tile: from memory, from `storage`, or made from the next finer level."""
        return states_of_level(level).read((*self._key, coords), partial(self._loaded_or_computed, level, coords))

    def _loaded_or_computed(self, level: int, coords: Coords) -> State:
        found = None if self._storage is None else self._storage.load(self._name(level, coords))
        if found is not None:
            return found
        return self._read(coords) if level == 1 else self._halved(level, coords)

    def _halved(self, level: int, coords: Coords) -> State:
        """Make a tile from the tiles of the next finer level."""
        finer = {below: self._state(level - 1, below) for below in self.tiling.below(level, coords)}
        state = compact(self._method.halve(self._joined(level - 1, finer), level))
        self._save(level, coords, state)
        return state

    def _joined(self, level: int, finer: Mapping[Coords, State]) -> State:
        """Return adjacent tiles as one state."""
        windows = {coords: self.tiling.inside(level, coords) for coords in finer}
        corners = zip(*windows.values(), strict=True)
        whole = [slice(min(span.start for span in along), max(span.stop for span in along)) for along in corners]
        shape = [span.stop - span.start for span in whole]
        joined = tuple(np.empty(shape, words.dtype) for words in next(iter(finer.values())))
        for coords, state in finer.items():
            at = within(windows[coords], whole)
            for words, span in zip(joined, state, strict=True):
                words[at] = span
        return joined

    def _read(self, coords: Coords) -> State:
        """Make a tile of level 1, and the other tiles of the same window of the array."""
        place = self.tiling.read_with(coords)
        made: dict[Coords, State] = _reading.read((*self._key, place), partial(self._read_window, place))
        return made[coords]

    def _read_window(self, place: Coords) -> dict[Coords, State]:
        current().check()
        window, tiles = self.tiling.made_of(place)
        names = {coords: (*self._key, coords) for coords in tiles}
        known = {coords: states_of_level(1).get(name) for coords, name in names.items()}
        if all(state is not None for state in known.values()):  # another thread was faster
            return {coords: state for coords, state in known.items() if state is not None}
        pause(f"a coarser level of an array of {self.source.shape}")
        block = self.source.read(window)
        made = {}
        for coords, name in names.items():
            cells = block[within(self.tiling.source_of(coords), window)]
            made[coords] = compact(self._method.halve(self._method.begin(cells), 1))
            states_of_level(1).put(name, made[coords])
            self._save(1, coords, made[coords])
        return made

    def _save(self, level: int, coords: Coords, state: State) -> None:
        if self._storage is not None:
            self._storage.save(self._name(level, coords), state)

    @staticmethod
    def _name(level: int, coords: Coords) -> str:
        return f"{level}/{'.'.join(map(str, coords))}"
