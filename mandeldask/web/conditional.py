"""Preconditions of a request (RFC 9110, section 13), decided by the ETag alone, without computing the content."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ENTITY_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')

GZIPPED = "-gzip"
"""Suffix of the ETag of a gzipped document: different bytes need a different strong validator."""


def precondition(headers: Mapping[str, str], etag: str) -> int | None:
    """Return 412 or 304 if a precondition decides the request, else None.

    Parameters
    ----------
    headers : mapping of str to str
        Request headers, lower-case names.
    etag : str
        The current strong ETag without quotes. The content has no modification date, so conditions on dates are
        ignored (RFC 9110 13.1.3).
    """
    if_match = headers.get("if-match")
    if if_match is not None and not _matches(if_match, etag, weak=False):
        return 412
    if_none_match = headers.get("if-none-match")
    if if_none_match is not None and _matches(if_none_match, etag, weak=True):
        return 304
    return None


def range_applies(headers: Mapping[str, str], etag: str) -> bool:
    """Return whether the Range header applies: If-Range is absent, or is the strong ETag of exactly these bytes."""
    if_range = headers.get("if-range")
    return if_range is None or if_range.strip() == f'"{etag}"'


def _matches(header: str, etag: str, *, weak: bool) -> bool:
    """Return whether `header` lists `etag` or its gzipped variant; weak validators match only in a weak comparison."""
    if header.strip() == "*":
        return True
    return any(tag in {etag, etag + GZIPPED} and (weak or not is_weak) for is_weak, tag in _entity_tags(header))


def _entity_tags(header: str) -> Iterator[tuple[bool, str]]:
    position = 0
    while match := _ENTITY_TAG.match(header, position):
        yield match[1] is not None, match[2]
        position = match.end()
