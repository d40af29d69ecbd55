"""Cache of exact partial results of tiles, from which the next coarser levels are made."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from mandeldask.shared_cache import SharedCache

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.images.downsampling import State

LEVEL_BYTES: Final = {1: 2**27, 2: 2**26}
"""Size in bytes of the caches of the first levels, which all pyramids of this process share. Each level has its own
cache: the many tiles of fine levels cannot evict those of coarse levels, which cost more to make again."""

COARSE_BYTES: Final = 2**25
"""Size in bytes of the cache of each other level."""


class StateStorage(Protocol):
    """Storage for states that outlives the process; failures raise no errors."""

    def load(self, key: str) -> State | None:
        """Return the state under `key`; None if there is none, or an incomplete one."""

    def save(self, key: str, state: State) -> None:
        """Save a state, if possible."""


@lru_cache(maxsize=64)
def states_of_level(level: int) -> SharedCache[State]:
    """Return the cache of the states of a level's tiles, shared by all pyramids of this process."""
    return SharedCache(LEVEL_BYTES.get(level, COARSE_BYTES), state_bytes, name="image_levels")


def state_bytes(state: State) -> int:
    """Return the size of a state in memory, in bytes.

    Examples
    --------
    >>> state_bytes((np.zeros((4, 4)), np.broadcast_to(np.uint8(1), (4, 4))))
    129
    """
    return sum(words.nbytes if any(words.strides) else words.itemsize for words in state)


def compact(state: State) -> State:
    """Return a state without references to larger arrays; words that are all equal become one broadcast element."""
    return tuple(_compact(words) for words in state)


def _compact(words: NDArray[Any]) -> NDArray[Any]:
    if words.size and words.dtype.kind in "buif":
        first = words[(0,) * words.ndim]
        if words[(-1,) * words.ndim] == first and bool((words == first).all()):
            return np.broadcast_to(first.copy(), words.shape)
    return np.ascontiguousarray(words) if words.base is None else words.copy()
