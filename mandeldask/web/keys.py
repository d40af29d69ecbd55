"""API keys: which trees each key may read."""

from __future__ import annotations

import hmac
import logging
import re
import threading
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from mandeldask.web.messages import Reply, headers_of, problem

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)

_SECRET = re.compile(r"[A-Za-z0-9._~-]+", re.ASCII)
_PREFIX = re.compile(r"/key/([^/]*)(/.*)?", re.DOTALL)
_KEY = re.compile(r"(/key/+)[^/]+", re.IGNORECASE)
_CHECK_S = 1.0
"""Seconds between two checks for changes of a key file."""

_OPEN = ("/", "/healthz", "/readyz")
"""Paths that need no key, since they show no data and load balancers have no key. Paths below ``/viewer/`` need none
either."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The access rights of a request."""

    trees: frozenset[str] | None = None
    """Names of trees; None for every tree and place."""
    private: bool = False
    """Whether reading needs a key, so that shared caches must not keep replies."""
    holder: str | None = None
    """Identifier of the holder of a key, different from the key itself."""

    def allows(self, tree: str) -> bool:
        """Return whether the tree of that name may be read."""
        return self.trees is None or tree in self.trees


PUBLIC = Grant()
"""Access rights of all clients of a server without keys."""


@dataclass(frozen=True, slots=True, repr=False)
class ApiKey:
    """A secret, and the trees that it opens."""

    secret: str
    """Letters, digits, ``.``, ``_``, ``~`` and ``-``: a URL path needs no escapes for them."""
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
    """ASGI middleware: status 401 for requests without a valid key, before any other work.

    A key is read from ``Authorization: Bearer`` or ``Apikey``, ``X-API-Key``, ``?api_key=`` or the path prefix
    ``/key/<key>``. Only the prefix works with every Zarr client.
    """

    app: ASGIApp
    """The inner app; it finds a `Grant` in ``scope["auth"]``."""
    keys: tuple[ApiKey, ...]
    """Keys that are valid as long as the server runs."""
    file: KeyFile | None = None
    """File of keys that may change. Without keys and without a file everything is public."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its `Grant`, or refuse it."""
        if scope["type"] != "http" or not (self.keys or self.file):
            await self.app({**scope, "auth": PUBLIC} if scope["type"] == "http" else scope, receive, send)
            return
        inner, given = _without_key(scope)
        grant = self._grant(given)
        if grant is None and not _is_open(inner["path"]):
            detail = "the API key is not known to this server" if given else "an API key is needed"
            refusal = problem(401, detail, ("www-authenticate", 'Bearer realm="mandeldask"'))
            await refusal.send(send, head=scope["method"] == "HEAD")
            return
        prefix = _PREFIX.fullmatch(scope["path"])
        if grant is not None and prefix is not None and not prefix[2]:  # URLs of the page are relative to its folder
            await Reply(308, (("location", f"{prefix[1]}/"),)).send(send, head=scope["method"] == "HEAD")
            return
        await self.app({**inner, "auth": grant or Grant(frozenset(), private=True)}, receive, send)

    def _grant(self, given: str | None) -> Grant | None:
        """Return the Grant of the key `given`.

        Every key is compared in constant time, so that timing reveals nothing.
        """
        if given is None:
            return None
        found = None
        for key in (*self.keys, *(self.file.keys() if self.file else ())):
            if hmac.compare_digest(given.encode("utf-8", "surrogatepass"), key.secret.encode()):
                found = Grant(key.trees, private=True, holder=sha256(key.secret.encode()).hexdigest()[:12])
        return found


@dataclass(slots=True)
class KeyFile:
    """Keys in a file, one per line as for `ApiKey.parse`; empty lines and comments (``#``) are ignored.

    A changed file is read again within a second. If the file is missing or unreadable, the previous keys stay valid, so
    that replacing it does not lock out clients; this is logged.

    Raises
    ------
    ValueError
        If the file cannot be read at the start, or if a line is not a valid key.
    """

    path: Path
    """Path of the file."""
    _keys: tuple[ApiKey, ...] = field(init=False, repr=False)
    _seen: tuple[int, int, int] = field(init=False, repr=False)
    _next_check: float = field(default=0.0, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            self._seen, self._keys = self._mark(), self._read()
        except OSError as error:
            msg = f"the API keys in {self.path} cannot be read: {error.strerror or error}"
            raise ValueError(msg) from None

    def keys(self) -> tuple[ApiKey, ...]:
        """Return the current keys."""
        with self._lock:
            if time.monotonic() >= self._next_check:
                self._next_check = time.monotonic() + _CHECK_S
                self._check_file()
            return self._keys

    def _check_file(self) -> None:
        try:
            mark = self._mark()
            if mark != self._seen:
                self._seen, self._keys = mark, self._read()
                log.info("%d API keys were read from %s", len(self._keys), self.path)
        except (OSError, ValueError) as error:
            log.warning("the API keys in %s were not read again: %s", self.path, error)

    def _mark(self) -> tuple[int, int, int]:
        found = self.path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> tuple[ApiKey, ...]:
        lines = self.path.read_text(encoding="utf-8").splitlines()
        texts = (line.partition("#")[0].strip() for line in lines)
        return tuple(ApiKey.parse(text) for text in texts if text)

    def __reduce__(self) -> tuple[type[KeyFile], tuple[Path]]:
        return type(self), (self.path,)


def redacted(path: str) -> str:
    """Return a path for logs, without the segment after ``key`` (in any case of letters), which may be a key.

    Examples
    --------
    >>> redacted("/key/s3cret/zarr/v3"), redacted("//KEY//s3cret"), redacted("/zarr/v3/key.zarr")
    ('/key/…/zarr/v3', '//KEY//…', '/zarr/v3/key.zarr')
    """
    return _KEY.sub(r"\1…", path)


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith("/viewer/")


def _without_key(scope: Scope) -> tuple[Scope, str | None]:
    """Return the scope without the key in its path, and the key that was given, if any."""
    prefix = _PREFIX.fullmatch(scope["path"])
    if prefix is None:
        return scope, _given(scope)
    path = prefix[2] or "/"
    raw_path = scope.get("raw_path") or b""
    raw_path = b"/" + raw_path.split(b"/", 3)[3] if raw_path.count(b"/") >= 3 else b"/"  # noqa: PLR2004
    return {**scope, "path": path, "raw_path": raw_path}, prefix[1]


def _given(scope: Scope) -> str | None:
    """Return the key in the headers or the query."""
    headers = headers_of(scope)
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() in {"bearer", "apikey"}:
        return token.strip()
    if "x-api-key" in headers:
        return headers["x-api-key"].strip()
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return query["api_key"][0] if "api_key" in query else None
