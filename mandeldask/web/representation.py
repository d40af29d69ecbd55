"""From bytes and their ETag to a reply: preconditions, ranges, gzip and how long caches may keep it."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from mandeldask.web.conditional import GZIPPED, precondition, range_applies
from mandeldask.web.messages import JSON, Reply, Request, problem
from mandeldask.web.ranges import Unsatisfiable, parse_range

_ACCEPTS_GZIP = re.compile(r"(?:^|,)\s*(?:gzip|x-gzip|\*)\s*(?:;\s*q\s*=\s*([0-9.]+)\s*)?(?:,|$)", re.IGNORECASE)


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

    def reply(self, request: Request, body: bytes) -> Reply:
        """Return 200, 206 or 416 for the whole content `body`."""
        asked = request.headers.get("range") if request.method == "GET" else None
        if asked is not None and range_applies(request.headers, self.etag):
            try:
                window = parse_range(asked, len(body))
            except Unsatisfiable as error:
                return problem(416, str(error), ("content-range", f"bytes */{len(body)}"))
            if window is not None:
                start, stop = window
                content_range = ("content-range", f"bytes {start}-{stop - 1}/{len(body)}")
                return Reply(206, (*self._headers(self.etag), content_range), body[start:stop])
        variant = self._variant(request)
        if variant != self.etag:
            return Reply(200, (*self._headers(variant), ("content-encoding", "gzip")), _gzipped(body))
        return Reply(200, self._headers(self.etag), body)

    def _variant(self, request: Request) -> str:
        """Return the ETag of the representation that content negotiation picks.

        Chunks are never encoded on the way: they are compressed already, and their ETag, length and ranges would
        change.
        """
        accepted = _ACCEPTS_GZIP.search(request.headers.get("accept-encoding", "")) if self.media_type == JSON else None
        refused = accepted is None or (accepted[1] is not None and not accepted[1].strip("0."))
        return self.etag if refused else self.etag + GZIPPED

    def _headers(self, etag: str) -> tuple[tuple[str, str], ...]:
        scope = "private" if self.private else "public"
        caching = f"{scope}, {self.lifetime.value}"
        return (
            ("content-type", self.media_type),
            ("etag", f'"{etag}"'),
            ("cache-control", caching),
            ("accept-ranges", "bytes"),
            ("x-content-type-options", "nosniff"),
            *((("vary", "Accept-Encoding"),) if self.media_type == JSON else ()),
        )


@lru_cache(maxsize=64)
def _gzipped(body: bytes) -> bytes:
    """Return `body` compressed; the consolidated metadata of 50 levels is asked for again and again."""
    return gzip.compress(body, 6, mtime=0)
