"""Cross-origin reads: the headers that let a page of another origin read every reply, errors included.

Starlette's middleware varies on Origin even for ``*`` and answers ``*`` only to requests with an Origin, so that a
shared cache filled by a script would hand a browser a reply it may not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mandeldask.web.messages import Reply, Request, problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = "GET, HEAD, OPTIONS"
REQUEST_HEADERS = "Accept, Authorization, Cache-Control, If-Match, If-None-Match, If-Range, Pragma, Range, X-API-Key"
EXPOSED = "Accept-Ranges, Content-Encoding, Content-Length, Content-Range, ETag, Retry-After, Server-Timing"
MAX_AGE = "86400"
"""Seconds for which a browser may remember a preflight; browsers cap it themselves."""


@dataclass(frozen=True, slots=True)
class Cors:
    """ASGI middleware: pages of the allowed origins may read what the inner app replies."""

    app: ASGIApp
    """The app inside."""
    allow_origins: tuple[str, ...]
    """Origins such as ``https://example.org``, or ``*``."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer preflights; add headers to everything else."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request.of(scope)
        extra = self._extra(request.headers.get("origin"))
        if scope["method"] == "OPTIONS" and "access-control-request-method" in request.headers:
            await self._preflight(request, extra).send(send)
            return
        raw = [(name.encode(), value.encode("latin-1")) for name, value in extra]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *raw]}
            await send(message)

        await self.app(scope, receive, send_with_headers)

    def _extra(self, origin: str | None) -> tuple[tuple[str, str], ...]:
        """Return the headers for a request from `origin`; Vary only where the reply does vary."""
        exposed = ("access-control-expose-headers", EXPOSED)
        if "*" in self.allow_origins:
            return (("access-control-allow-origin", "*"), exposed)
        if origin in self.allow_origins:
            return (("access-control-allow-origin", str(origin)), exposed, ("vary", "Origin"))
        return (("vary", "Origin"),)

    @staticmethod
    def _preflight(request: Request, extra: tuple[tuple[str, str], ...]) -> Reply:
        if not any(name == "access-control-allow-origin" for name, _ in extra):
            return problem(403, "this origin is not one that the server allows", *extra)
        private = "access-control-request-private-network" in request.headers
        return Reply(
            204,
            (
                *extra,
                ("access-control-allow-methods", METHODS),
                ("access-control-allow-headers", REQUEST_HEADERS),
                ("access-control-max-age", MAX_AGE),
                *((("access-control-allow-private-network", "true"),) if private else ()),
            ),
        )
