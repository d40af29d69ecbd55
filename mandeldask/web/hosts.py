"""Host names of a server: protection against DNS rebinding.

DNS rebinding works like this: a page of ``evil.example`` requests ``evil.example:8000`` after that name was changed to
mean 127.0.0.1. The browser takes it for the page's own origin and lets it read all replies. Only the Host header
shows the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mandeldask.web.messages import headers_of, problem
from mandeldask.web.sockets import is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

ANY = "*"
"""Pattern that matches every name."""

_OPEN = ("/healthz", "/readyz")
"""Paths that work under any name: load balancers use the address, and the reply has no data."""


def usual_hosts(host: str, *, shared: bool) -> tuple[str, ...]:
    """Return the host names that a server at the address `host` accepts by default.

    For a loopback address this is `host`; `Hosts` adds the other loopback names and ``*.localhost``. For any other
    address, and if the server is `shared` (it requires keys, which other sites do not have, or it is public), every
    name is accepted.
    """
    return (host,) if is_loopback(host) and not shared else (ANY,)


@dataclass(frozen=True, slots=True)
class Hosts:
    """ASGI middleware: status 421 for requests with a host name that is not one of the server's."""

    app: ASGIApp
    """The inner app."""
    allowed: tuple[str, ...]
    """Names without port; ``*.example.org`` for all its subdomains. Loopback names are always allowed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in _OPEN:
            await self.app(scope, receive, send)
            return
        name = _name(headers_of(scope).get("host"))
        if name is None or self._is_allowed(name):
            await self.app(scope, receive, send)
            return
        refusal = problem(421, "this server does not accept this host name; allow it with --allowed-host")
        await refusal.send(send, head=scope["method"] == "HEAD")

    def _is_allowed(self, name: str) -> bool:
        known = (name == allowed or (allowed[:2] == "*." and name.endswith(allowed[1:])) for allowed in self.allowed)
        return is_loopback(name) or name.endswith(".localhost") or any(known)


def _name(host: str | None) -> str | None:
    """Return the name in a Host header, without port; None if there is no header (browsers always send one)."""
    if host is None:
        return None
    name, colon, port = host.strip().lower().rpartition(":")
    if not colon or not port.isdigit():  # no port, or the last part of an IPv6 address
        name = host.strip().lower()
    return name.removeprefix("[").removesuffix("]").removesuffix(".")
