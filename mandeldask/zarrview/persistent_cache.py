"""Tiles kept in a directory, at a URL or in any zarr store: the result is itself a Zarr store of the tree.

A failure of the location never fails a request: tiles are then computed, and this is logged once.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import TYPE_CHECKING

from mandeldask.zarrview.cache_locations import MARK, location_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from zarr.abc.store import Store

    from mandeldask.zarrview.cache_file import FileLocation

log = logging.getLogger(__name__)

ASIDE_S = 30.0
"""Seconds for which a location is not used after a failure: trying it may take as long as computing."""


class PersistentCache:
    """Tiles of one view in a location, under their keys in the view.

    Other processes see a complete tile or none. Damaged tiles are detected by decoding them (see `Reader`),
    and computed again.

    Parameters
    ----------
    target : str, Path, Store or FileLocation
        A local directory, an fsspec URL, a zarr Store, or a part of a file of tiles.
    content : str
        Identity of the tiles.
    documents : iterable of (str, bytes)
        Keys and bytes of the metadata documents, which are written first.

    Raises
    ------
    ValueError
        If the location contains tiles of another tree.
    """

    def __init__(
        self,
        target: str | Path | Store | FileLocation,
        content: str,
        documents: Iterable[tuple[str, bytes]],
    ) -> None:
        self._location = location_of(target)
        self._content = content
        self._documents = dict(documents)
        self._lock = threading.Lock()
        self._is_ours = not self._location.marked
        self._aside_until = 0.0
        self._failure_logged = False
        self._ready()

    def load(self, key: str) -> bytes | None:
        """Return the bytes under `key`; None if there are none, or the location fails."""
        if not self._ready():
            return None
        try:
            found = self._location.load(key)
        except Exception as error:  # noqa: BLE001  any store may raise anything
            self._stand_aside(error)
            return None
        self._failure_logged = False
        return found

    def save(self, key: str, tile: bytes) -> None:
        """Keep `tile` under `key`, if the location works."""
        if not self._ready():
            return
        try:
            self._location.save(key, tile)
        except Exception as error:  # noqa: BLE001  any store may raise anything
            self._stand_aside(error)
            return
        self._failure_logged = False

    def _ready(self) -> bool:
        """Whether the location works and is marked as ours; marks it if necessary."""
        if time.monotonic() < self._aside_until:
            return False
        if not self._is_ours:
            with self._lock:
                try:
                    self._claim()
                    self._is_ours = True
                except ForeignCacheError:
                    raise
                except Exception as error:  # noqa: BLE001  any store may raise anything
                    self._stand_aside(error)
        return self._is_ours

    def _claim(self) -> None:
        """Write our mark and documents if there is no mark; refuse another mark, or a store without one."""
        mark = self._location.load(MARK)
        ours = json.dumps({"content": self._content}).encode()
        if mark == b"":  # left by a full disk or a crash
            self._location.save(MARK, ours)
        elif mark is None:
            has_store = any(self._location.load(key) is not None for key in ("zarr.json", ".zgroup", ".zarray"))
            if has_store and self._location.load(MARK) is None:  # no other process was faster
                msg = f"{self._location} contains a Zarr store that is not a tile cache; choose an empty location"
                raise ForeignCacheError(msg)
            self._location.claim(MARK, ours)
        found = _content(self._location.load(MARK))
        if found != self._content:
            msg = (
                f"{self._location} contains other tiles (content {found}, not {self._content}); choose another location"
            )
            raise ForeignCacheError(msg)
        for key, document in self._documents.items():
            if self._location.load(key) != document:
                self._location.save(key, document)

    def _stand_aside(self, error: Exception) -> None:
        self._aside_until = time.monotonic() + ASIDE_S
        if not self._failure_logged:
            log.warning(
                "tiles cannot be cached in %s now and are computed instead: %s: %s",
                self._location,
                type(error).__name__,
                error,
            )
        self._failure_logged = True


class ForeignCacheError(ValueError):
    """The location belongs to another tree."""


def _content(mark: bytes | None) -> object:
    try:
        return json.loads(mark or b"{}").get("content")
    except (ValueError, AttributeError):
        return None
