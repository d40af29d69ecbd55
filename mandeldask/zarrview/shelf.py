"""Tiles kept in a directory, at a URL or in any zarr store: what is there is itself a Zarr store of the tree."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import FsspecStore, LocalStore

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger(__name__)

FINGERPRINT: Final = "zarrview.json"
"""Key of the document that says whose tiles these are. Zarr readers pass it by."""


class Shelf:
    """Tiles of one view in a zarr Store, under the keys that they have in the view.

    zarr's LocalStore writes a file beside its place and renames it, so that other processes see all of it or nothing.
    What was damaged all the same is found by decoding it (see `Reader`), and computed afresh.

    Parameters
    ----------
    target : str, Path or Store
        A local directory, an fsspec URL or a zarr Store.
    content : str
        Identity of the tiles.
    documents : iterable of (str, bytes)
        Keys and bytes of the metadata documents, which are written first.

    Raises
    ------
    ValueError
        If tiles of something else are there.
    """

    def __init__(self, target: str | Path | Store, content: str, documents: Iterable[tuple[str, bytes]]) -> None:
        self._store = opened(target)
        self._claim(content)
        sync(self._write(dict(documents)))

    async def _write(self, documents: dict[str, bytes]) -> None:
        """Write the documents that are not there as they are, all at once: a URL may be far away."""
        found = await asyncio.gather(*(self._store.get(key, default_buffer_prototype()) for key in documents))
        changed = [
            self._store.set(key, _buffer(content))
            for (key, content), old in zip(documents.items(), found, strict=True)
            if old is None or old.to_bytes() != content
        ]
        await asyncio.gather(*changed)

    def _claim(self, content: str) -> None:
        """Leave our mark where there is none; refuse where there is another's, or a store without one."""
        mark = self.load(FINGERPRINT)
        if mark is None:
            if any(self.load(key) is not None for key in ("zarr.json", ".zgroup", ".zarray")):
                msg = f"{self._store} holds a Zarr store that is no tile cache; choose an empty place"
                raise ValueError(msg)
            mine = _buffer(json.dumps({"content": content}).encode())
            sync(self._store.set_if_not_exists(FINGERPRINT, mine))  # another process may have been quicker
            mark = self.load(FINGERPRINT)
        found = _content(mark)
        if found != content:
            msg = f"{self._store} holds tiles of another tree, format or codec (content {found}, not {content})"
            raise ValueError(msg)

    def load(self, key: str) -> bytes | None:
        """Return the bytes under `key`, or None."""
        found = sync(self._store.get(key, default_buffer_prototype()))
        return None if found is None else found.to_bytes()

    def save(self, key: str, tile: bytes) -> None:
        """Keep `tile` under `key`. A place that cannot be written to is logged, and no error: the tile is computed."""
        try:
            sync(self._store.set(key, _buffer(tile)))
        except Exception:
            log.exception("tile %s could not be kept in %s", key, self._store)


def _buffer(content: bytes) -> Any:
    return default_buffer_prototype().buffer.from_bytes(content)


def _content(mark: bytes | None) -> object:
    try:
        return json.loads(mark or b"{}").get("content")
    except (ValueError, AttributeError):
        return None


def opened(target: str | Path | Store) -> Store:
    """Return the zarr Store at a directory or fsspec URL.

    Raises
    ------
    ValueError
        If a Store is read-only.
    """
    if isinstance(target, Store):
        if target.read_only:
            msg = f"{target} is read-only: no tile can be kept there"
            raise ValueError(msg)
        return target
    if isinstance(target, str) and "://" in target and not target.startswith("file://"):
        return FsspecStore.from_url(target)
    return LocalStore(Path(str(target).removeprefix("file://")))
