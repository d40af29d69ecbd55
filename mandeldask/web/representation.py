"""From bytes and their ETag to a reply: preconditions, ranges, gzip and how long caches may keep it."""

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
"""Codings of Accept-Encoding that let a document be gzipped."""


class Lifetime(Enum):
    """How long a cache may use a reply without asking."""

    IMMUTABLE = "max-age=31536000, immutable"
    """The URL says all that determines the content."""
    REVALIDATE = "no-cache"
    """The name may mean another tree after a restart: ask, and 304 costs nothing."""


@dataclass(frozen=True, slots=True)
class Representation:
    """What is known of a resource before it is computed."""

    etag: str
    """Strong ETag, without quotes."""
    media_type: str
    """Its Content-Type."""
    lifetime: Lifetime
    """How long a cache may use it."""
    private: bool
    """Whether only the holder of a key may see it."""

    def decided(self, request: Request) -> Reply | None:
        """Return the 304 or 412 that the request's preconditions come to, if they decide it."""
        status = precondition(request.headers, self.etag)
        if status == 304:  # noqa: PLR2004
            return Reply(304, self._headers(self._variant(request)))
        if status == 412:  # noqa: PLR2004
            return problem(412, "the content has another ETag", ("etag", f'"{self.etag}"'))
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
        """Return the ETag of the representation that content negotiation picks.

        Chunks are never encoded on the way: they are compressed already, and their ETag, length and ranges would
        change.
        """
        gzipped = self._is_text and accepts_gzip(request.headers.get("accept-encoding", ""))
        return self.etag + GZIPPED if gzipped else self.etag

    @property
    def _is_text(self) -> bool:
        """Whether gzip makes it much shorter."""
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
    """Return whether an Accept-Encoding header lets the reply be gzipped (RFC 9110 12.5.3), in linear time.

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
    return found.get("gzip", found.get(_ANY, False))  # what names gzip counts more than what names all


def _is_accepted(weight: str) -> bool:
    """Return whether the parameters of a coding leave it acceptable."""
    name, _, value = (part.strip() for part in weight.partition("="))
    return not weight.strip() or (name.lower() == "q" and _is_positive(value))


def _is_positive(quality: str) -> bool:
    """Whether a quality value such as ``0.5`` is one and above 0."""
    return set(quality) <= set("0123456789.") and bool(quality.strip("0."))


@lru_cache(maxsize=128)
def _gzipped(body: bytes) -> bytes:
    """Return `body` compressed; the metadata of 50 levels and the page's files are asked for again and again."""
    return gzip.compress(body, 6, mtime=0)
