"""The connections of a process: how many it holds, and which one goes for another."""

from __future__ import annotations

from typing import Protocol

try:
    import resource
except ImportError:  # pragma: no cover  no POSIX
    resource = None  # type: ignore[assignment]

MOST = 1 << 14
"""Connections held where the system would allow more: idle ones take some 10 KB each."""


class Connection(Protocol):
    """What may be asked to go."""

    def evict(self, *, refused: bool) -> None:
        """Close; `refused` where the connection has only just been made."""
        ...


class Connections:
    """At most so many connections; beyond, the one that has been idle longest goes for the newest.

    Parameters
    ----------
    most : int
        Connections held; 0 for three quarters of the descriptors that this process may open.
    """

    def __init__(self, most: int = 0) -> None:
        self.most = most or _allowed()
        self._held = 0
        self._idle: dict[Connection, None] = {}  # in the order in which they became idle

    def enter(self, connection: Connection) -> None:
        """Count a new connection, which is idle."""
        self._held += 1
        self.idle(connection)
        if self._held > self.most:
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            oldest.evict(refused=oldest is connection)

    def leave(self, connection: Connection) -> None:
        """Count a connection that is closed."""
        self._held -= 1
        self._idle.pop(connection, None)

    def busy(self, connection: Connection) -> None:
        """Keep a connection that has asked for something."""
        self._idle.pop(connection, None)

    def idle(self, connection: Connection) -> None:
        """Let a connection go if it must."""
        self._idle[connection] = None


def _allowed() -> int:
    if resource is None:  # pragma: no cover  no POSIX
        return 512
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else max(1, min(MOST, soft * 3 // 4))
