"""Search for names in a group and in all groups below it, within bounds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mandeldask.web.browser.items import below, item_at, names_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mandeldask.web.catalog import Found

MOST_OPENED = 2000
"""Largest number of arrays and groups that a search opens."""

MOST_FOUND = 1000
"""Number of results after which a search stops."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The result of a search."""

    paths: Sequence[str]
    """Paths of the results, relative to the group where the search began; the nearest first."""
    opened: int
    """Number of arrays and groups that were searched."""
    whole: bool
    """Whether the search was complete."""


async def search(found: Found, names: Iterable[str], wanted: str) -> Matches:
    """Return the nodes below a group whose name contains `wanted`, ignoring case.

    Parameters
    ----------
    found : Found
        The group.
    names : iterable of str
        Names of its members.
    wanted : str
        Part of a name; with a slash, part of a path.
    """
    matches: list[str] = []
    waiting = deque(names)
    opened = 0
    while waiting and opened < MOST_OPENED and len(matches) < MOST_FOUND:
        path = waiting.popleft()
        if wanted.lower() in (path if "/" in wanted else path.rpartition("/")[2]).lower():
            matches.append(path)
        opened += 1
        waiting.extend(f"{path}/{name}" for name in await _below(found, path))
    matches += [path for path in waiting if wanted.lower() in path.rpartition("/")[2].lower()]
    return Matches(matches[:MOST_FOUND], opened, not waiting)


async def _below(found: Found, path: str) -> Sequence[str]:
    """Return the names in the member at `path`; empty if it is an array or cannot be opened."""
    key = below(found.key, path)
    item = await item_at(found, key, path)
    return await names_in(found, key) if item is not None and item.is_group else ()
