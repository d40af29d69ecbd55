"""A temporary folder of a process and its children, which is removed later even if the process is killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:  # pragma: no cover  no POSIX: folders of killed processes remain
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

NEW_S = 60.0
"""Minimum age, in seconds, of a folder to remove: the owner of a newer one may not have locked it yet."""


@contextlib.contextmanager
def owned_folder(prefix: str) -> Iterator[Path]:
    """Make a temporary folder and remove it after the block; also remove folders of killed processes.

    The owner holds a lock on the folder; the system releases it when the process ends.

    Parameters
    ----------
    prefix : str
        Prefix of the names of all such folders.
    """
    _remove_those_without_owner(prefix)
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name, _locked(Path(name)):
        yield Path(name)


def _remove_those_without_owner(prefix: str) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError), _locked(folder, wanted=_is_left_by_us):
            shutil.rmtree(folder, ignore_errors=True)


def _is_left_by_us(found: os.stat_result) -> bool:
    """Return whether a folder belongs to this user (others may write to the same place) and is not new."""
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and time.time() - found.st_mtime > NEW_S


@contextlib.contextmanager
def _locked(folder: Path, wanted: object = None) -> Iterator[None]:
    """Hold the lock of a folder; raise OSError if another process holds it, or if the folder is not `wanted`."""
    if fcntl is None:  # pragma: no cover
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if callable(wanted) and not wanted(os.fstat(descriptor)):
            msg = f"{folder} must not be removed"
            raise OSError(msg)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
