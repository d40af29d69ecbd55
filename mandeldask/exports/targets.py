"""Targets of an export: each key appears with its complete content or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from zarr.abc.store import Store
from zarr.storage import FsspecStore, MemoryStore, ObjectStore, ZipStore

from mandeldask.exports.local_target import LocalTarget
from mandeldask.exports.store_target import StoreTarget, ZipTarget

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OBSTORE = "obstore+"
"""Prefix of a URL that is opened with obstore, not with fsspec."""

_EXTRAS = {"aiohttp": "remote", "fsspec": "remote", "obstore": "obstore", "s3fs": "s3"}
"""The extra of mandeldask that installs each package."""


@runtime_checkable
class Target(Protocol):
    """Stores bytes by key. Targets can be pickled, so that workers in other processes write to the same location."""

    def read(self, key: str) -> bytes | None:
        """Return the bytes under `key`; None if there are none."""
        ...

    def write(self, key: str, content: bytes) -> None:
        """Put `content` under `key`, or replace the old content. Readers see the old bytes or the new ones."""
        ...

    def write_all(self, contents: Mapping[str, bytes]) -> None:
        """Put bytes under several keys, each as `write` does; faster than separate calls."""
        ...

    def sizes(self, prefix: str) -> Iterator[tuple[str, int | None]]:
        """Yield every key below the path `prefix`, relative to it, and its size in bytes (None if unknown)."""
        ...

    def delete(self, prefix: str) -> None:
        """Remove everything below the path `prefix`; the root is ''."""
        ...

    def remove(self, key: str) -> None:
        """Remove one key, if it exists."""
        ...

    def is_empty(self) -> bool:
        """Return whether the target has no data."""
        ...

    def append(self, key: str, line: str) -> bool:
        """Append a line of text to the value of `key`; return False if the target cannot append."""
        ...

    def free_bytes(self) -> int | None:
        """Return the number of free bytes at the target; None if unknown."""
        ...

    def close(self) -> None:
        """Finish writing."""
        ...

    def abandon(self) -> None:
        """End an incomplete export; its data is kept if a later export can continue it."""
        ...

    def zarr_store(self) -> Store:
        """Return a store that reads the target."""
        ...


def open_target(target: Any, options: Mapping[str, Any] | None = None) -> Target:
    """Return the Target for a path, a URL or a Zarr store.

    Parameters
    ----------
    target : str, path or Store
        A directory, an fsspec URL, a name that ends in ``.zip``, or a writable store. obstore writes to URLs that begin
        with ``obstore+``, such as ``obstore+s3://bucket/set.zarr``.
    options : mapping, optional
        Options for fsspec or obstore.

    Raises
    ------
    ValueError
        If the target cannot be written to.
    ModuleNotFoundError
        If a package for its URL is missing; the message names the extra.
    """
    if isinstance(target, Store):
        if target.read_only:
            msg = f"target {target} is read-only"
            raise ValueError(msg)
        return StoreTarget(target)
    text = os.fspath(target)
    if not text:
        msg = "target is empty: name a folder, a URL or a store"
        raise ValueError(msg)
    if "://" in text and not text.startswith("file://"):
        return StoreTarget(_at_url(text, options))
    path = Path(text.removeprefix("file://")).absolute()  # workers may have another current directory
    if path.suffix == ".zip":
        return ZipTarget.new(path)
    _check_folder(path)
    return LocalTarget(path)


def _at_url(url: str, options: Mapping[str, Any] | None) -> Store:
    if url.startswith(("http:", "https:")):
        msg = f"target {url} cannot be written to: HTTP servers are read-only"
        raise ValueError(msg)
    if url.startswith(OBSTORE):
        return _by_obstore(url, options)
    try:
        return FsspecStore.from_url(url, storage_options=dict(options or {}))
    except ImportError as error:
        package = next((name for name in _EXTRAS if name in str(error)), "fsspec")
        msg = f"target {url} needs {package}: pip install 'mandeldask[{_EXTRAS[package]}]'"
        raise ModuleNotFoundError(msg, name=package) from error
    except OSError as error:  # some file systems connect at once
        msg = f"target {url} cannot be opened: {error.strerror or error}"
        raise ValueError(msg) from error


def _by_obstore(url: str, options: Mapping[str, Any] | None) -> Store:
    try:
        from obstore.store import from_url  # noqa: PLC0415  an extra
    except ModuleNotFoundError as error:
        msg = f"target {url} needs obstore: pip install 'mandeldask[{_EXTRAS['obstore']}]'"
        raise ModuleNotFoundError(msg, name=error.name) from error
    try:
        return ObjectStore(from_url(url.removeprefix(OBSTORE), **(options or {})))
    except Exception as error:  # obstore's errors have no other common class
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = f"target {url} cannot be written to by obstore: {reason}"
        raise ValueError(msg) from error


def _check_folder(path: Path) -> None:
    """Raise ValueError unless a folder can be written at `path`; do not create it."""
    if path.exists() and not path.is_dir():
        msg = f"target {path} is a file, not a directory"
        raise ValueError(msg)
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        msg = f"target {path} cannot be written: {there} is {'not writable' if there.is_dir() else 'no folder'}"
        raise ValueError(msg)


def is_of_this_process(target: Target) -> bool:
    """Return whether other processes would write to their own copies of `target`, so that their data is lost."""
    if not isinstance(target, StoreTarget):
        return False
    store = target.store
    of_memory = isinstance(store, FsspecStore) and type(store.fs).__name__ == "MemoryFileSystem"
    wrapped = isinstance(store, FsspecStore) and type(getattr(store.fs, "sync_fs", None)).__name__ == "MemoryFileSystem"
    of_obstore = isinstance(store, ObjectStore) and type(store.store).__name__ == "MemoryStore"
    return isinstance(store, (MemoryStore, ZipStore)) or of_memory or wrapped or of_obstore
