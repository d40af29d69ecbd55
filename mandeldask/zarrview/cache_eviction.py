"""A folder of tiles kept within bounds: the least recently used ones are removed first."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mandeldask.zarrview.cache_locations import MARK, PART

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

_LEFT = 0.9
"""What an eviction leaves of the bounds."""

_SHARE = 0.02
"""What may be written of them between two evictions: five processes that share a folder stay within."""

_DOCUMENTS = frozenset({"zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata", MARK})
"""Names of files that stay as long as their tree is in use."""

_STALE_S = 3600
"""Seconds after which a file that is being written belongs to a process that was killed."""

_UNUSED_S = 86_400
"""Seconds after which a tree without tiles is dropped, documents and all."""


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    used: float
    held: int


class Evictor:
    """Keeps a folder within so many bytes and files, whichever processes write there.

    Parameters
    ----------
    folder : Path
        All persistent caches are below it, and nothing else.
    max_bytes, max_files : int
        Bytes on the disk, and files and folders, at most.
    """

    def __init__(self, folder: Path, max_bytes: int, max_files: int) -> None:
        self.folder, self.max_bytes, self.max_files = folder, max_bytes, max_files
        self._written = self._files = 0
        self._lock = threading.Lock()
        self._evicting = threading.Lock()

    def wrote(self, size: int) -> None:
        """Count a tile that was written; evict old ones, in a thread of its own, if there were enough."""
        with self._lock:
            self._written += size
            self._files += 1
            due = self._written > _SHARE * self.max_bytes or self._files > _SHARE * self.max_files
            if due:
                self._written = self._files = 0
        if due:
            self.begin()

    def begin(self) -> threading.Thread:
        """Evict old tiles in a thread of its own, which is returned."""
        thread = threading.Thread(target=self.evict, name="zarrview-evictor", daemon=True)
        thread.start()
        return thread

    def evict(self) -> None:
        """Remove what is too much, unless another thread is at it."""
        if not self._evicting.acquire(blocking=False):
            return
        try:
            self._evict()
        except OSError as error:
            log.warning("%s cannot be kept within its bounds: %s", self.folder, error)
        finally:
            self._evicting.release()

    def _evict(self) -> None:
        files, folders = [], 0
        for path, names, inside in os.walk(self.folder):
            folders += len(names)
            files += list(_files(path, inside))
        held, count = sum(file.held for file in files), len(files) + folders
        if held <= self.max_bytes and count <= self.max_files:
            return
        for file in sorted(files, key=lambda file: file.used):
            if held <= _LEFT * self.max_bytes and count <= _LEFT * self.max_files:
                break
            if Path(file.path).name not in _DOCUMENTS:
                held, count = held - file.held, count - 1
                with contextlib.suppress(OSError):  # another process was quicker
                    os.unlink(file.path)  # noqa: PTH108  a Path each would take longer than the rest
                    os.removedirs(os.path.dirname(file.path))  # noqa: PTH120  as long as they are empty
        self._drop_unused()

    def _drop_unused(self) -> None:
        """Remove trees that have no tiles and that no process has opened of late."""
        for mark in self.folder.glob(f"*/*/{MARK}"):
            names = {name for _, _, inside in os.walk(mark.parent) for name in inside}
            with contextlib.suppress(OSError):
                if names <= _DOCUMENTS and time.time() - mark.stat().st_mtime > _UNUSED_S:
                    shutil.rmtree(mark.parent, ignore_errors=True)


def _files(folder: str, names: list[str]) -> Iterator[_File]:
    """Yield the files of a folder; those that a killed process was writing are removed."""
    for name in names:
        path = os.path.join(folder, name)  # noqa: PTH118  a Path each would take longer than the rest
        with contextlib.suppress(OSError):
            found = os.lstat(path)
            if name.endswith(PART) and time.time() - found.st_mtime > _STALE_S:
                os.unlink(path)  # noqa: PTH108  likewise
                continue
            yield _File(path, found.st_mtime, getattr(found, "st_blocks", found.st_size // 512) * 512)
