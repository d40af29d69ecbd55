"""One byte range of a representation (RFC 9110, section 14)."""

from __future__ import annotations

_MOST_DIGITS = 18
"""Largest number of digits: no representation has 10^18 bytes, and ``int`` of very many digits is slow."""

_BLANK = " \t"
"""White space of HTTP (RFC 9110 5.6.3)."""


class Unsatisfiable(ValueError):  # noqa: N818  the RFC's word
    """The range selects no byte of the representation."""


def parse_range(header: str, total: int) -> tuple[int, int] | None:
    """Return the half-open byte range (start, stop) of `header` for `total` bytes, in time linear in its length.

    Return None for another unit, several ranges or bad syntax: RFC 9110 14.2 lets a server ignore these headers.

    Raises
    ------
    Unsatisfiable
        If the range is well-formed and selects nothing.

    Examples
    --------
    >>> parse_range("bytes=0-3", 10), parse_range("bytes=-4", 10), parse_range("bytes=8-99", 10)
    ((0, 4), (6, 10), (8, 10))
    """
    ends = _ends(header)
    if ends is None or ends == ("", ""):
        return None
    first, last = (_bounded(digits) for digits in ends)
    if first is None:
        start, stop = max(0, total - (last or 0)), total
    elif last is not None and last < first:
        return None  # an invalid range, not an unsatisfiable one (RFC 9110 14.1.1)
    else:
        start, stop = first, total if last is None else min(last + 1, total)
    if start >= stop:
        msg = f"this range selects none of the {total} bytes"
        raise Unsatisfiable(msg)
    return start, stop


def _ends(header: str) -> tuple[str, str] | None:
    """Return the digits before and after the dash of one byte range; a regular expression could backtrack here."""
    unit, equals, interval = header.partition("=")
    first, dash, last = (part.strip(_BLANK) for part in interval.partition("-"))
    numbers = all(not digits or (digits.isascii() and digits.isdigit()) for digits in (first, last))
    return (first, last) if unit.strip(_BLANK).lower() == "bytes" and equals and dash and numbers else None


def _bounded(digits: str) -> int | None:
    if not digits:
        return None
    significant = digits.lstrip("0")
    return 10**_MOST_DIGITS if len(significant) > _MOST_DIGITS else int(significant or "0")
