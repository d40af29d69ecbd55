"""Limit the CPU time of each client: a number of seconds per minute."""

from __future__ import annotations

import ipaddress
import threading
import time
from typing import TYPE_CHECKING

from mandeldask.forking import renewed_in_children
from mandeldask.web.sockets import is_loopback

if TYPE_CHECKING:
    from collections.abc import Hashable, MutableMapping
    from typing import Any

MINUTE_S = 60.0
"""Seconds in which a used share is restored."""

_MOST_KNOWN = 10_000
"""Number of clients above which those with a full share are dropped."""

LOCAL = "local"
"""All clients on this machine together; they have no limit."""


def client_of(scope: MutableMapping[str, Any], holder: str | None) -> str:
    """Return the client of a request: the holder of a key, a network address, or `LOCAL`.

    One client may have an IPv6 network of 2^64 addresses, so only the first half of the address counts.
    """
    if holder is not None:
        return f"key {holder}"
    host = (scope.get("client") or ("",))[0]
    if not host or is_loopback(host):
        return LOCAL
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else host  # noqa: PLR2004


class Shares:
    """The CPU seconds that clients have used, and the time that they have to wait for more.

    A client may use its share at once; the used part is restored over a minute.

    Parameters
    ----------
    seconds : float
        A client's share, in CPU seconds per minute; 0 for no limit.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._used: dict[Hashable, tuple[float, float]] = {}
        self.renew()
        renewed_in_children(self)

    def renew(self) -> None:
        """Replace the lock in a forked child: a thread that exists in the parent only may have held it."""
        self._lock = threading.RLock()

    def charge(self, who: Hashable, seconds: float) -> None:
        """Count the CPU seconds of a computation."""
        if not self.seconds or who is None or who == LOCAL:
            return
        now = time.monotonic()
        with self._lock:
            self._used[who] = self._left_of(who, now) + seconds, now
            if len(self._used) > _MOST_KNOWN:
                self._used = {one: (self._left_of(one, now), now) for one in self._used if self._left_of(one, now)}

    def wait_s(self, who: Hashable) -> float:
        """Return the seconds after which a client may compute again; 0 if it may now."""
        if not self.seconds:
            return 0.0
        with self._lock:
            excess = self._left_of(who, time.monotonic()) - self.seconds
        return max(0.0, excess * MINUTE_S / self.seconds)

    def _left_of(self, who: Hashable, now: float) -> float:
        """Return the CPU seconds that a client has used and that are not restored yet."""
        used, then = self._used.get(who, (0.0, now))
        return max(0.0, used - (now - then) * self.seconds / MINUTE_S)
