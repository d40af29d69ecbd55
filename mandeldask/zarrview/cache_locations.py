"""Where a persistent cache may be: a folder of this machine, or a local or remote zarr store."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from zarr.abc.store import Store
from zarr.storage import FsspecStore, LocalStore

from mandeldask.internals.zarr_names import default_buffer_prototype, sync
from mandeldask.zarrview.cache_file import FileLocation

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_S = 10.0
"""Seconds that a store may take for one key."""

MARK = "zarrview.json"
"""Key of the document that identifies the owner of the tiles. Zarr readers ignore it."""


class Location(Protocol):
    """The interface of a place for a persistent cache; its methods raise an error if the place is faulty."""

    marked: ClassVar[bool]
    """Whether a document in the location identifies its tiles; otherwise their keys do."""

    def load(self, key: str) -> bytes | None:
        """Return the bytes under `key`, or None."""
        ...

    def save(self, key: str, content: bytes) -> None:
        """Keep `content` under `key`: other processes see all of it or nothing."""
        ...

    def claim(self, key: str, content: bytes) -> None:
        """Keep `content` under `key` unless another process has already stored something there."""
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of this machine, with a file for each key."""

    marked: ClassVar[bool] = True
    path: Path
    """Its path."""

    def __str__(self) -> str:
        return str(self.path)

    def load(self, key: str) -> bytes | None:
        """Return the content of a regular file; reading a pipe or device would block."""
        try:
            descriptor = os.open(
                self.path / key, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            )
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                msg = f"{key} is no regular file"
                raise OSError(msg)
            return file.read()

    def save(self, key: str, content: bytes) -> None:
        """Write a file and rename it into its place."""
        self._write(key, content, Path.replace)

    def claim(self, key: str, content: bytes) -> None:
        """Write a file under a temporary name and rename it, unless the name exists."""
        with contextlib.suppress(FileExistsError):
            self._write(key, content, lambda part, path: path.hardlink_to(part))

    def _write(self, key: str, content: bytes, name: Callable[[Path, Path], object]) -> None:
        path = self.path / key
        for last in (False, True):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                file = NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False)  # noqa: SIM115  renamed when complete
                break
            except FileNotFoundError:  # the folder was empty and has been removed
                if last:
                    raise
        part = Path(file.name)
        try:
            with file:
                file.write(content)
            name(part, path)
        finally:
            part.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """A zarr Store, which may be remote."""

    marked: ClassVar[bool] = True
    store: Store
    """A writable store."""

    def __str__(self) -> str:
        return str(self.store)

    def load(self, key: str) -> bytes | None:
        """Return the bytes under `key` in the store, or None."""
        found = sync(self.store.get(key, default_buffer_prototype()), timeout=WAIT_S)
        return None if found is None else found.to_bytes()

    def save(self, key: str, content: bytes) -> None:
        """Write `content` to the store."""
        sync(self.store.set(key, _buffer(content)), timeout=WAIT_S)

    def claim(self, key: str, content: bytes) -> None:
        """Write `content` to the store unless the key exists."""
        sync(self.store.set_if_not_exists(key, _buffer(content)), timeout=WAIT_S)


def location_of(target: str | Path | Store | FileLocation) -> Location:
    """Return the location at a directory, an fsspec URL or in a zarr Store; a location is returned as it is.

    Raises
    ------
    ValueError
        If a Store is read-only.
    """
    if isinstance(target, FileLocation):
        return target
    if isinstance(target, Store):
        if target.read_only:
            msg = f"{target} is read-only: tiles cannot be stored there"
            raise ValueError(msg)
        return Folder(target.root) if isinstance(target, LocalStore) else StoreLocation(target)
    if isinstance(target, str) and "://" in target and not target.startswith("file://"):
        return StoreLocation(FsspecStore.from_url(target))
    return Folder(Path(str(target).removeprefix("file://")))


def _buffer(content: bytes) -> Any:
    return default_buffer_prototype().buffer.from_bytes(content)
