"""The names under which a server answers: a page of another site that points its own name here reads nothing.

DNS rebinding: a page of ``evil.example`` asks for ``evil.example:8000`` after that name has come to mean 127.0.0.1. For
the browser it is the page's own origin, so it may read all replies; only the Host header shows the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mandeldask.web.messages import headers_of, problem
from mandeldask.web.sockets import is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

ANY = "*"
"""Stands for every name."""

_OPEN = ("/healthz", "/readyz")
"""Paths answered under any name: load balancers ask by address, and there is nothing to read."""


def usual_hosts(host: str, *, shared: bool) -> tuple[str, ...]:
    """Return the names that a server at the address `host` answers to by default.

    A loopback address is there for the people of this machine, by its own names, unless it is `shared` with others: by
    keys, which no page of another site has, or because it is public.
    """
    return (host,) if is_loopback(host) and not shared else (ANY,)


@dataclass(frozen=True, slots=True)
class Hosts:
    """ASGI middleware: 421 for requests under a name that is not one of the server's."""

    app: ASGIApp
    """The app inside."""
    allowed: tuple[str, ...]
    """Names without port; ``*.example.org`` for all below it. Loopback names are always allowed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in _OPEN:
            await self.app(scope, receive, send)
            return
        name = _name(headers_of(scope).get("host"))
        if name is None or self._is_allowed(name):
            await self.app(scope, receive, send)
            return
        refusal = problem(421, "this server does not answer under this name; --allowed-host lets it")
        await refusal.send(send, head=scope["method"] == "HEAD")

    def _is_allowed(self, name: str) -> bool:
        known = (name == allowed or (allowed[:2] == "*." and name.endswith(allowed[1:])) for allowed in self.allowed)
        return is_loopback(name) or name.endswith(".localhost") or any(known)


def _name(host: str | None) -> str | None:
    """Return the name in a Host header, without port; None where there is no header, as no browser sends."""
    if host is None:
        return None
    name, colon, port = host.strip().lower().rpartition(":")
    if not colon or not port.isdigit():  # no port, or the last part of an IPv6 address
        name = host.strip().lower()
    return name.removeprefix("[").removesuffix("]").removesuffix(".")
