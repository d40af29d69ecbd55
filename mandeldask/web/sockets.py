"""Listening sockets: bind a port, find a free one, and recognise loopback addresses."""

from __future__ import annotations

import errno
import ipaddress
import socket
from functools import lru_cache

BACKLOG = 1024
"""Length of the queue of new connections: the 64 sockets of one browser page were too many for 5."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at `host`:`port`; port 0 picks a free one.

    Raises
    ------
    OSError
        If the address is not available. If the port is taken, the message names a free one.
    ValueError
        If `port` is not an integer from 0 to 65535.
    """
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 2**16:
        msg = f"port must be an integer from 0 to 65535, not {port!r}"
        raise ValueError(msg)
    try:
        return _bound(host, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            msg = f"cannot listen at {host}:{port}: {error.strerror or error}"
            raise _error(error.errno, msg) from None
        msg = f"port {port} of {host} is taken; {free_port(host, port + 1)} is free"
        raise _error(error.errno, msg) from None


def free_port(host: str, start: int) -> int:
    """Return a port of `host` that is free now: the first of twenty from `start` on, else any."""
    for port in (*range(start, min(start + 20, 65536)), 0):
        try:
            with _bound(host, port) as candidate:
                return int(candidate.getsockname()[1])
        except OSError:
            continue
    msg = f"no port of {host} is free"
    raise _error(errno.EADDRINUSE, msg)


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _error(number: int | None, message: str) -> OSError:
    """Return an OSError whose text is `message`, without "[Errno ...]" before it."""
    error = OSError(message)
    error.errno = number
    return error


def _bound(host: str, port: int) -> socket.socket:
    family, kind, proto, _, address = socket.getaddrinfo(
        host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, proto)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound
