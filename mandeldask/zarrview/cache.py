"""A cache of encoded tiles, bounded in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

    from zarr.abc.store import Store

DEFAULT_BYTES = 2**30

ENTRY_BYTES = 400
"""What Python needs to keep a tile besides its bytes: a uniform tile is 280 bytes of gzip, and a cache of them alone
would otherwise take more than twice its bound."""


class TileCache:
    """The most recently used tiles, up to `max_bytes` of them; safe to share between threads and views.

    Parameters
    ----------
    max_bytes : int
        Memory for encoded tiles, what Python needs for each counted in. A larger tile is not kept; 0 keeps none.
    directory : str, Path or Store, optional
        Where tiles are kept for longer: a local directory, an fsspec URL or any writable zarr Store. It becomes a Zarr
        store of the tree and can hold one tree in one format only; a view of another refuses it.
    """

    def __init__(self, max_bytes: int = DEFAULT_BYTES, directory: str | Path | Store | None = None) -> None:
        if max_bytes < 0:
            msg = f"max_bytes must not be negative, not {max_bytes}"
            raise ValueError(msg)
        self.max_bytes = max_bytes
        self.directory = directory
        self.hits = self.misses = self.evictions = self.computes = self.loads = self.damaged = self.size = 0
        self._lock = threading.Lock()
        self._tiles: OrderedDict[Hashable, bytes] = OrderedDict()

    def get(self, key: Hashable, *, misses: bool = True) -> bytes | None:
        """Return the tile of `key`, or None; counts a hit, or a miss if `misses`."""
        with self._lock:
            tile = self._tiles.get(key)
            if tile is None:
                self.misses += misses
                return None
            self.hits += 1
            self._tiles.move_to_end(key)
            return tile

    def put(self, key: Hashable, tile: bytes) -> None:
        """Keep `tile` as the most recent one; the least recently used ones go."""
        with self._lock:
            self._drop(key)
            cost = len(tile) + ENTRY_BYTES
            if cost > self.max_bytes:
                return
            self._tiles[key] = tile
            self.size += cost
            while self.size > self.max_bytes:
                self._drop(next(iter(self._tiles)))
                self.evictions += 1

    def computed(self, key: Hashable, tile: bytes) -> None:
        """Keep a tile that was just computed; counts it."""
        with self._lock:
            self.computes += 1
        self.put(key, tile)

    def loaded(self, *, good: bool) -> None:
        """Count a tile or shard that was read from the directory, or found damaged there."""
        with self._lock:
            self.loads += good
            self.damaged += not good

    def _drop(self, key: Hashable) -> None:
        tile = self._tiles.pop(key, None)
        self.size -= 0 if tile is None else len(tile) + ENTRY_BYTES

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.max_bytes, self.directory)  # another process starts with none of the tiles

    def __contains__(self, key: Hashable) -> bool:
        """Return whether the tile of `key` is in memory; counts nothing."""
        return key in self._tiles

    def __len__(self) -> int:
        """Return the number of tiles in memory."""
        return len(self._tiles)
