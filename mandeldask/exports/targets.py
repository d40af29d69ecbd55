"""Where an export is written: each key appears whole, or not at all."""

from __future__ import annotations

import os
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import FsspecStore, LocalStore, MemoryStore, ZipStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

UNFINISHED = ".part"
"""Ending of files that are being written."""

ABANDONED_S = 3600.0
"""Age, in seconds, from which on an unfinished file is nobody's any more."""

_EXTRAS = {"aiohttp": "remote", "fsspec": "remote", "gcsfs": "gcs", "obstore": "remote", "s3fs": "s3"}
"""Which extra of mandeldask brings a package."""


@runtime_checkable
class Target(Protocol):
    """Holds bytes by key. It pickles, so that workers elsewhere write to the same place."""

    def read(self, key: str) -> bytes | None:
        """Return the bytes under `key`; None if there are none."""
        ...

    def write(self, key: str, content: bytes) -> None:
        """Put `content` under `key`, replacing what is there. Readers see the old bytes or the new ones."""
        ...

    def sizes(self, prefix: str) -> Iterator[tuple[str, int | None]]:
        """Yield every key below the path `prefix`, relative to it, and its bytes; None where they are not known."""
        ...

    def delete(self, prefix: str) -> None:
        """Remove everything below the path `prefix`; the root is ''."""
        ...

    def remove(self, key: str) -> None:
        """Remove one key, if it is there."""
        ...

    def is_empty(self) -> bool:
        """Return whether nothing is there."""
        ...

    def append(self, key: str, line: str) -> bool:
        """Add a line of text under `key`; return False where that is not possible."""
        ...

    def free_bytes(self) -> int | None:
        """Return the bytes that are free where it is; None if nobody knows."""
        ...

    def close(self) -> None:
        """End the writing."""
        ...

    def abandon(self) -> None:
        """End the writing of what will not be complete; what is there stays, where it can be taken up again."""
        ...

    def zarr_store(self) -> Store:
        """Return a store that reads what is there."""
        ...


@dataclass(frozen=True, slots=True)
class LocalTarget:
    """A directory. Files are written under another name, flushed to disk and renamed."""

    path: Path
    """The directory."""
    _made: set[Path] = field(default_factory=set, compare=False, repr=False)

    def read(self, key: str) -> bytes | None:
        """Return the bytes of a file; None if there is none."""
        try:
            return (self.path / key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def write(self, key: str, content: bytes) -> None:
        """Write a file. Stopped anywhere, the old file is there or the new one."""
        place = self.path / key
        self._make(place.parent)
        unfinished = place.with_name(f"{place.name}.{os.getpid()}-{threading.get_ident()}{UNFINISHED}")
        try:
            with unfinished.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(place)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise

    def _make(self, folder: Path) -> None:
        if folder not in self._made:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                msg = f"target {self.path} cannot be written: {error.strerror}"
                raise ValueError(msg) from error
            self._made.add(folder)

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield every file below a folder, and its bytes."""
        yield from _sizes(self.path / prefix, "")

    def delete(self, prefix: str) -> None:
        """Remove a folder and all that is in it."""
        shutil.rmtree(self.path / prefix, ignore_errors=True)
        self._made.clear()

    def remove(self, key: str) -> None:
        """Remove a file, if it is there."""
        (self.path / key).unlink(missing_ok=True)

    def is_empty(self) -> bool:
        """Return whether the directory is not there, or holds nothing but what is being written."""
        return not self.path.exists() or all(path.name.endswith(UNFINISHED) for path in self.path.iterdir())

    def append(self, key: str, line: str) -> bool:
        """Add a line to a file."""
        place = self.path / key
        self._make(place.parent)
        with place.open("a", encoding="ascii") as file:
            file.write(line)
        return True

    def free_bytes(self) -> int:
        """Return the bytes that are free on the disk."""
        there = next(folder for folder in (self.path, *self.path.parents) if folder.exists())
        return shutil.disk_usage(there).free

    def close(self) -> None:
        """Do nothing: every file is complete."""

    def abandon(self) -> None:
        """Do nothing: what is there is taken up again."""

    def zarr_store(self) -> Store:
        """Return the directory as a store."""
        return LocalStore(self.path, read_only=True)

    def __str__(self) -> str:
        return str(self.path)

    def __reduce__(self) -> tuple[Any, ...]:
        return LocalTarget, (self.path,)


def _sizes(folder: Path, below: str) -> Iterator[tuple[str, int]]:
    try:
        entries = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _sizes(folder / entry.name, f"{below}{entry.name}/")
            elif entry.name.endswith(UNFINISHED):
                _clear(entry)
            else:
                yield below + entry.name, entry.stat().st_size


def _clear(entry: os.DirEntry[str]) -> None:
    """Remove an unfinished file that a killed process left; one that is being written stays."""
    try:
        if time.time() - entry.stat().st_mtime > ABANDONED_S:
            Path(entry.path).unlink(missing_ok=True)
    except OSError:
        pass


@dataclass(frozen=True, slots=True)
class StoreTarget:
    """A writable Zarr store: of memory, a zip file, a URL of fsspec, or an obstore."""

    store: Store
    """Where to write. Object stores show an object once it is complete."""

    def __str__(self) -> str:
        return str(self.store)

    def read(self, key: str) -> bytes | None:
        """Return the bytes under `key`; None if there are none."""
        found = sync(self.store.get(key, default_buffer_prototype()))
        return None if found is None else found.to_bytes()

    def write(self, key: str, content: bytes) -> None:
        """Put `content` under `key`."""
        sync(self.store.set(key, default_buffer_prototype().buffer.from_bytes(content)))

    def sizes(self, prefix: str) -> Iterator[tuple[str, None]]:
        """Yield every key below `prefix`. Stores do not tell sizes without a request for each."""
        start = f"{prefix}/" if prefix else ""

        async def listed() -> list[str]:
            return [key async for key in self.store.list_prefix(start)]

        yield from ((key.removeprefix(start), None) for key in sync(listed()))

    def delete(self, prefix: str) -> None:
        """Remove every key below `prefix`."""
        sync(self.store.delete_dir(prefix))

    def remove(self, key: str) -> None:
        """Remove one key, if it is there."""
        sync(self.store.delete(key))

    def is_empty(self) -> bool:
        """Return whether the store has no key."""
        return next(self.sizes(""), None) is None

    def append(self, key: str, line: str) -> bool:  # noqa: ARG002  objects are replaced as a whole
        """Return False."""
        return False

    def free_bytes(self) -> None:
        """Return None: stores do not tell."""

    def close(self) -> None:
        """Do nothing: the store stays open."""

    def abandon(self) -> None:
        """Do nothing: what is there is taken up again."""

    def zarr_store(self) -> Store:
        """Return the store."""
        return self.store


@dataclass(frozen=True, slots=True)
class ZipTarget(StoreTarget):
    """A new zip file. It appears under its name once it is complete, since nothing in it can be replaced."""

    path: Path
    """Its name."""

    @classmethod
    def new(cls, path: Path) -> ZipTarget:
        """Begin the file.

        Raises
        ------
        ValueError
            If it is there already, or its folder is not.
        """
        if path.exists():
            msg = f"target {path} is there already, and nothing in a zip file can be replaced: choose another name"
            raise ValueError(msg)
        if not path.parent.is_dir():
            msg = f"there is no folder {str(path.parent)!r} to write to"
            raise ValueError(msg)
        store = ZipStore(path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}"), mode="w")
        sync(store._open())  # noqa: SLF001  it opens itself when something is written, but not when it is read
        return cls(store, path)

    def close(self) -> None:
        """Write the file's directory, and give it its name."""
        unfinished = self._unfinished()
        self.store.close()
        unfinished.replace(self.path)

    def abandon(self) -> None:
        """Remove the file."""
        self.store.close()
        self._unfinished().unlink(missing_ok=True)

    def remove(self, key: str) -> None:
        """Do nothing: nothing in a zip file can be removed, and its marks hurt no reader."""

    def zarr_store(self) -> Store:
        """Return the file as a store."""
        return ZipStore(self.path, mode="r")

    def __str__(self) -> str:
        return str(self.path)

    def _unfinished(self) -> Path:
        return Path(self.store.path)  # type: ignore[attr-defined]  # a ZipStore


def open_target(target: Any, options: Mapping[str, Any] | None = None) -> Target:
    """Return the Target that a path, a URL or a Zarr store is.

    Parameters
    ----------
    target : str, path or Store
        A directory, an fsspec URL, a name that ends in ``.zip``, or a writable store.
    options : mapping, optional
        For fsspec.

    Raises
    ------
    ValueError
        If it cannot be written to.
    ModuleNotFoundError
        If a package for its URL is missing; the message names the extra.
    """
    if isinstance(target, Store):
        if target.read_only:
            msg = f"target {target} is read-only"
            raise ValueError(msg)
        return StoreTarget(target)
    text = os.fspath(target)
    if "://" in text and not text.startswith("file://"):
        return StoreTarget(_at_url(text, options))
    path = Path(text.removeprefix("file://")).absolute()  # workers elsewhere have another current directory
    if path.suffix == ".zip":
        return ZipTarget.new(path)
    _check_folder(path)
    return LocalTarget(path)


def _at_url(url: str, options: Mapping[str, Any] | None) -> Store:
    if url.startswith(("http:", "https:")):
        msg = f"target {url} cannot be written to: HTTP servers are read only"
        raise ValueError(msg)
    try:
        return FsspecStore.from_url(url, storage_options=dict(options or {}))
    except ImportError as error:
        package = next((name for name in _EXTRAS if name in str(error)), "fsspec")
        msg = f"target {url} needs {package}: pip install 'mandeldask[{_EXTRAS[package]}]'"
        raise ModuleNotFoundError(msg, name=package) from error


def _check_folder(path: Path) -> None:
    """Raise ValueError unless a folder at `path` can be written to, without making it."""
    if path.exists() and not path.is_dir():
        msg = f"target {path} is a file, not a directory"
        raise ValueError(msg)
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        msg = f"target {path} cannot be written: {there} is {'not writable' if there.is_dir() else 'no folder'}"
        raise ValueError(msg)


def is_of_this_process(target: Target) -> bool:
    """Whether what another process writes to its copy of `target` is lost."""
    if not isinstance(target, StoreTarget):
        return False
    store = target.store
    of_memory = isinstance(store, FsspecStore) and type(store.fs).__name__ == "MemoryFileSystem"
    wrapped = isinstance(store, FsspecStore) and type(getattr(store.fs, "sync_fs", None)).__name__ == "MemoryFileSystem"
    return isinstance(store, (MemoryStore, ZipStore)) or of_memory or wrapped
