"""The tile cache: encoded chunks in memory, bounded in bytes, each computed once, with counters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mandeldask.shared_cache import SharedCache

if TYPE_CHECKING:
    from pathlib import Path

    from zarr.abc.store import Store

DEFAULT_BYTES = 2**30

ENTRY_BYTES = 400
"""Bytes that Python needs for a tile, in addition to the encoded bytes. A uniform tile has 280 bytes of gzip: without
this overhead, a cache of such tiles would take more than twice its bound."""


def _cost(tile: bytes) -> int:
    return len(tile) + ENTRY_BYTES


class TileCache(SharedCache[bytes]):
    """The most recently used tiles, up to `max_bytes` of them; safe to share between threads and views.

    Parameters
    ----------
    max_bytes : int
        Memory for encoded tiles, with Python's overhead for each. A larger tile is not kept; 0 keeps none.
    directory : str, Path or Store, optional
        Where tiles are kept for longer: a local directory, an fsspec URL or any writable zarr Store. It becomes a Zarr
        store of the tree and can hold one tree in one format only; a view of another tree or format refuses it.
    """

    def __init__(
        self,
        max_bytes: int = DEFAULT_BYTES,
        directory: str | Path | Store | None = None,
    ) -> None:
        if max_bytes < 0:
            msg = f"max_bytes must not be negative, not {max_bytes}"
            raise ValueError(msg)
        super().__init__(max_bytes, _cost)
        self.max_bytes = max_bytes
        self.directory = directory
        self.computes = self.loads = self.damaged = 0

    def computed(self) -> None:
        """Count a tile that was computed."""
        with self._lock:
            self.computes += 1

    def loaded(self, *, good: bool) -> None:
        """Count a tile or shard that was read from the directory, or found damaged there."""
        with self._lock:
            self.loads += good
            self.damaged += not good

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.max_bytes, self.directory)  # the cache is empty in another process
