"""Make replies from bytes and their ETag: preconditions, ranges, gzip and cache lifetimes."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from mandeldask.web.conditional import GZIPPED, precondition, range_applies
from mandeldask.web.messages import JSON, Reply, Request, problem
from mandeldask.web.ranges import Unsatisfiable, parse_range

_ANY = "*"

_GZIP = frozenset({"gzip", "x-gzip", _ANY})
"""Codings in Accept-Encoding that allow gzip."""


class Lifetime(Enum):
    """How long a cache may use a reply without revalidation."""

    IMMUTABLE = "max-age=31536000, immutable"
    """The URL contains everything that determines the content."""
    REVALIDATE = "no-cache"
    """The name may mean another tree after a restart: caches must revalidate, which costs little (304)."""


@dataclass(frozen=True, slots=True)
class Representation:
    """The properties of a resource that are known before it is computed."""

    etag: str
    """Strong ETag, without quotes."""
    media_type: str
    """Its Content-Type."""
    lifetime: Lifetime
    """How long caches may use it."""
    private: bool
    """Whether reading it needs a key."""

    def decided(self, request: Request) -> Reply | None:
        """Return 304 or 412 if the request's preconditions decide it, else None."""
        status = precondition(request.headers, self.etag)
        if status == 304:  # noqa: PLR2004
            return Reply(304, self._headers(self._variant(request)))
        if status == 412:  # noqa: PLR2004
            return problem(412, "the content has a different ETag", ("etag", f'"{self.etag}"'))
        return None

    def reply(self, request: Request, body: bytes, *headers: tuple[str, str]) -> Reply:
        """Return 200, 206 or 416 for the whole content `body`, with more `headers`."""
        asked = request.headers.get("range") if request.method == "GET" else None
        if asked is not None and range_applies(request.headers, self.etag):
            try:
                window = parse_range(asked, len(body))
            except Unsatisfiable as error:
                return problem(416, str(error), ("content-range", f"bytes */{len(body)}"), *headers)
            if window is not None:
                start, stop = window
                content_range = ("content-range", f"bytes {start}-{stop - 1}/{len(body)}")
                return Reply(206, (*self._headers(self.etag), content_range, *headers), body[start:stop])
        variant = self._variant(request)
        if variant != self.etag:
            return Reply(200, (*self._headers(variant), ("content-encoding", "gzip"), *headers), _gzipped(body))
        return Reply(200, (*self._headers(self.etag), *headers), body)

    def _variant(self, request: Request) -> str:
        """Return the ETag of the representation that content negotiation selects.

        Chunks are never gzipped again: they are compressed already, and their ETag, length and ranges would change.
        """
        gzipped = self._is_text and accepts_gzip(request.headers.get("accept-encoding", ""))
        return self.etag + GZIPPED if gzipped else self.etag

    @property
    def _is_text(self) -> bool:
        """Return whether gzip makes the content much shorter."""
        return self.media_type == JSON or self.media_type.startswith(("text/", "image/svg"))

    def _headers(self, etag: str) -> tuple[tuple[str, str], ...]:
        scope = "private" if self.private else "public"
        caching = f"{scope}, {self.lifetime.value}"
        return (
            ("content-type", self.media_type),
            ("etag", f'"{etag}"'),
            ("cache-control", caching),
            ("accept-ranges", "bytes"),
            *((("vary", "Accept-Encoding"),) if self._is_text else ()),
        )


def accepts_gzip(header: str) -> bool:
    """Return whether an Accept-Encoding header allows gzip (RFC 9110 12.5.3), in linear time.

    Examples
    --------
    >>> accepts_gzip("br, gzip;q=0.5"), accepts_gzip("gzip;q=0"), accepts_gzip("br"), accepts_gzip("*, gzip;q=0")
    (True, False, False, False)
    """
    found: dict[str, bool] = {}
    for element in header.split(","):
        coding, _, weight = element.partition(";")
        name = coding.strip().lower()
        if name in _GZIP:
            kind = _ANY if name == _ANY else "gzip"
            found.setdefault(kind, _is_accepted(weight))
    return found.get("gzip", found.get(_ANY, False))  # an entry for gzip overrides one for *


def _is_accepted(weight: str) -> bool:
    """Return whether the parameters of a coding accept it (q > 0)."""
    name, _, value = (part.strip() for part in weight.partition("="))
    return not weight.strip() or (name.lower() == "q" and _is_positive(value))


def _is_positive(quality: str) -> bool:
    """Return whether a quality value such as ``0.5`` is valid and above 0."""
    return set(quality) <= set("0123456789.") and bool(quality.strip("0."))


@lru_cache(maxsize=128)
def _gzipped(body: bytes) -> bytes:
    """Return `body` compressed, from a cache: metadata of 50 levels and the page's files are requested often."""
    return gzip.compress(body, 6, mtime=0)
