"""The urgency of a request, which decides the order of computations."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL = 3
"""Default urgency of RFC 9218."""

PREFETCH = 6
"""Urgency of a prefetch request, which no user waits for yet."""

_LEVELS = frozenset("01234567")

urgency: ContextVar[int] = ContextVar("mandeldask_urgency", default=USUAL)
"""Urgency of the current request, 0 (most urgent) to 7; threads of the pool inherit it."""


def urgency_of(headers: Mapping[str, str]) -> int:
    """Return the urgency that ``Priority: u=...`` (RFC 9218) or ``Sec-Purpose: prefetch`` states.

    Examples
    --------
    >>> urgency_of({"priority": "u=1, i"}), urgency_of({"sec-purpose": "prefetch"}), urgency_of({})
    (1, 6, 3)
    """
    if not ("priority" in headers or "sec-purpose" in headers or "purpose" in headers):
        return USUAL
    for parameter in headers.get("priority", "").split(","):
        name, _, value = (part.strip() for part in parameter.partition("="))
        if name == "u" and value in _LEVELS:
            return int(value)
    purposes = headers.get("sec-purpose", ""), headers.get("purpose", "")
    return PREFETCH if any(purpose.startswith("prefetch") for purpose in purposes) else USUAL
