"""Limit the connections of a process: a new one replaces the one that was idle for longest."""

from __future__ import annotations

from typing import Protocol

try:
    import resource
except ImportError:  # pragma: no cover  no POSIX
    resource = None  # type: ignore[assignment]

MOST = 1 << 14
"""Limit of connections where the system allows more: an idle one takes about 10 KB."""


class Connection(Protocol):
    """A connection that can be closed."""

    def evict(self, *, refused: bool) -> None:
        """Close; `refused` if it has only just been made."""
        ...


class Connections:
    """The open connections. Above the limit, a new connection closes the one that has been idle for longest.

    Parameters
    ----------
    most : int
        The limit; 0 for three quarters of the file descriptors that this process may open.
    """

    def __init__(self, most: int = 0) -> None:
        self.most = most or _allowed()
        self._held = 0
        self._idle: dict[Connection, None] = {}  # ordered by the time they became idle

    def enter(self, connection: Connection) -> None:
        """Add a new connection, which is idle."""
        self._held += 1
        self.idle(connection)
        if self._held > self.most:
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            oldest.evict(refused=oldest is connection)

    def leave(self, connection: Connection) -> None:
        """Remove a closed connection."""
        self._held -= 1
        self._idle.pop(connection, None)

    def busy(self, connection: Connection) -> None:
        """Mark a connection as busy: it has sent a request and must not be closed."""
        self._idle.pop(connection, None)

    def idle(self, connection: Connection) -> None:
        """Mark a connection as idle: it may be closed."""
        self._idle[connection] = None


def _allowed() -> int:
    if resource is None:  # pragma: no cover  no POSIX
        return 512
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else max(1, min(MOST, soft * 3 // 4))
