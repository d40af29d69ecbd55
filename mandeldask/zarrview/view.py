"""ZarrView: a tree as the keys and bytes of one Zarr format. Stores and web servers are thin layers over it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, TypeAlias

from mandeldask.zarrview.attributes import to_json
from mandeldask.zarrview.cache import TileCache
from mandeldask.zarrview.identity import digest
from mandeldask.zarrview.nodes import Array, Group, Node, as_node
from mandeldask.zarrview.pool import Pool
from mandeldask.zarrview.reading import Reader
from mandeldask.zarrview.shelf import Shelf
from mandeldask.zarrview.stored import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from zarr.abc.store import ByteRequest, Store

    from mandeldask.zarrview.formats import Format


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
    pool : Pool, optional
        Threads to share with other views, instead.
    directory : str, Path or Store, optional
        Where chunks are kept for longer, if not in the cache's own directory: several views may share one cache.

    Raises
    ------
    TypeError
        If the tree is of no known kind, or holds a dtype that the format cannot.
    ValueError
        If a name in the tree cannot be used in Zarr.
    """

    def __init__(  # noqa: PLR0913  where chunks are kept and computed
        self,
        root: Any,
        format: Format,  # noqa: A002  the field's own word
        *,
        cache: TileCache | None = None,
        workers: int | None = None,
        pool: Pool | None = None,
        directory: str | Path | Store | None = None,
    ) -> None:
        self.root: Node = as_node(root)
        self.format = format
        self.cache = TileCache() if cache is None else cache
        self.workers = workers
        self._pool = pool
        self._directory = directory or self.cache.directory
        self._nodes = dict(_walk(self.root))
        self._paths = list(self._nodes)
        self._stored: dict[str, Stored] = {}
        self._documents: dict[str, Mapping[str, Document]] = {}
        for path, node in self._nodes.items():
            self._check(path, node)
        if self._directory is not None:
            self._reader  # noqa: B018  refuses another tree's tiles here, not at the first chunk

    def _check(self, path: str, node: Node) -> None:
        try:
            if isinstance(node, Array):
                self.format.check(node)
            to_json(dict(node.attrs))
        except (TypeError, ValueError) as error:
            error.add_note(f"in {'/' + path!r}")
            raise

    @cached_property
    def _reader(self) -> Reader:
        target = self._directory
        shelf = None if target is None else Shelf(target, self.content, self._contents())
        return Reader(self.cache, shelf, self._pool or Pool(self.workers))

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
            below = islice(self._paths, self._paths.index(path) + 1, None)
            inside = takewhile(lambda other: other.startswith(prefix), below)  # what is in a group follows it
            named = {other.removeprefix(prefix): self.format.documents(self._described(other)) for other in inside}
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

    def read(self, chunk: Chunk, request: ByteRequest | None = None) -> bytes:
        """Return the encoded bytes of a chunk, or those that `request` asks for, computed in this thread.

        Raises whatever reading the source raises; failures are not kept.
        """
        return self._reader.read(chunk, request)

    def cached(self, chunk: Chunk) -> bytes | None:
        """Return the encoded bytes of a chunk if they are in memory; otherwise it is `get` that counts the miss."""
        return self._reader.cached(chunk)

    async def get(self, chunk: Chunk, request: ByteRequest | None = None) -> bytes:
        """Return what `read` does, computed in the view's own threads.

        However many ask at a time, it is computed once. When all who wait have been cancelled, so is the computation.

        Raises
        ------
        Busy
            If the pool's queue is full. Otherwise whatever reading the source raises.
        """
        return await self._reader.get(chunk, request)

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Yield the path and node of every array."""
        yield from ((path, node) for path, node in self._nodes.items() if isinstance(node, Array))

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
        return digest(*self._nodes, *identities, *(document for _, document in self._contents()))

    @cached_property
    def content(self) -> str:
        """Depends on what the chunks hold and how they are encoded, and not on attributes or versions of libraries."""
        stored = ((path, self._described(path)) for path in self._nodes)
        arrays = [part for path, array in stored if isinstance(array, Stored) for part in (path, array.content)]
        return digest(self.format.number, *arrays)

    def _contents(self) -> Iterator[tuple[str, bytes]]:
        for key in self.list():
            entry = self.find(key)
            if isinstance(entry, Document):
                yield key, entry.content

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, ZarrView) and self.fingerprint == other.fingerprint)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.root, self.format, self.cache, self.workers, self._directory)


def _restored(root: Node, format: Format, cache: TileCache, workers: int | None, directory: Any) -> ZarrView:  # noqa: A002
    return ZarrView(root, format, cache=cache, workers=workers, directory=directory)


def _walk(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    yield path, node
    if isinstance(node, Group):
        for name, member in node.members.items():
            yield from _walk(member, f"{path}/{name}" if path else name)
