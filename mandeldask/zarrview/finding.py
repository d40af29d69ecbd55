"""The objects that the keys of a tree name: its metadata documents, its chunks, and the names below a path."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from mandeldask.zarrview import documents
from mandeldask.zarrview.entries import Chunk
from mandeldask.zarrview.identity import digest, unique
from mandeldask.zarrview.nodes import Array, Group
from mandeldask.zarrview.opened import NotOpened, Written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mandeldask.flights import Flights
    from mandeldask.zarrview.entries import Document, Entry
    from mandeldask.zarrview.formats import Format
    from mandeldask.zarrview.nodes import Node
    from mandeldask.zarrview.opened import Opened, OpenedTree
    from mandeldask.zarrview.stored_array import StoredArray


class Finder:
    """Finds the objects that keys name in one format. Never computes a chunk.

    Parameters
    ----------
    root : Group or Array
        The tree as it was given.
    tree : OpenedTree
        The same tree, in its most recently opened state.
    format : V2 or V3
        The format in which it is shown.
    flights : Flights
        Lets concurrent callers share one computation of a document.
    keeps : bool
        Whether there is a persistent cache. It may outlive the present tree, so only chunks of trees that never change
        are identified by their key alone.
    """

    def __init__(self, root: Node, tree: OpenedTree, format: Format, flights: Flights, *, keeps: bool) -> None:  # noqa: A002
        self.root = root
        self.tree = tree
        self.format = format
        self.flights = flights
        self.keeps = keeps

    def find(self, key: str, *, may_open: bool) -> Entry | None:
        """Return the entry of `key`, or None.

        Unless `may_open`, raise `NotOpened` instead of opening or writing anything.
        """
        path, _, name = key.rpartition("/")
        if name in self.format.names:
            return self._document(path, name, may_open=may_open) if path or "/" not in key else None
        segments = key.split("/")
        found = self.tree.resolve(segments, may_open=may_open)
        if found is None or not isinstance(found[0].node, Array):
            return None
        opened, used = found
        return self._chunk(key, opened, segments[used:], may_open=may_open)

    def _document(self, path: str, name: str, *, may_open: bool) -> Document | None:
        opened = self._opened(path, may_open=may_open)
        return None if opened is None else self.written(opened, may_open=may_open).documents.get(name)

    def _opened(self, path: str, *, may_open: bool = True) -> Opened | None:
        """Return the node at `path`."""
        segments = path.split("/") if path else []
        found = self.tree.resolve(segments, may_open=may_open)
        return None if found is None or found[1] < len(segments) else found[0]

    def written(self, opened: Opened, *, may_open: bool = True) -> Written:
        """Return the documents of a node, written again if something below it changed."""
        kept = opened.written
        if kept is not None and not (kept.watched and self.tree.is_due(kept.checked)):
            return kept
        if not may_open:
            raise NotOpened
        return self.flights.read(opened, partial(self._write, opened))

    def _write(self, opened: Opened) -> Written:
        kept = opened.written
        if kept is None or kept.is_stale():
            shown = self._can_show(opened.node)
            kept = documents.written(opened.node, self.format) if shown else Written({}, (), (), 0.0)
            opened.written = kept
        return kept

    def _can_show(self, node: Node) -> bool:
        try:
            documents.check(node, self.format)
        except (TypeError, ValueError):
            return False  # the group's attribute has the reason
        return True

    def _chunk(self, key: str, opened: Opened, segments: list[str], *, may_open: bool) -> Chunk | None:
        if opened.stored is None and not may_open:
            raise NotOpened
        stored = self._stored(opened)
        coords = None if stored is None else self.format.parse_chunk_key(segments, stored.grid)
        if stored is None or coords is None:
            return None
        versions = opened.versions
        if not versions:  # in a persistent cache that outlives the present tree, a key alone does not identify a chunk
            cache_key = key if not self.keeps or self.is_fixed else f"{stored.content}/{'.'.join(segments)}"
            return Chunk(key, coords, stored, stored.identity, cache_key, is_fixed=opened.is_fixed)
        identity = digest(stored.identity, *versions) if None not in versions else unique()
        cache_key = f"{digest(stored.content, *versions)}/{'.'.join(segments)}"
        return Chunk(key, coords, stored, identity, cache_key, opened.changed, None not in versions)

    def _stored(self, opened: Opened) -> StoredArray | None:
        """Return an array as the format stores it; None if the format cannot store it."""
        if opened.stored is None:
            if not self._can_show(opened.node):
                return None
            opened.stored = self.format.store(opened.node)  # type: ignore[arg-type]
        return opened.stored

    def names(self, path: str, *, may_open: bool) -> tuple[str, ...] | None:
        """Return the documents and members directly below the node at `path`; None if there is no such node."""
        opened = self._opened(path, may_open=may_open)
        written = None if opened is None else self.written(opened, may_open=may_open)
        if written is None or not written.documents:
            return None
        return (*written.documents, *(f"{name}/" for name in written.members))

    def nodes(self) -> Iterator[tuple[str, Node]]:
        """Yield the path and node of the root and of all nodes below it that the format can show; opens all of them."""
        yield "", self.root
        if isinstance(self.root, Group):
            yield from documents.walk(documents.as_shown(self.root, self.format), self.format)

    @cached_property
    def is_fixed(self) -> bool:
        """Whether nothing in the tree ever changes, as far as its groups may be opened to check."""
        nodes = (node for _, node in self.nodes())
        return all(node.version is None and getattr(node, "consolidate", True) for node in nodes)
