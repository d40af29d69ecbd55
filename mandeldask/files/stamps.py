"""Stamps of files, which change when the file does; they are read from the file system each time."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from mandeldask.zarrview.identity import digest
from mandeldask.zarrview.nodes import Changed

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SETTLED_S = 0.05
"""A file is opened once it was unchanged for this many seconds, so that a writer can finish."""

ATTEMPTS = 6
"""Number of checks of a file that keeps changing before it is refused."""


class Unreadable(ValueError):  # noqa: N818  a reason for users
    """A file cannot be shown; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The state of a file at one time. It changes when the file is rewritten, replaced, extended or truncated."""

    inode: int
    """Inode number of the file."""
    size: int
    """Size in bytes."""
    mtime_ns: int
    """Time of the last change, in nanoseconds."""

    @classmethod
    def of(cls, path: str) -> Stamp:
        """Return the current stamp of the file or folder at `path`; raise OSError if there is none."""
        found = os.stat(path)  # noqa: PTH116  2 microseconds, and paths are strings here
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


def settled(path: str) -> Stamp:
    """Return the stamp of a file that was not written to for `SETTLED_S`; wait a short time for this.

    Raises
    ------
    Changed
        If it is still being written.
    OSError
        If there is no such file.
    """
    stamp = Stamp.of(path)
    for _ in range(ATTEMPTS):
        age = time.time() - stamp.mtime_ns / 1e9
        if age >= SETTLED_S:
            return stamp
        time.sleep(SETTLED_S if age < 0 else SETTLED_S - age)  # another machine's clock may be ahead
        before, stamp = stamp, Stamp.of(path)
        if stamp == before:
            return stamp
    msg = f"{os.path.basename(path)} is being written"  # noqa: PTH119
    raise Changed(msg)


@dataclass(frozen=True, slots=True)
class Source:
    """A file in the state in which it was opened. It is pickled by value, so that workers read the same file."""

    path: str
    """Its path, with links resolved."""
    stamp: Stamp
    """Its stamp when it was opened."""
    root: str = field(repr=False)
    """The folder outside which no file is read for it, with links resolved."""
    also: tuple[tuple[str, Stamp], ...] = ()
    """Other files that it refers to."""
    live: bool = False
    """Whether its format lets a writer append while it is read."""

    def check(self) -> None:
        """Raise `Changed` if the file has changed."""
        if self.live:
            return
        for path, stamp in ((self.path, self.stamp), *self.also):
            try:
                now = Stamp.of(path)
            except OSError:
                now = None
            if now != stamp:
                msg = f"{os.path.basename(path)} has changed since it was opened"  # noqa: PTH119
                raise Changed(msg)

    def read(self, make: Callable[[], T]) -> T:
        """Return the result of `make`, which reads the file, if the file did not change meanwhile.

        Raises
        ------
        Changed
            If it changed.
        """
        self.check()
        try:
            made = make()
        except Exception:
            self.check()  # an error that a change caused is reported as the change
            raise
        self.check()
        return made

    def identity(self, *inner: object) -> str:
        """Return the identity of a part of the file: the same in all processes until the file changes."""
        return digest(self.path, self.stamp, self.also, *inner)

    def inside(self, path: str) -> str:
        """Return `path`, a path in the file, with links resolved.

        Raises
        ------
        Unreadable
            If it lies outside the root.
        """
        folder = os.path.dirname(self.path)  # noqa: PTH120
        found = os.path.realpath(os.path.join(folder, path))  # noqa: PTH118
        if not within(found, self.root):
            msg = f"it refers to {path}, outside the folder that is served"
            raise Unreadable(msg)
        return found


def within(path: str, root: str) -> bool:
    """Return whether `path` is `root` or below it; both have their links resolved.

    Examples
    --------
    >>> within("/data/a", "/data"), within("/database", "/data"), within("/etc", "/")
    (True, False, True)
    """
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


@dataclass(frozen=True, slots=True)
class Version:
    """Returns the version of a path as text that changes when the file does. It can be pickled."""

    path: str
    """The path as it was given: a change of a link is a change."""
    also: tuple[str, ...] = ()
    """Other paths that it depends on."""

    def __call__(self) -> str:
        """Return the version."""
        return digest(*(part for path in (self.path, *self.also) for part in (os.path.realpath(path), _stamp(path))))


def _stamp(path: str) -> Stamp | None:
    try:
        return Stamp.of(path)
    except OSError:
        return None
