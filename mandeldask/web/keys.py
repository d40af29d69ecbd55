"""API keys: who may read which trees."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from mandeldask.web.messages import Request, problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_SECRET = re.compile(r"[A-Za-z0-9._~-]+", re.ASCII)
_PREFIX = re.compile(r"/key/([^/]*)(/.*)?", re.DOTALL)
_OPEN = ("/", "/healthz", "/readyz")
"""Paths that need no key: they show no data, and load balancers have none. So has all below ``/viewer/``."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a request may read."""

    trees: frozenset[str] | None = None
    """Names of trees; None for every tree and place."""
    private: bool = False
    """Whether only holders of a key may read, so that shared caches must not keep replies."""

    def allows(self, tree: str) -> bool:
        """Return whether the tree of that name may be read."""
        return self.trees is None or tree in self.trees


@dataclass(frozen=True, slots=True, repr=False)
class ApiKey:
    """A secret, and the trees that it opens."""

    secret: str
    """Letters, digits, ``.``, ``_``, ``~`` and ``-``: what a URL path carries as it is."""
    trees: frozenset[str] | None = None
    """Names of the trees it may read; None for all."""

    def __post_init__(self) -> None:
        if not _SECRET.fullmatch(self.secret):
            msg = "an API key must be one or more of A-Z a-z 0-9 . _ ~ -, so that it fits in a URL path unescaped"
            raise ValueError(msg)

    def __repr__(self) -> str:  # tracebacks and logs show it
        return f"ApiKey('…', trees={self.trees and sorted(self.trees)})"

    @classmethod
    def parse(cls, text: str | ApiKey) -> ApiKey:
        """Return the key that ``SECRET`` or ``SECRET:tree,tree`` describes.

        Raises
        ------
        ValueError
            If the secret does not fit in a URL path, or no tree follows the colon. The message does not repeat it.

        Examples
        --------
        >>> sorted(ApiKey.parse("s3cret:julia,mandelbrot").trees)
        ['julia', 'mandelbrot']
        """
        if isinstance(text, ApiKey):
            return text
        secret, colon, names = text.partition(":")
        trees = frozenset(name.strip() for name in names.split(",") if name.strip())
        if colon and not trees:
            msg = "an API key with a colon must name trees after it: SECRET:tree,tree"
            raise ValueError(msg)
        return cls(secret, trees or None)


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """ASGI middleware: 401 for whoever has no key, before anything is looked up.

    A key is read from ``Authorization: Bearer`` or ``Apikey``, ``X-API-Key``, ``?api_key=`` or the path prefix
    ``/key/<key>``, the only one that every Zarr client can be given.
    """

    app: ASGIApp
    """The app inside; it finds a `Grant` in ``scope["auth"]``."""
    keys: tuple[ApiKey, ...]
    """Empty: everything is public."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through with its `Grant`, or refuse it."""
        if scope["type"] != "http" or not self.keys:
            await self.app({**scope, "auth": Grant()} if scope["type"] == "http" else scope, receive, send)
            return
        inner, grant = self._admit(scope)
        if grant is None and not _is_open(inner["path"]):
            refusal = problem(401, "an API key is needed", ("www-authenticate", 'Bearer realm="mandeldask"'))
            await refusal.send(send, head=scope["method"] == "HEAD")
            return
        await self.app({**inner, "auth": grant or Grant(frozenset(), private=True)}, receive, send)

    def _admit(self, scope: Scope) -> tuple[Scope, Grant | None]:
        """Return the scope without a key in its path, and what the key that was given opens."""
        prefix = _PREFIX.fullmatch(scope["path"])
        if prefix is None:
            return scope, self._grant(_given(scope))
        path = prefix[2] or "/"
        raw_path = scope.get("raw_path") or b""
        raw_path = b"/" + raw_path.split(b"/", 3)[3] if raw_path.count(b"/") >= 3 else b"/"  # noqa: PLR2004
        return {**scope, "path": path, "raw_path": raw_path}, self._grant(prefix[1])

    def _grant(self, given: str | None) -> Grant | None:
        """Return what `given` opens; every key is compared in full, so time tells nothing."""
        if given is None:
            return None
        found = None
        for key in self.keys:
            if hmac.compare_digest(given.encode("utf-8", "surrogatepass"), key.secret.encode()):
                found = replace(Grant(private=True), trees=key.trees)
        return found


def redacted(path: str) -> str:
    """Return a path as logs may show it: without a key."""
    prefix = _PREFIX.fullmatch(path)
    return path if prefix is None else f"/key/…{prefix[2] or ''}"


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith("/viewer/")


def _given(scope: Scope) -> str | None:
    """Return the key in the headers or the query."""
    headers = Request.of(scope).headers
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() in {"bearer", "apikey"}:
        return token.strip()
    if "x-api-key" in headers:
        return headers["x-api-key"].strip()
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return query["api_key"][0] if "api_key" in query else None
