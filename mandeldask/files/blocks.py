"""Blocks of files (tiles, strips, chunks, row groups): decoded once, and shown in chunks of a suitable size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mandeldask.zarrview.blocked import in_blocks, shared_blocks
from mandeldask.zarrview.chunking import aligned_chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable

    from numpy.typing import NDArray

    from mandeldask.zarrview.nodes import Array

_ENDLESS = 2**62
"""Size for a dimension that can grow."""


def decoded(key: Hashable, decode: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """Return the result of `decode`, cached by `key`; concurrent calls with the same key decode once."""
    return shared_blocks().read(key, decode)


def blocked(array: Array, block: tuple[int, ...], growing: Collection[int] = ()) -> Array:
    """Return `array` with reads by cached blocks of the file, and with chunks that suit the blocks.

    Parameters
    ----------
    array : Array
        Reads windows of the file.
    block : tuple of int
        Elements of a block along each dimension.
    growing : collection of int
        Dimensions that may become longer. The chunk shape does not depend on their current length, so that clients with
        the old metadata still find the old elements in the same chunks.
    """
    if not array.shape:
        return array
    shape = tuple(_ENDLESS if axis in growing else size for axis, size in enumerate(array.shape))
    return in_blocks(array, block, aligned_chunks(shape, max(1, array.dtype.itemsize), block))
