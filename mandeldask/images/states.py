"""What levels need of the next finer ones, remembered within bounds: exact partial results of tiles."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from mandeldask.shared_cache import SharedCache

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.images.downsampling import State

LEVEL_BYTES: Final = {1: 2**27, 2: 2**26}
"""Memory for what is remembered of the first levels, in all pyramids of this process together. Each level has its own:
fine ones, of which there is more, cannot push out coarse ones, which cost more to make again."""

COARSE_BYTES: Final = 2**25
"""Memory for each of the others."""


class Kept(Protocol):
    """Keeps states for longer than a process lives, or stands aside."""

    def load(self, key: str) -> State | None:
        """Return what was kept under `key`; None if there is nothing, or nothing whole."""

    def save(self, key: str, state: State) -> None:
        """Keep a state, if that can be done."""


@lru_cache(maxsize=64)
def remembered(level: int) -> SharedCache[State]:
    """Return the states of tiles of a level: of every pyramid of this process."""
    return SharedCache(LEVEL_BYTES.get(level, COARSE_BYTES), held, name="image_levels")


def held(state: State) -> int:
    """Return the bytes that a state takes in memory.

    Examples
    --------
    >>> held((np.zeros((4, 4)), np.broadcast_to(np.uint8(1), (4, 4))))
    129
    """
    return sum(words.nbytes if any(words.strides) else words.itemsize for words in state)


def compact(state: State) -> State:
    """Return a state that holds on to no larger array, and one element of words that are all the same."""
    return tuple(_compact(words) for words in state)


def _compact(words: NDArray[Any]) -> NDArray[Any]:
    if words.size and words.dtype.kind in "buif":
        first = words[(0,) * words.ndim]
        if words[(-1,) * words.ndim] == first and bool((words == first).all()):
            return np.broadcast_to(first.copy(), words.shape)
    return np.ascontiguousarray(words) if words.base is None else words.copy()
