"""pyramid: an array as a group of levels, each made from the next finer one when it is read."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from math import inf, prod
from typing import TYPE_CHECKING, Any

from mandeldask.budget import limited
from mandeldask.images.channels import channels_of
from mandeldask.images.halving import Halvings
from mandeldask.images.tiling import TILE
from mandeldask.zarrview.blocked import BLOCK_LIMIT, in_blocks
from mandeldask.zarrview.blocks import declared
from mandeldask.zarrview.chunking import MOST_BYTES, aligned_chunks
from mandeldask.zarrview.described import Described
from mandeldask.zarrview.identity import digest, unique
from mandeldask.zarrview.level_storage import with_storage
from mandeldask.zarrview.nodes import Array, Group

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mandeldask.images.levels import ImageLevels
    from mandeldask.zarrview.nodes import Node, Read
    from mandeldask.zarrview.persistent_cache import PersistentCache

_CHUNK_SIDES = range(128, 1025)
"""Smallest and largest sides of the array's chunks for which levels have the same chunks."""

_LABELS = ("long_name", "name", "standard_name")
"""Attributes that describe an image without channels."""

_LONGEST = 2048
"""Longest side of a chunk that neuroglancer can draw: WebGL does not guarantee larger textures of three dimensions."""

_CHUNK_BYTES = 4 * MOST_BYTES
"""Size in bytes of the largest chunks that an array keeps."""


@dataclass(frozen=True, slots=True)
class LevelRead:
    """Reads windows of one level."""

    halvings: Halvings
    level: int
    seconds: float = inf
    """Seconds that a read may take; partial results are kept."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        with limited(self.seconds) if self.seconds < inf else nullcontext():
            return self.halvings.read(self.level, window)


@dataclass(frozen=True, slots=True)
class Declared:
    """Reads windows of an array as declared: masked elements become the value for missing ones."""

    read: Read
    dtype: np.dtype[Any]
    missing: Any

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        shape = tuple(span.stop - span.start for span in window)
        return declared(self.read(window), shape, self.dtype, self.missing)


@dataclass(frozen=True, slots=True)
class Transposed:
    """Reads windows of an array with its axes in another order."""

    array: Array
    order: tuple[int, ...]

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        parts = dict(zip(self.order, window, strict=True))
        return self.array.read(tuple(parts[axis] for axis in range(len(window)))).transpose(self.order)


def pyramid(
    array: Array,
    levels: ImageLevels,
    name: str = "image",
    *,
    persistent: PersistentCache | None = None,
    seconds: float = inf,
) -> Group:
    """Return the levels of an array as groups "0" (the array itself), "1", ..., each with an array of this name.

    Parameters
    ----------
    array : Array
        An image.
    levels : ImageLevels
        Its levels; they define the order of the axes.
    name : str
        Name of the array in each group.
    persistent : PersistentCache, optional
        Cache of the states of tiles, used if other processes can identify their source.
    seconds : float
        Seconds that reading a window of a level may take.

    Raises
    ------
    TypeError
        If its elements have no mean, and means are requested.
    """
    finest = _declared(_in_parts(ordered(array, levels, array.shape), levels))
    halvings = halvings_of(finest, levels, persistent)
    chunks = _level_chunks(finest, levels)
    arrays = [finest] + [
        replace(
            finest,
            shape=levels.shape_of(level),
            chunks=chunks,
            block=None,
            read=LevelRead(halvings, level, seconds),
            fingerprint=digest(finest.fingerprint, "halved", levels.method, levels.halved, level),
            attrs=levels.attributes_of(level, finest.attrs),
        )
        for level in range(1, levels.count)
    ]
    members: dict[str, Node] = {str(level): Group({name: each}) for level, each in enumerate(arrays)}
    return Group(members, Described(partial(_attributes, levels, finest, arrays[-1], name)))


def halvings_of(finest: Array, levels: ImageLevels, persistent: PersistentCache | None = None) -> Halvings:
    """Return the object that makes the levels of an array, with the axes in the order of `levels`."""
    source = replace(finest, fingerprint=_identity(finest))
    return with_storage(Halvings(source, levels, finest.block), persistent)


def _declared(array: Array) -> Array:
    return replace(array, read=Declared(array.read, array.dtype, array.missing))


def _identity(array: Array) -> str:
    """Return the present identity of an array; a unique one if its version is unknown."""
    if array.version is None:
        return array.fingerprint
    version = array.version() if array.as_of is None else array.as_of
    return unique() if version is None else digest(array.fingerprint, version)


def _in_parts(array: Array, levels: ImageLevels) -> Array:
    """Return an array in chunks that viewers can draw; each of its own chunks is read once for all of them."""
    itemsize = max(1, array.dtype.itemsize)
    size, narrow = prod(array.chunks) * itemsize, _narrow(array.chunks, levels)
    if array.block is not None:
        return replace(array, chunks=narrow)
    if size > BLOCK_LIMIT or (size <= _CHUNK_BYTES and narrow == array.chunks):
        return array
    planes = _planes(narrow, levels, itemsize)
    return in_blocks(array, array.chunks, _narrow(aligned_chunks(array.shape, itemsize, planes), levels))


def _narrow(chunks: tuple[int, ...], levels: ImageLevels) -> tuple[int, ...]:
    """Return chunks whose sides are no longer than a viewer can draw."""
    sides = list(chunks)
    for axis in levels.halved:
        while sides[axis] > _LONGEST:
            sides[axis] = -(-sides[axis] // 2)
    return tuple(sides)


def _level_chunks(finest: Array, levels: ImageLevels) -> tuple[int, ...]:
    """Return the chunks of the coarser levels."""
    sides = enumerate(finest.chunks)
    chunks = [side if axis not in levels.halved or side in _CHUNK_SIDES else TILE for axis, side in sides]
    return _planes(chunks, levels, max(1, finest.dtype.itemsize))


def _planes(chunks: Sequence[int], levels: ImageLevels, itemsize: int) -> tuple[int, ...]:
    """Return chunks of fewer planes, down to one, if they are too large."""
    sides = list(chunks)
    others = [axis for axis in range(len(sides)) if axis not in levels.halved]
    while prod(sides) * itemsize > MOST_BYTES and any(sides[axis] > 1 for axis in others):
        axis = max(others, key=sides.__getitem__)
        sides[axis] = -(-sides[axis] // 2)
    return tuple(sides)


def _attributes(levels: ImageLevels, finest: Array, coarsest: Array, name: str) -> dict[str, Any]:
    """Return the attributes of the group of levels. This reads some of the data."""
    described = channels_in_file(finest.attrs)
    labels = (finest.attrs.get(each) for each in _LABELS)
    label = next((each for each in labels if isinstance(each, str) and each), name)
    return levels.attributes(name, channels_of(levels, finest, coarsest, label, described))


def channels_in_file(attrs: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """Return a file's descriptions of its channels, by number."""
    listed = attrs.get("channels")
    return {at: each for at, each in enumerate(listed) if isinstance(each, dict)} if isinstance(listed, list) else {}


def ordered(array: Array, levels: ImageLevels, shape: tuple[int, ...]) -> Array:
    """Return an array of this shape, one of the levels, with named axes in the order of `levels`."""
    if levels.order == tuple(range(len(levels.order))):
        return replace(array, dims=levels.dims)
    return replace(
        array,
        shape=tuple(shape[axis] for axis in levels.order),
        dims=levels.dims,
        chunks=tuple(array.chunks[axis] for axis in levels.order),
        block=None if array.block is None else tuple(array.block[axis] for axis in levels.order),
        read=Transposed(array, levels.order),
        fingerprint=digest(array.fingerprint, levels.order),
    )
