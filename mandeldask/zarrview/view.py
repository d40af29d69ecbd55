"""ZarrView: a tree as the keys and bytes of one Zarr format. Stores and web servers are thin layers over it."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeAlias

from mandeldask.zarrview.cache import TileCache
from mandeldask.zarrview.codecs import padded
from mandeldask.zarrview.flights import Flights
from mandeldask.zarrview.formats import Format, Stored, to_json
from mandeldask.zarrview.identity import digest
from mandeldask.zarrview.keys import window
from mandeldask.zarrview.nodes import Array, Group, Node, as_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Document:
    """A metadata document."""

    content: bytes
    """JSON text in UTF-8."""
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A chunk that exists in the grid of an array, computed or not."""

    key: str
    """Its key in the view."""
    coords: tuple[int, ...]
    """Its place in the chunk grid."""
    stored: Stored
    """The array it belongs to."""
    media_type: str = "application/octet-stream"


Entry: TypeAlias = Document | Chunk


class ZarrView:
    """What a tree looks like as a Zarr store of one format: keys to metadata documents and chunks.

    Nothing but `read` and `get` computes, and they compute one chunk. The tree is taken never to change.

    Parameters
    ----------
    root : Group, Array, or any tree that `as_node` knows
        What to show.
    format : V2 or V3
        How.
    cache : TileCache, optional
        Where encoded chunks are kept; several views may share one. A cache of its own by default.
    workers : int, optional
        Threads that compute chunks for `get`; the number of CPUs by default, at least 2.

    Raises
    ------
    TypeError
        If the tree is of no known kind, or holds a dtype that the format cannot.
    ValueError
        If a name in the tree cannot be used in Zarr.
    """

    def __init__(
        self,
        root: Any,
        format: Format,  # noqa: A002  the field's own word
        *,
        cache: TileCache | None = None,
        workers: int | None = None,
    ) -> None:
        self.root: Node = as_node(root)
        self.format = format
        self.cache = TileCache() if cache is None else cache
        self.workers = workers or max(2, os.cpu_count() or 1)
        self._flights = Flights()
        self._nodes = dict(_walk(self.root))
        self._stored: dict[str, Stored] = {}
        self._documents: dict[str, Mapping[str, Document]] = {}
        for path, node in self._nodes.items():
            self._check(path, node)

    def _check(self, path: str, node: Node) -> None:
        try:
            if isinstance(node, Array):
                self.format.check(node)
            to_json(dict(node.attrs))
        except (TypeError, ValueError) as error:
            error.add_note(f"in {'/' + path!r}")
            raise

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.workers, "zarrview")

    def find(self, key: str) -> Entry | None:
        """Return what `key` names, or None. Keys are strict: each thing has one. Never computes a chunk.

        Parameters
        ----------
        key : str
            Such as ``"zarr.json"`` or ``"0/iterations/c/3/1"``, without a leading slash.
        """
        path, _, name = key.rpartition("/")
        if name in self.format.names:
            return self._document(path, name) if path or "/" not in key else None
        segments = key.split("/")
        node: Node = self.root
        for depth in range(len(segments)):
            if isinstance(node, Array):
                return self._chunk(key, "/".join(segments[:depth]), segments[depth:])
            below = node.members.get(segments[depth])
            if below is None:
                return None
            node = below
        return None

    def _document(self, path: str, name: str) -> Document | None:
        if path not in self._nodes:
            return None
        if path not in self._documents:
            self._documents[path] = self._written(path)
        return self._documents[path].get(name)

    def _written(self, path: str) -> Mapping[str, Document]:
        """Return the documents of one node as they are served: groups know everything below them."""
        prefix = f"{path}/" if path else ""
        documents = self.format.documents(self._described(path))
        if isinstance(self._nodes[path], Group):
            below = [other for other in self._nodes if other.startswith(prefix) and other != path]
            named = {other.removeprefix(prefix): self.format.documents(self._described(other)) for other in below}
            documents = self.format.consolidated({"": documents} | named)
        return {name: Document(to_json(document)) for name, document in documents.items()}

    def _described(self, path: str) -> Group | Stored:
        node = self._nodes[path]
        return node if isinstance(node, Group) else self._store(path, node)

    def _store(self, path: str, node: Array) -> Stored:
        if path not in self._stored:
            self._stored[path] = self.format.store(node)
        return self._stored[path]

    def _chunk(self, key: str, path: str, segments: list[str]) -> Chunk | None:
        stored = self._stored.get(path) or self._store(path, self._nodes[path])  # type: ignore[arg-type]
        coords = self.format.parse_chunk_key(segments, stored.grid)
        return None if coords is None else Chunk(key, coords, stored)

    def etag(self, entry: Entry) -> str:
        """Return a strong entity tag, quoted: equal tags mean equal bytes. Never computes a chunk."""
        if isinstance(entry, Document):
            return f'"{digest(entry.content)}"'
        return f'"{digest(entry.stored.identity, entry.coords)}"'

    def read(self, chunk: Chunk) -> bytes:
        """Return the encoded bytes of a chunk, computed in this thread if they must be.

        Raises whatever reading the source raises; failures are not kept.
        """
        tile = self.cache.get((chunk.stored.identity, chunk.coords))
        if tile is not None:
            return tile
        if _in_loop():  # codecs need this thread's loop to themselves
            return self._pool.submit(self._flights.read, *self._flight(chunk)).result()
        return self._flights.read(*self._flight(chunk))

    async def get(self, chunk: Chunk) -> bytes:
        """Return the encoded bytes of a chunk, computed in the view's own threads if they must be.

        However many ask at a time, it is computed once. When all who wait have been cancelled, so is the computation.
        """
        tile = self.cache.get((chunk.stored.identity, chunk.coords))
        if tile is not None:
            return tile
        return await self._flights.get(*self._flight(chunk), self._pool)

    def _flight(self, chunk: Chunk) -> tuple[Any, Any]:
        return (chunk.stored.identity, chunk.coords), partial(self._compute, chunk)

    def _compute(self, chunk: Chunk) -> bytes:
        stored = chunk.stored
        array = stored.array
        block = array.read(window(chunk.coords, stored.chunks, array.shape))
        fill = stored.encoder.spec.fill_value if array.missing is None else array.missing
        tile = stored.encoder.encode(padded(block, stored.chunks, fill))
        self.cache.computed((stored.identity, chunk.coords), tile)
        return tile

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys of metadata documents that start with `prefix`; chunks are too many to list."""
        for path in self._nodes:
            for name in self._names(path):
                key = f"{path}/{name}" if path else name
                if key.startswith(prefix):
                    yield key

    def _names(self, path: str) -> tuple[str, ...]:
        return tuple(self.format.document_names(self._nodes[path]))

    @cached_property
    def fingerprint(self) -> str:
        """Depends on every document and every array's content; the same in every process where sources allow."""
        contents = [self._described(path) for path in self._nodes]
        identities = [stored.identity for stored in contents if isinstance(stored, Stored)]
        documents = [entry.content for key in self.list() if isinstance(entry := self.find(key), Document)]
        return digest(*self._nodes, *identities, *documents)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, ZarrView) and self.fingerprint == other.fingerprint)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.root, self.format, self.cache, self.workers)


def _restored(root: Node, format: Format, cache: TileCache, workers: int) -> ZarrView:  # noqa: A002
    return ZarrView(root, format, cache=cache, workers=workers)


def _walk(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    yield path, node
    if isinstance(node, Group):
        for name, member in node.members.items():
            yield from _walk(member, f"{path}/{name}" if path else name)


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
