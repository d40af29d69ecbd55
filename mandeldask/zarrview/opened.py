"""The most recently opened nodes of a tree: resolved by path, and opened again when their version changes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from mandeldask.shared_cache import SharedCache
from mandeldask.zarrview.nodes import Array, is_name

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from mandeldask.zarrview.entries import Document
    from mandeldask.zarrview.nodes import Node, Version
    from mandeldask.zarrview.stored_array import StoredArray

MOST = 2000
"""Number of nodes that are kept. An opened array takes some 10 kB with its metadata."""

REFRESH_S = 1.0
"""Seconds for which a version is used before it is checked again."""

GONE = object()
"""Version of a source whose `version` fails: its file or its disk no longer exists."""


class NotOpened(Exception):  # noqa: N818  not an error
    """A node would have to be opened, its documents written, or its version checked."""


def asked(version: Version | None) -> Hashable:
    """Return the present version of a source; `GONE` if the source fails."""
    try:
        return None if version is None else version()
    except Exception:  # noqa: BLE001  the source reports the error when it is opened
        return GONE


@dataclass(slots=True)
class Written:
    """The documents of a node as they were written."""

    documents: Mapping[str, Document]
    """The documents, by name."""
    members: tuple[str, ...]
    """Names of a group's members that are shown."""
    watched: tuple[tuple[Version, Hashable], ...]
    """Versions of the nodes below, and their values: if these change, the documents are outdated."""
    checked: float
    """When they were checked, by the monotonic clock."""
    nodes: int = 1
    """Number of nodes that they describe: the node itself, and those below it if they are included."""

    def is_stale(self) -> bool:
        """Return whether a node below has another version now."""
        since = time.monotonic()
        stale = any(asked(version) != value for version, value in self.watched)
        if not stale:
            self.checked = since
        return stale


@dataclass(slots=True, eq=False)
class Opened:
    """A node at one version, and the objects made from it."""

    path: str
    """Path in the tree; "" for the root."""
    node: Node
    above: Opened | None
    """The group from which it was taken."""
    version: Hashable
    """Its version; None if it is fixed, or its version is unknown."""
    asked: float
    """When its version was checked, by the monotonic clock."""
    stored: StoredArray | None = None
    """An array as a view's format stores it; None if it was not needed yet."""
    written: Written | None = None
    """Its documents; None if they were not needed yet."""

    lineage: tuple[Opened, ...] = field(init=False, repr=False)
    """All nodes on whose version this one depends: itself, and the groups that contain it."""

    is_fixed: bool = field(init=False, repr=False)
    """Whether neither it nor the groups that contain it ever change."""

    def __post_init__(self) -> None:
        above = self.above
        self.is_fixed = self.node.version is None and (above is None or above.is_fixed)
        inherited = above.lineage if above is not None and getattr(above.node, "consolidate", False) else ()
        self.lineage = inherited if self.node.version is None else (self, *inherited)

    @property
    def versions(self) -> tuple[Hashable, ...]:
        """Values of all versions that the node depends on."""
        return tuple([each.version for each in self.lineage]) if self.lineage else ()

    def changed(self) -> bool:
        """Return whether the node has another version now, checked immediately."""
        for each in self.lineage:
            if each.version is not None and asked(each.node.version) != each.version:
                each.asked = -inf
                return True
        return False


class OpenedTree:
    """A tree whose nodes are opened on request.

    Parameters
    ----------
    root : Group or Array
        The tree.
    refresh : float
        Seconds after which a version is checked again.
    most : int
        Number of nodes that are kept.

    Attributes
    ----------
    root : Opened
        The root as it was opened last.
    """

    def __init__(self, root: Node, refresh: float = REFRESH_S, most: int = MOST) -> None:
        self.refresh = refresh
        self.root = self._as_opened("", root, None)
        self._opened: SharedCache[Opened] = SharedCache(most)

    def resolve(self, segments: Sequence[str], *, may_open: bool = True) -> tuple[Opened, int] | None:
        """Return the node at `segments`, or the first array on the path, and the number of segments up to it.

        None if there is no such node.

        Raises
        ------
        NotOpened
            Unless `may_open`, if a node would have to be opened or its version checked.
        """
        opened, path = self._current_root(may_open=may_open), ""
        for place, name in enumerate(segments):
            if isinstance(opened.node, Array):
                return opened, place
            path = f"{path}/{name}" if path else name
            below = self._member(opened, name, path, may_open=may_open)
            if below is None:
                return None
            opened = below
        return opened, len(segments)

    def is_due(self, since: float) -> bool:
        """Return whether a version checked at `since` must be checked again."""
        return time.monotonic() - since >= self.refresh

    def _current_root(self, *, may_open: bool) -> Opened:
        root = self.root
        if self._has_moved(root, may_open=may_open):
            node = root.node.reopen() if root.node.reopen else root.node
            root = self.root = self._as_opened("", node, None)
        return root

    def _member(self, above: Opened, name: str, path: str, *, may_open: bool) -> Opened | None:
        kept = self._opened.get(path)
        if kept is not None and kept.above is not above:
            kept = None
        if kept is not None and not self._has_moved(kept, may_open=may_open):
            return kept
        if not is_name(name):
            return None
        if not may_open:
            raise NotOpened
        return self._opened.flights.read((above, name), partial(self._open, above, name, path, kept))

    def _open(self, above: Opened, name: str, path: str, kept: Opened | None) -> Opened | None:
        reopen = kept.node.reopen if kept is not None else None
        try:
            node = reopen() if reopen else present(above.node.members[name])  # type: ignore[union-attr]
        except (KeyError, FileNotFoundError):  # the node no longer exists
            self._opened.drop(path)
            return None
        opened = self._as_opened(path, node, above)
        self._opened.put(path, opened)
        return opened

    def _has_moved(self, opened: Opened, *, may_open: bool) -> bool:
        if opened.node.version is None or not self.is_due(opened.asked):
            return False
        if not may_open:
            raise NotOpened
        since = time.monotonic()
        value = asked(opened.node.version)
        if value is None or value != opened.version:
            return True
        opened.asked = since
        return False

    def _as_opened(self, path: str, node: Node, above: Opened | None) -> Opened:
        since = time.monotonic()
        return Opened(path, node, above, version_of(node), since)


def present(node: Node) -> Node:
    """Return a node at its present version; the group may hold an old one."""
    if node.reopen is None or node.as_of is None or asked(node.version) == node.as_of:
        return node
    return node.reopen()


def version_of(node: Node) -> Hashable:
    """Return the version that a node was opened at."""
    return asked(node.version) if node.as_of is None else node.as_of
