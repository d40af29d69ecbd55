"""One byte range of a representation (RFC 9110, section 14)."""

from __future__ import annotations

import re

_ONE_RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]*)\s*-\s*([0-9]*)\s*", re.ASCII | re.IGNORECASE)
_MOST_DIGITS = 18
"""No representation is 10^18 bytes long, and ``int`` of endless digits is slow."""


class Unsatisfiable(ValueError):  # noqa: N818  the RFC's word
    """No byte of the representation lies in the range."""


def parse_range(header: str, total: int) -> tuple[int, int] | None:
    """Return the half-open byte range (start, stop) that `header` asks of `total` bytes.

    None where the header is to be ignored: another unit, several ranges or bad syntax (RFC 9110 14.2 lets a server send
    the whole in these cases).

    Raises
    ------
    Unsatisfiable
        If the range is well-formed and selects nothing.

    Examples
    --------
    >>> parse_range("bytes=0-3", 10), parse_range("bytes=-4", 10), parse_range("bytes=8-99", 10)
    ((0, 4), (6, 10), (8, 10))
    """
    match = _ONE_RANGE.fullmatch(header)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = (_bounded(digits) for digits in match.groups())
    if first is None:
        start, stop = max(0, total - (last or 0)), total
    elif last is not None and last < first:
        return None  # an invalid range, not an unsatisfiable one (RFC 9110 14.1.1)
    else:
        start, stop = first, total if last is None else min(last + 1, total)
    if start >= stop:
        msg = f"no byte of {total} lies in {header!r}"
        raise Unsatisfiable(msg)
    return start, stop


def _bounded(digits: str) -> int | None:
    if not digits:
        return None
    return 10**_MOST_DIGITS if len(digits.lstrip("0")) > _MOST_DIGITS else int(digits)
