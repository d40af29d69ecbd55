"""A directory as a target: files are written under another name, flushed to disk and renamed."""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zarr.storage import LocalStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zarr.abc.store import Store

UNFINISHED = ".part"
"""Suffix of files that are being written."""

ABANDONED_S = 3600.0
"""Age in seconds after which an unfinished file counts as abandoned."""


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
        """Write a file. If this is interrupted, the file has its old content or the new one."""
        self.write_all({key: content})

    def write_all(self, contents: Mapping[str, bytes]) -> None:
        """Write files. They are flushed to disk together: all flushes begin before the first one is waited for."""
        suffix = f".{os.getpid()}-{threading.get_ident()}{UNFINISHED}"
        written: list[tuple[Path, Path]] = []
        with ExitStack() as opened:
            opened.callback(_remove, written)
            files = []
            for key, content in contents.items():
                place = self.path / key
                self._make(place.parent)
                unfinished = place.with_name(place.name + suffix)
                written.append((unfinished, place))
                file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
                opened.callback(os.close, file)
                _write(file, content)
                files.append(file)
            for file in files:
                _begin_flush(file)
            for file in files:
                os.fsync(file)
            while written:
                unfinished, place = written[-1]
                unfinished.replace(place)
                written.pop()

    def _make(self, folder: Path) -> None:
        if folder not in self._made:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                msg = f"target {self.path} cannot be written: {error.strerror}"
                raise ValueError(msg) from error
            self._made.add(folder)

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield the name of every file below a folder, and its size in bytes."""
        yield from _sizes(self.path / prefix, "")

    def delete(self, prefix: str) -> None:
        """Remove a folder and its content."""
        shutil.rmtree(self.path / prefix, ignore_errors=True)
        self._made.clear()

    def remove(self, key: str) -> None:
        """Remove a file, if it exists."""
        (self.path / key).unlink(missing_ok=True)

    def is_empty(self) -> bool:
        """Return whether the directory does not exist or has nothing but unfinished files."""
        return not self.path.exists() or all(path.name.endswith(UNFINISHED) for path in self.path.iterdir())

    def append(self, key: str, line: str) -> bool:
        """Add a line to a file."""
        place = self.path / key
        self._make(place.parent)
        with place.open("a", encoding="ascii") as file:
            file.write(line)
        return True

    def free_bytes(self) -> int:
        """Return the number of free bytes on the disk."""
        there = next(folder for folder in (self.path, *self.path.parents) if folder.exists())
        return shutil.disk_usage(there).free

    def close(self) -> None:
        """Do nothing: every file is complete."""

    def abandon(self) -> None:
        """Do nothing: the next export continues with the files that were written."""

    def zarr_store(self) -> Store:
        """Return the directory as a store."""
        return LocalStore(self.path, read_only=True)

    def __str__(self) -> str:
        return str(self.path)

    def __reduce__(self) -> tuple[Any, ...]:
        return LocalTarget, (self.path,)


def _write(file: int, content: bytes) -> None:
    """Write all of `content`; one system call writes at most 2 GiB."""
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def _begin_flush(file: int) -> None:
    """Ask the system to begin to write a file to disk, if it accepts such advice: `fsync` then takes half the time."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)


def _remove(files: list[tuple[Path, Path]]) -> None:
    """Remove unfinished files (the first of each pair) after an error."""
    for unfinished, _ in files:
        with suppress(OSError):
            unfinished.unlink()


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
    """Remove an unfinished file of a process that was killed, but not one that is being written."""
    try:
        if time.time() - entry.stat().st_mtime > ABANDONED_S:
            Path(entry.path).unlink(missing_ok=True)
    except OSError:
        pass
