"""The metadata documents of nodes: which members they describe, and when they are outdated."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mandeldask.zarrview.attributes import to_json
from mandeldask.zarrview.entries import Document
from mandeldask.zarrview.nodes import Array, Group, checked_name, reason
from mandeldask.zarrview.opened import Written, present, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mandeldask.zarrview.formats import Format
    from mandeldask.zarrview.nodes import Node

CONSOLIDATED = 1000
"""Largest number of nodes in one consolidated document: zarr-python needs 1 ms for each, even if only one is read."""


def written(node: Node, form: Format) -> Written:
    """Return the documents of one node in a format; those of small groups include all nodes below them.

    Raises
    ------
    TypeError, ValueError
        If the format cannot store the array, or if attributes are not valid JSON.
    """
    since = time.monotonic()
    if isinstance(node, Array):
        return Written(_as_json(form.documents(form.store(node))), (), (), since)
    group = as_shown(node, form)
    below = nodes_below(group, form)
    if below is None:
        return Written(_as_json(form.documents(group)), tuple(group.members), (), since)
    watched = tuple((each.version, version_of(each)) for each in below.values() if each.version is not None)
    documents = {
        path: form.documents(each if isinstance(each, Group) else form.store(each))
        for path, each in {"": group, **below}.items()
    }
    return Written(_as_json(form.consolidated(documents)), tuple(group.members), watched, since, len(documents))


def as_shown(group: Group, form: Format) -> Group:
    """Return a group with the members that a format can show, opened; its attribute `skipped` names the others.

    A group that is not `consolidate` is returned unchanged: its members are opened one by one.
    """
    if not group.consolidate:
        return group
    members, skipped = _examined(group, form)
    return replace(group, members=members, skipped={**group.skipped, **skipped})


def _examined(group: Group, form: Format) -> tuple[dict[str, Node], dict[str, str]]:
    """Return the members of a group that a format can show, and why it cannot show the others."""
    members: dict[str, Node] = {}
    skipped: dict[str, str] = {}
    for name in group.members:
        try:
            checked_name(name)
            node = present(group.members[name])
            check(node, form)
        except Exception as error:  # noqa: BLE001  one bad member must not affect the others
            skipped[name] = reason(error)
        else:
            members[name] = node
    return members, skipped


def skipped_below(node: Node, form: Format, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and reason of all nodes below a node that a format cannot show, in the groups that may be opened."""
    if isinstance(node, Array) or not node.consolidate:
        return
    members, skipped = _examined(node, form)
    below = f"{path}/" if path else ""
    yield from ((below + name, why) for name, why in {**node.skipped, **skipped}.items())
    for name, member in members.items():
        yield from skipped_below(member, form, below + name)


def check(node: Node, form: Format) -> None:
    """Raise TypeError or ValueError if a format cannot show a node."""
    if isinstance(node, Array):
        form.check(node)
    to_json(dict(node.attrs))


def nodes_below(group: Group, form: Format, most: int = CONSOLIDATED) -> dict[str, Node] | None:
    """Return everything below a group as a format shows it, by path.

    None if there are more than `most` nodes, or if a group must not be opened for this.
    """
    found: dict[str, Node] = {}
    if not group.consolidate:
        return None
    for path, node in walk(group, form):
        if len(found) >= most - 1 or not getattr(node, "consolidate", True):
            return None
        found[path] = node
    return found


def walk(group: Group, form: Format, path: str = "") -> Iterator[tuple[str, Node]]:
    """Yield path and node of everything below a group that `as_shown` returned; opens all of it."""
    for name, member in group.members.items():
        below = f"{path}/{name}" if path else name
        node = as_shown(member, form) if isinstance(member, Group) else member
        yield below, node
        if isinstance(node, Group):
            yield from walk(node, form, below)


def _as_json(documents: Mapping[str, object]) -> dict[str, Document]:
    return {name: Document(to_json(document)) for name, document in documents.items()}
