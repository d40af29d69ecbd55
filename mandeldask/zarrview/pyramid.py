"""pyramid: an array as a group of levels, each made from the next finer one when it is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mandeldask.images.channels import channels_of
from mandeldask.images.halving import TILE, Halvings
from mandeldask.zarrview.described import Described
from mandeldask.zarrview.identity import digest
from mandeldask.zarrview.nodes import Array, Group

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.images.levels import ImageLevels
    from mandeldask.zarrview.nodes import Node

_CHUNK_SIDES = range(128, 1025)
"""Sides of chunks that levels take over from the array."""


@dataclass(frozen=True, slots=True)
class LevelRead:
    """Reads windows of one level."""

    halvings: Halvings
    level: int

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        return self.halvings.read(self.level, window)


@dataclass(frozen=True, slots=True)
class Transposed:
    """Reads windows of an array with its axes in another order."""

    array: Array
    order: tuple[int, ...]

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        parts = dict(zip(self.order, window, strict=True))
        return self.array.read(tuple(parts[axis] for axis in range(len(window)))).transpose(self.order)


def pyramid(array: Array, levels: ImageLevels, name: str = "image") -> Group:
    """Return the levels of an array as groups "0" (the array itself), "1", ..., each with an array of this name.

    Parameters
    ----------
    array : Array
        An image.
    levels : ImageLevels
        Its levels; the axes of all come in their order.
    name : str
        Name of the array in each group.

    Raises
    ------
    TypeError
        If its elements have no mean, and means are asked for.
    """
    finest = _ordered(array, levels)
    halvings = Halvings(finest, levels)
    chunks = tuple(
        side if axis not in levels.halved or side in _CHUNK_SIDES else TILE for axis, side in enumerate(finest.chunks)
    )
    arrays = [finest] + [
        replace(
            finest,
            shape=levels.shape_of(level),
            chunks=chunks,
            read=LevelRead(halvings, level),
            fingerprint=digest(finest.fingerprint, "halved", levels.method, levels.halved, level),
        )
        for level in range(1, levels.count)
    ]
    members: dict[str, Node] = {str(level): Group({name: each}) for level, each in enumerate(arrays)}
    return Group(members, Described(partial(_attributes, levels, finest, arrays[-1], name)))


def _attributes(levels: ImageLevels, finest: Array, coarsest: Array, name: str) -> dict[str, Any]:
    """Return the attributes of the group of levels. They read some of the data."""
    listed = finest.attrs.get("channels")
    said = {at: each for at, each in enumerate(listed) if isinstance(each, dict)} if isinstance(listed, list) else {}
    return levels.attributes(name, channels_of(levels, finest, coarsest, name, said))


def _ordered(array: Array, levels: ImageLevels) -> Array:
    """Return an array with its axes named and in the order of its levels."""
    if levels.order == tuple(range(len(levels.order))):
        return replace(array, dims=levels.dims)
    return replace(
        array,
        shape=levels.shape,
        dims=levels.dims,
        chunks=tuple(array.chunks[axis] for axis in levels.order),
        read=Transposed(array, levels.order),
        fingerprint=digest(array.fingerprint, levels.order),
    )
