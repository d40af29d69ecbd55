"""Open HDF5 files without preventing writers, in this process or others, from opening them."""

from __future__ import annotations

import io
import threading
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import h5py

from mandeldask.files.handles import handles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mandeldask.files.stamps import Source

_by_path = threading.RLock()
"""Lock that is held while a file is open by path: all handles of a path share HDF5's cached state, which may be
outdated."""


class Unlocked(io.FileIO):
    """A Python file whose reads return all requested bytes or fail."""

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`; raise an error if the file is too short."""
        view, done = memoryview(buffer).cast("B"), 0
        while done < len(view):
            count = super().readinto(view[done:])
            if not count:
                msg = f"the file ends {len(view) - done} bytes too early"
                raise EOFError(msg)
            done += count
        return done


class Unshared(h5py.File):  # type: ignore[misc]
    """An HDF5 file that is read through a Python file.

    If HDF5 opens a file by its path, other code in this process cannot open it for writing, and later handles see
    HDF5's cached state of the file, which may be outdated.
    """

    def __init__(self, path: str) -> None:
        self._raw = Unlocked(path)
        try:
            super().__init__(self._raw, "r")
        except BaseException:
            self._raw.close()
            raise

    def close(self) -> None:
        """Close both files."""
        super().close()
        self._raw.close()


def _open(source: Source) -> h5py.File:
    return Unshared(source.path)


@cache
def _add_compressions() -> None:
    """Register the compressions of hdf5plugin with HDF5, if it is installed."""
    if find_spec("hdf5plugin") is not None:
        import hdf5plugin  # noqa: F401, PLC0415  importing registers them


@contextmanager
def opened_file(source: Source) -> Iterator[h5py.File]:
    """Yield an open file, without HDF5's file lock.

    Files that refer to other files for their elements, and files to which a SWMR writer appends, are opened by their
    path for each read. All others stay open.
    """
    _add_compressions()
    if source.live or source.also:
        with _by_path, h5py.File(source.path, "r", locking=False, swmr=source.live) as file:
            yield file
    else:
        with handles.lease(source, _open) as file:
            yield file
