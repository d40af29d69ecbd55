"""Make forked children work: replace locks that threads of the parent held, and pools without threads."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    """An object with locks or threads."""

    def renew(self) -> None:
        """Reset in a forked child, where no other thread runs: free locks, no threads."""
        ...


_renewed: WeakSet[Renewable] = WeakSet()


def renewed_in_children(what: Renewable) -> None:
    """Call `what.renew` in every child that this process forks (torch's DataLoader and gunicorn fork)."""
    _renewed.add(what)


_reasons: list[str] = []


def cannot_compute(reason: str) -> None:
    """Make `check_child` raise RuntimeError in this process, which was just forked."""
    _reasons.append(reason)


def check_child() -> None:
    """Raise RuntimeError if computing would hang in this process, because of the moment at which it was forked."""
    if _reasons:
        raise RuntimeError(_reasons[0])


def _renew() -> None:
    for what in list(_renewed):
        what.renew()


if hasattr(os, "register_at_fork"):  # systems with fork
    os.register_at_fork(after_in_child=_renew)
