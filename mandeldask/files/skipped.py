"""Files that are left out, with the reasons: each is logged once, and they are counted."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from mandeldask.zarrview.nodes import Changed, checked_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mandeldask.zarrview.nodes import Node

log = logging.getLogger("mandeldask.files")

KEPT = 10_000
"""Number of paths that are remembered, so that each is logged once."""


class Skipped:
    """Files that could not be shown, by path, with the reasons."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reasons: dict[str, str] = {}
        self.total = 0

    def add(self, path: str, reason: str) -> None:
        """Add a file that is left out; it is logged once for each reason."""
        with self._lock:
            if self._reasons.get(path) == reason:
                return
            if len(self._reasons) >= KEPT:
                self._reasons.clear()
            self._reasons[path] = reason
            self.total += 1
        log.warning("%s is left out: %s", path, reason)


skipped = Skipped()
"""The skipped files of this process."""


def members_of(make: Mapping[str, Callable[[], Node]]) -> tuple[dict[str, Node], dict[str, str]]:
    """Return the results of the functions in `make`, and the reasons of those that raise an error."""
    members, bad = {}, {}
    for name, each in make.items():
        try:
            members[checked_name(name)] = each()
        except Changed:
            raise
        except Exception as error:  # noqa: BLE001  one bad member must not affect the others
            bad[name] = str(error) or type(error).__name__
    return members, bad
