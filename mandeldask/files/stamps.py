"""Stamps of files: what moves whenever a file does, asked of the file system each time and never watched."""

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
"""Seconds for which a file must have rested before it is opened: a writer in the middle of its work is let finish."""

PATIENCE = 6
"""How many times a file that does not rest is looked at before it is refused."""


class Unreadable(ValueError):  # noqa: N818  a reason, given to people
    """A file cannot be shown; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file was at one time: rewriting, replacing, growing and truncating all change it."""

    inode: int
    """Number of the file in its file system."""
    size: int
    """Bytes."""
    mtime_ns: int
    """Time of the last change, in nanoseconds."""

    @classmethod
    def of(cls, path: str) -> Stamp:
        """Return the stamp of the file or folder at `path` now; raise OSError if there is none."""
        found = os.stat(path)  # noqa: PTH116  2 microseconds, and paths are strings here
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


def settled(path: str) -> Stamp:
    """Return the stamp of a file that nothing has written to for `SETTLED_S`; wait for that a little.

    Raises
    ------
    Changed
        If it does not come to rest.
    OSError
        If there is no such file.
    """
    stamp = Stamp.of(path)
    for _ in range(PATIENCE):
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
    """A file as it was when it was opened. It pickles by value, so workers read the same file."""

    path: str
    """Where it lies, links resolved."""
    stamp: Stamp
    """What it was."""
    root: str = field(repr=False)
    """Folder outside which no file is read on its behalf, links resolved."""
    also: tuple[tuple[str, Stamp], ...] = ()
    """Other files that it refers to."""
    live: bool = False
    """Whether a writer may append while it is read, because its format allows that."""

    def check(self) -> None:
        """Raise `Changed` unless the file is what it was."""
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
        """Return what `make` reads of the file, if the file was the same before and after.

        Raises
        ------
        Changed
            If it was not.
        """
        self.check()
        try:
            made = make()
        except Exception:
            self.check()  # a reader that stumbled over a change says so
            raise
        self.check()
        return made

    def identity(self, *inner: object) -> str:
        """Return the identity of a part of the file: the same in every process for as long as the file is."""
        return digest(self.path, self.stamp, self.also, *inner)

    def inside(self, path: str) -> str:
        """Return `path`, as the file refers to it, with links resolved.

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
    """Says what a path is now, as text that changes when it does. It pickles."""

    path: str
    """As it was named: a link that points elsewhere is a change."""
    also: tuple[str, ...] = ()
    """Other paths that matter."""

    def __call__(self) -> str:
        """Return the version."""
        return digest(*(part for path in (self.path, *self.also) for part in (os.path.realpath(path), _stamp(path))))


def _stamp(path: str) -> Stamp | None:
    try:
        return Stamp.of(path)
    except OSError:
        return None
