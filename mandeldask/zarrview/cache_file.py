"""Tiles of many trees in one file: the folder has three files, independent of the number of tiles.

The file is a SQLite database. With its log (WAL) many processes of one machine can read and write at the same time, and
nothing is lost when one is killed. A separate file for each tile would take two inodes and a block of the disk. Small
tiles are written and read faster here; tiles of a megabyte are slower by some milliseconds
(``python benchmarks/cache_file.py``).
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import stat
import threading
import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mandeldask.forking import renewed_in_children

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

FOLDER_BYTES = 10 * 2**30
"""Default of the largest size of a folder on the disk, in bytes."""

NAME = "tiles.sqlite"
"""Name of the file."""

WAIT_S = 2.0
"""Seconds to wait for another process that writes."""

_PAGE = 16_384
"""Bytes of a page: most tiles are in one or two."""

_KIND = 0x6D646B74
"""SQLite's application id: it marks our files."""

_VERSION = 1

_TOUCH_S = 3600
"""Seconds after which a tile that is read is marked as used again."""

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS tiles (key TEXT PRIMARY KEY, used INTEGER NOT NULL, tile BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS tiles_by_use ON tiles (used)",
    f"PRAGMA application_id = {_KIND}",
    f"PRAGMA user_version = {_VERSION}",
)
_OLDEST = "DELETE FROM tiles WHERE rowid IN (SELECT rowid FROM tiles ORDER BY used LIMIT ?)"


class CacheFile:
    """A file of tiles within a folder; opened when it is first used.

    Its methods raise OSError or sqlite3.Error if anything is wrong with the folder.

    Parameters
    ----------
    folder : Path
        On a disk of this machine: SQLite's log does not work over a network.
    max_bytes : int
        Bytes on the disk, the log included; the least recently used tiles are removed. A tile that would take more
        than a sixteenth of them is not kept.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.path = folder / NAME
        self._pages = max_bytes // _PAGE
        self._log_pages = max(4, min(256, self._pages // 16))
        self._room = self._pages - self._pages // 16 - 2 * self._log_pages
        self._reader, self._writer = (_Connection(self.path, self._log_pages) for _ in range(2))
        self._lowered = False
        renewed_in_children(self)

    def renew(self) -> None:
        """Ignore an inherited connection in a forked child: SQLite does not allow using or closing it there."""
        inherited = self._reader.is_open or self._writer.is_open
        for connection in (self._reader, self._writer):
            connection.renew(inherited=inherited)

    def __str__(self) -> str:
        return str(self.path)

    def below(self, name: str) -> FileLocation:
        """Return a location in this file whose keys begin with `name`."""
        return FileLocation(self, name)

    def load(self, key: str) -> bytes | None:
        """Return the tile under `key`, or None; it is marked as used."""
        with self._reader.opened() as database:
            found = database.execute("SELECT tile, used FROM tiles WHERE key = ?", (key,)).fetchone()
        if found is None:
            return None
        tile, used = found
        if time.time_ns() - used > _TOUCH_S * 10**9:
            with contextlib.suppress(OSError, sqlite3.Error):  # a process that may only read
                self._touch(key)
        return bytes(tile)

    def save(self, key: str, tile: bytes) -> None:
        """Keep `tile` under `key`; remove the least recently used tiles if it needs room."""
        if len(tile) > self._pages * _PAGE // 16:
            return
        with self._writer.opened() as database:
            if not self._has_short_log(database):
                return
            if not self._lowered:  # it may have grown under a larger bound
                self._lower(database)
            with _transaction(database):
                database.execute("INSERT OR REPLACE INTO tiles VALUES (?, ?, ?)", (key, time.time_ns(), tile))
                while _pages_in_use(database) > self._room and database.execute(_OLDEST, (1,)).rowcount:
                    pass

    def _touch(self, key: str) -> None:
        with self._writer.opened() as database:
            database.execute("UPDATE tiles SET used = ? WHERE key = ?", (time.time_ns(), key))

    def _lower(self, database: sqlite3.Connection) -> None:
        """Shrink the file to its bound, in steps, so that other processes can write in between."""
        while _pages_in_use(database) > self._room:
            with _transaction(database):
                count = _number(database, "SELECT count(*) FROM tiles")
                if not database.execute(_OLDEST, (max(1, count // 64),)).rowcount:
                    break
        if _number(database, "PRAGMA page_count") > self._room:
            database.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")  # run all steps
        self._lowered = True

    def _has_short_log(self, database: sqlite3.Connection) -> bool:
        """Whether there is room in the log; a full log is emptied first, if no reader or writer prevents it."""
        try:
            size = self.path.with_name(NAME + "-wal").stat().st_size
        except FileNotFoundError:
            return True
        if size <= 2 * self._log_pages * _PAGE:
            return True
        is_busy, *_ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not is_busy


@dataclass(frozen=True, slots=True)
class FileLocation:
    """A `cache_locations.Location` in a `CacheFile`."""

    marked: ClassVar[bool] = False
    file: CacheFile
    """The file."""
    name: str
    """Prefix of all keys; it identifies content and format."""

    def __str__(self) -> str:
        return str(self.file)

    def load(self, key: str) -> bytes | None:
        """Return the tile under `key`, or None."""
        return self.file.load(f"{self.name}/{key}")

    def save(self, key: str, content: bytes) -> None:
        """Keep a tile."""
        self.file.save(f"{self.name}/{key}", content)

    def claim(self, key: str, content: bytes) -> None:
        """Keep a tile unless its key exists."""
        if self.load(key) is None:
            self.save(key, content)


class _Connection:
    """A connection to the file for all threads of a process, one at a time."""

    def __init__(self, path: Path, log_pages: int) -> None:
        self._path, self._log_pages = path, log_pages
        self._database: sqlite3.Connection | None = None
        self._close: Callable[[], Any] = _nothing
        self._file: tuple[int, int] | None = None
        self.renew(inherited=False)

    def renew(self, *, inherited: bool) -> None:
        """Start with a free lock, and without the connection if a fork `inherited` one."""
        self._lock = threading.Lock()
        self._inherited = inherited

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._database is not None

    @contextlib.contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection; after an error it is opened again at the next use."""
        with self._lock:
            if self._inherited:
                msg = "this process was forked from one that uses the file"
                raise OSError(msg)
            if self._database is None or self._file != self._now():
                self._close()
                self._open()
            try:
                yield self._database  # type: ignore[misc]  # the connection is open here
            except sqlite3.Error:
                self._close()
                self._database, self._close = None, _nothing
                raise

    def _open(self) -> None:
        """Connect; the connection is closed when this object is deleted, but not at the end of the process."""
        self._database, self._close = None, _nothing
        self._database = _connected(self._path, self._log_pages)
        self._close = closed = weakref.finalize(self, _close, self._database, os.getpid())
        closed.atexit = False
        self._file = self._now()

    def _now(self) -> tuple[int, int] | None:
        """Return the identity of the file that is at the path now."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


_foreign: list[sqlite3.Connection] = []
"""Connections of the parent process: closing them in this forked process would damage them."""


def _close(database: sqlite3.Connection, process: int) -> None:
    if os.getpid() == process:
        database.close()
    else:
        _foreign.append(database)


def _nothing() -> None:
    """Close nothing: there is no connection."""


def _connected(path: Path, log_pages: int) -> sqlite3.Connection:
    """Return a connection to a file of tiles, which is created if it does not exist.

    Raises
    ------
    OSError
        If the path is another kind of file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):  # opening a pipe or device would block
        msg = f"{path} is no regular file"
        raise OSError(msg)
    database = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        _prepare(database, path, log_pages)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, path: Path, log_pages: int) -> None:
    """Set up a connection, and create the tables of a new file."""
    kind = _number(database, "PRAGMA application_id")
    if kind != _KIND and _number(database, "SELECT count(*) FROM sqlite_master"):
        msg = f"{path} exists, but is not a tile cache; choose another folder"
        raise OSError(msg)
    for setting in (f"page_size = {_PAGE}", "auto_vacuum = INCREMENTAL"):
        database.execute(f"PRAGMA {setting}")
    _use_log(database)
    log_bytes = log_pages * _PAGE
    for setting in ("synchronous = NORMAL", f"wal_autocheckpoint = {log_pages}", f"journal_size_limit = {log_bytes}"):
        database.execute(f"PRAGMA {setting}").fetchall()
    if kind != _KIND:
        with _transaction(database):
            for statement in _SCHEMA:
                database.execute(statement)


def _use_log(database: sqlite3.Connection) -> None:
    """Turn the log on; repeat if another process does so at the same time, because SQLite does not wait here."""
    stop = time.monotonic() + WAIT_S
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError:
            if time.monotonic() > stop:
                raise
            time.sleep(0.01)
        else:
            return


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Run a block of statements as an exclusive transaction."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if database.in_transaction:  # after a full disk, SQLite has already rolled back
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _number(database: sqlite3.Connection, query: str) -> int:
    return int(database.execute(query).fetchone()[0])


def _pages_in_use(database: sqlite3.Connection) -> int:
    return _number(database, "PRAGMA page_count") - _number(database, "PRAGMA freelist_count")
