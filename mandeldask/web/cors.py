"""Headers for cross-origin reads: pages of other origins can read every reply, including errors.

Starlette's middleware sends ``Vary: Origin`` even for ``*``, and sends ``*`` only for requests with an Origin. A
shared cache filled by a script would then give a browser a reply that it may not read.
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
"""Seconds for which a browser may cache a preflight; browsers have limits of their own."""


@dataclass(frozen=True, slots=True)
class Cors:
    """ASGI middleware: pages of the allowed origins may read the replies of the inner app."""

    app: ASGIApp
    """The inner app."""
    allow_origins: tuple[str, ...]
    """Origins such as ``https://example.org``, or ``*``."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer preflight requests; add headers to all other replies."""
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
        """Return the headers for a request from `origin`; with Vary only if the reply depends on it."""
        exposed = ("access-control-expose-headers", EXPOSED)
        if "*" in self.allow_origins:
            return (("access-control-allow-origin", "*"), exposed)
        if origin in self.allow_origins:
            return (("access-control-allow-origin", str(origin)), exposed, ("vary", "Origin"))
        return (("vary", "Origin"),)

    @staticmethod
    def _preflight(request: Request, extra: tuple[tuple[str, str], ...]) -> Reply:
        if not any(name == "access-control-allow-origin" for name, _ in extra):
            return problem(403, "the server does not allow this origin", *extra)
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
