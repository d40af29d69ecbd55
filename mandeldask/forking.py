"""What a forked child replaces: locks that threads of its parent held, and pools whose threads it does not have."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    """What holds locks or threads."""

    def renew(self) -> None:
        """Start again in a child, where no other thread runs: with free locks and without threads."""
        ...


_renewed: WeakSet[Renewable] = WeakSet()


def renewed_in_children(what: Renewable) -> None:
    """Have `what` renewed in every child that this process forks, as torch's DataLoader and gunicorn do."""
    _renewed.add(what)


_reasons: list[str] = []


def cannot_compute(reason: str) -> None:
    """Have `check_child` say so in this process, which was just forked."""
    _reasons.append(reason)


def check_child() -> None:
    """Raise RuntimeError if this process was forked at a time that leaves it unable to compute: it would hang."""
    if _reasons:
        raise RuntimeError(_reasons[0])


def _renew() -> None:
    for what in list(_renewed):
        what.renew()


if hasattr(os, "register_at_fork"):  # where there are forks
    os.register_at_fork(after_in_child=_renew)
