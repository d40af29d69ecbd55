"""Cache of recently opened files, by path and stamp."""

from __future__ import annotations

import atexit
import threading
from collections import OrderedDict
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mandeldask.files.stamps import Source

MOST = 64
"""Number of files that stay open; more only if they are being read at the same time."""


@dataclass(slots=True, eq=False)
class _Handle:
    """An open file and the number of its current users."""

    ready: threading.Lock = field(default_factory=threading.Lock)
    turn: threading.RLock = field(default_factory=threading.RLock)
    value: Any = None
    users: int = 0
    dropped: bool = False

    def close(self) -> None:
        close = getattr(self.value, "close", None)
        if close is not None:
            with suppress(Exception):  # a truncated file may raise an error
                close()


class Handles:
    """A cache of recently opened files.

    Parameters
    ----------
    most : int
        Number of files to keep open.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._open: OrderedDict[Any, _Handle] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def lease(self, source: Source, open_file: Callable[[Source], Any], *, exclusive: bool = False) -> Iterator[Any]:
        """Yield the result of `open_file`; `exclusive` if its library supports only one thread at a time.

        The file is opened once for each stamp. It is closed when newer files have replaced it in the cache and no read
        uses it.
        """
        key = (open_file, source.path, source.stamp)
        handle = self._take(key)
        try:
            with handle.ready:
                if handle.value is None:
                    handle.value = open_file(source)
            if exclusive:
                with handle.turn:
                    yield handle.value
            else:
                yield handle.value
        finally:
            self._give_back(key, handle)

    def clear(self) -> None:
        """Close every file that is not being read."""
        with self._lock:
            idle = [key for key, handle in self._open.items() if not handle.users]
            closing = [self._open.pop(key) for key in idle]
        for each in closing:
            each.close()

    def _take(self, key: Any) -> _Handle:
        with self._lock:
            handle = self._open.setdefault(key, _Handle())
            handle.users += 1
            self._open.move_to_end(key)
            return handle

    def _give_back(self, key: Any, handle: _Handle) -> None:
        with self._lock:
            handle.users -= 1
            if handle.value is None and not handle.users and self._open.get(key) is handle:  # opening failed
                del self._open[key]
            closing = [handle] if handle.dropped and not handle.users else []
            while len(self._open) > self._most:
                _, oldest = self._open.popitem(last=False)
                oldest.dropped = True
                closing += [] if oldest.users else [oldest]
        for each in closing:
            each.close()


handles = Handles()
"""The cache of this process."""

atexit.register(handles.clear)
