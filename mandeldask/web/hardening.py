"""Security headers: no guessing of content types, no referrer for other sites, no frames in other sites."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = b"content-security-policy"

NOTHING = "default-src 'none'; base-uri 'self'"
"""Content-Security-Policy of replies that load nothing; listings have a ``<base>``."""


@dataclass(frozen=True, slots=True)
class Hardened:
    """ASGI middleware: add these headers to every reply, but keep a reply's own Content-Security-Policy."""

    app: ASGIApp
    """The inner app."""
    allow_origins: tuple[str, ...]
    """Origins whose pages may read replies; they may also show them in a frame."""
    _usual: tuple[tuple[bytes, bytes], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_usual", _hardening(NOTHING.encode(), self.allow_origins))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers to its reply."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self._with(message.get("headers", ()))}
            await send(message)

        await self.app(scope, receive, hardened)

    def _with(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        policies = [value for name, value in headers if name == _POLICY]
        if not policies:
            return [*headers, *self._usual]
        return [*(each for each in headers if each[0] != _POLICY), *_hardening(policies[-1], self.allow_origins)]


def _hardening(policy: bytes, allow_origins: tuple[str, ...]) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers for a Content-Security-Policy."""
    framing = " ".join(("'self'", *(origin for origin in allow_origins if origin != "null")))
    return (
        (_POLICY, policy + f"; frame-ancestors {framing}".encode("latin-1")),
        (b"referrer-policy", b"no-referrer"),  # a page below /key/<key>/ must not send it to other sites
        (b"x-content-type-options", b"nosniff"),
    )
