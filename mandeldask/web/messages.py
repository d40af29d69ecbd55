"""Requests and replies as plain values, and their conversion from and to ASGI."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.types import Scope, Send

JSON = "application/json"
"""Media type of Zarr documents and of errors."""


@dataclass(frozen=True, slots=True)
class Request:
    """The parts of an HTTP request that a read-only server needs."""

    method: str
    """``GET`` or ``HEAD``."""
    path: str
    """Decoded path, with its leading slash."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lower-case names; repeated fields are joined with commas, as RFC 9110 5.3 allows."""

    @classmethod
    def of(cls, scope: Scope) -> Request:
        """Return the Request of an ASGI HTTP scope."""
        return cls(scope["method"], scope["path"], headers_of(scope))


def headers_of(scope: Scope) -> Mapping[str, str]:
    """Return the headers of an ASGI HTTP scope; decoded once per scope."""
    known: dict[str, str] | None = scope.get("mandeldask.headers")
    if known is None:
        fields = scope["headers"]
        known = {name.decode("latin-1"): value.decode("latin-1") for name, value in fields}
        if len(known) < len(fields):
            known = _joined(fields)
        scope["mandeldask.headers"] = known
    return known


def _joined(fields: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers as a dict; repeated ones are joined."""
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    return {name: ", ".join(values) for name, values in found.items()}


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP response; its Content-Length is the length of `body`."""

    status: int
    """HTTP status."""
    headers: tuple[tuple[str, str], ...] = ()
    """Lower-case names and values."""
    body: bytes = b""
    """Content for GET; for HEAD only its length is sent."""

    def plus(self, *headers: tuple[str, str]) -> Reply:
        """Return this reply with more headers."""
        return Reply(self.status, (*self.headers, *headers), self.body)

    async def send(self, send: Send, *, head: bool = False) -> None:
        """Send it with ASGI's `send`, without the body if `head`."""
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]
        if self.status not in {204, 304}:  # these have no content and no Content-Length (RFC 9110 8.6)
            headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head else self.body})


class Refusal(Exception):  # noqa: N818  a reply, not an internal error
    """Exception for replies with an error status."""

    def __init__(self, status: int, detail: str, *headers: tuple[str, str]) -> None:
        super().__init__(detail)
        self.reply = problem(status, detail, *headers)


MOST_RETRY_S = 60
"""Upper limit of Retry-After, in seconds, since the estimates are uncertain."""


class Later(Refusal):
    """Exception for replies that ask the client to retry after some seconds, between 1 and `MOST_RETRY_S`."""

    def __init__(self, detail: str, wait_s: float, status: int = 503) -> None:
        seconds = min(MOST_RETRY_S, max(1, math.ceil(wait_s)))
        super().__init__(status, detail, ("retry-after", str(seconds)))


def problem(status: int, detail: str, *headers: tuple[str, str]) -> Reply:
    """Return an error as JSON, ``{"detail": ...}``."""
    return as_json({"detail": detail}, status).plus(*headers)


def as_json(value: Any, status: int = 200) -> Reply:
    """Return `value` as JSON that caches must not store."""
    return Reply(status, (("content-type", JSON), ("cache-control", "no-store")), json.dumps(value).encode())
