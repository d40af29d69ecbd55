"""ZarrView: a tree as keys and bytes of one Zarr format. Stores and web servers are thin layers above it."""

from __future__ import annotations

from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from mandeldask.flights import Flights
from mandeldask.zarrview import documents
from mandeldask.zarrview.byte_requests import requested
from mandeldask.zarrview.cache import TileCache
from mandeldask.zarrview.entries import Chunk, Document
from mandeldask.zarrview.finding import Finder
from mandeldask.zarrview.identity import digest, is_lasting, unique
from mandeldask.zarrview.nodes import Array, Changed, Group, Node, as_tree, with_dims
from mandeldask.zarrview.opened import REFRESH_S, NotOpened, OpenedTree
from mandeldask.zarrview.persistent_cache import PersistentCache
from mandeldask.zarrview.pool import Pool, Queue
from mandeldask.zarrview.reading import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from zarr.abc.store import ByteRequest, Store

    from mandeldask.flights import Seat
    from mandeldask.zarrview.cache_file import FileLocation
    from mandeldask.zarrview.entries import Entry
    from mandeldask.zarrview.formats import Format

T = TypeVar("T")

NODE_BYTES = 7000
"""Memory of a requested node in bytes, without the text of its documents; measured with places."""

_chunk_digest = lru_cache(maxsize=4096)(digest)

CHANGING = "chunks of a tree that changes, by their identity"
"""Mark of a persistent cache of such chunks."""


class ZarrView:
    """A tree as a Zarr store of one format: keys of metadata documents and chunks.

    Only `read` and `get` compute, one chunk each. Members of the tree are opened on request, and again when their
    version changes, if they have one.

    Parameters
    ----------
    root : Group, Array, or any tree that `as_node` knows
        The tree to show.
    format : V2 or V3
        Its Zarr format.
    cache : TileCache, optional
        Cache of encoded chunks; several views may share one. By default, each view has its own.
    workers : int, optional
        Threads that compute chunks for `get`; the number of CPUs by default, at least 2.
    pool : Queue, optional
        Threads to share with other views, instead of `workers`.
    directory : str, Path, Store or FileLocation, optional
        Location of chunks between runs, if it is not the cache's own directory: several views may share one cache.
    refresh : float
        Seconds after which the version of a node is checked again.
    at : str
        Path of the root in a larger tree; it becomes part of the names of dimensions that have none.

    Raises
    ------
    TypeError
        If the kind of the tree is unknown, or if it is one array of a dtype that the format cannot store.
    ValueError
        If a name in the tree cannot be used in Zarr.
    """

    def __init__(  # noqa: PLR0913  the options of a view
        self,
        root: Any,
        format: Format,  # noqa: A002  the standard term
        *,
        cache: TileCache | None = None,
        workers: int | None = None,
        pool: Queue | None = None,
        directory: str | Path | Store | FileLocation | None = None,
        refresh: float = REFRESH_S,
        at: str = "",
    ) -> None:
        self.root: Node = with_dims(as_tree(root), at)
        documents.check(self.root, format)
        self.format = format
        self.cache = TileCache() if cache is None else cache
        self.workers = workers
        self.refresh = refresh
        self._pool = pool
        self._directory = directory or self.cache.directory
        self._tree = OpenedTree(self.root, refresh)
        self._flights = Flights()
        self._finder = Finder(self.root, self._tree, format, self._flights, keeps=self._directory is not None)
        self._unique = unique()
        if self._directory is not None:
            self._reader  # noqa: B018  refuses tiles of another tree now, not at the first chunk

    @cached_property
    def pool(self) -> Queue:
        """Threads that compute chunks."""
        return self._pool or Pool(self.workers)

    @cached_property
    def _reader(self) -> Reader:
        target = self._directory
        if target is None:
            persistent = None
        elif self.is_fixed:
            persistent = PersistentCache(target, self.content, self._contents())
        else:
            persistent = PersistentCache(target, CHANGING, ())
        return Reader(self.cache, persistent, self.pool)

    def find(self, key: str) -> Entry | None:
        """Return the entry of `key`, or None. Each entry has exactly one key. Never computes a chunk.

        It may open a source or write documents: call it in a thread, or use `lookup`.

        Parameters
        ----------
        key : str
            For example ``"zarr.json"`` or ``"0/iterations/c/3/1"``, without a leading slash.
        """
        return self._finder.find(key, may_open=True)

    async def lookup(self, key: str) -> Entry | None:
        """Return the result of `find`; a thread opens sources and writes documents, once for concurrent callers."""
        try:
            return self._finder.find(key, may_open=False)
        except NotOpened:
            return await self._aside(("find", key), partial(self._finder.find, key, may_open=True))

    async def names_at(self, path: str) -> tuple[str, ...] | None:
        """Return the result of `names`, computed in a thread unless it is known."""
        try:
            return self._finder.names(path, may_open=False)
        except NotOpened:
            return await self._aside(("names", path), partial(self._finder.names, path, may_open=True))

    def has_member(self, name: str) -> bool:
        """Return whether the root is a group with a member of that name; it is not opened."""
        root = self._tree.root.node
        return isinstance(root, Group) and name in root.members

    async def _aside(self, key: tuple[str, str], work: Callable[..., T]) -> T:
        """Return the result of `work`, computed in a thread, once for concurrent callers."""
        return await self._flights.get(key, work, self.pool.side)

    def etag(self, entry: Entry) -> str:
        """Return a strong entity tag, quoted: equal tags mean equal bytes. Never computes a chunk."""
        if isinstance(entry, Document):
            return f'"{entry.digest}"'
        return f'"{_chunk_digest(entry.identity, entry.coords)}"'

    def ask(self, chunk: Chunk) -> bytes | Seat[bytes]:
        """Return the encoded bytes of a chunk if they are in memory, otherwise a seat to wait for them.

        Use the seat in a ``with`` block, which leaves it at the end, and wait for the result by `result_of`.
        """
        return self._reader.ask(chunk)

    async def result_of(self, chunk: Chunk, seat: Seat[bytes]) -> bytes:
        """Return the result for a seat that `ask` returned."""
        return await self._reader.result_of(chunk, seat)

    def read(self, chunk: Chunk, request: ByteRequest | None = None) -> bytes:
        """Return the encoded bytes of a chunk, or the part in `request`, computed in this thread.

        Raises the errors of reading the source; failures are not cached.
        """
        return self._reader.read(chunk, request)

    async def get(self, chunk: Chunk, request: ByteRequest | None = None) -> bytes:
        """Return the result of `read`, computed in the view's own threads.

        Concurrent callers share one computation. It is cancelled when all of them have been cancelled.

        Raises
        ------
        Busy
            If the pool's queue is full.
        Changed
            If the source changed while it was read. Other errors of reading the source are raised too.
        """
        return await self._reader.get(chunk, request)

    def content_of(self, key: str, request: ByteRequest | None = None) -> bytes | None:
        """Return the bytes under `key`, or the part in `request`; None if there is no such key.

        A source that changes while it is read is read again.
        """
        try:
            return self._content_of(key, request)
        except Changed:
            return self._content_of(key, request)

    def _content_of(self, key: str, request: ByteRequest | None) -> bytes | None:
        entry = self.find(key)
        if isinstance(entry, Chunk):
            return self.read(entry, request)
        return None if entry is None else requested(entry.content, request)

    async def content_at(self, key: str, request: ByteRequest | None = None) -> bytes | None:
        """Return the result of `content_of`, computed in the view's own threads."""
        try:
            return await self._content_at(key, request)
        except Changed:
            return await self._content_at(key, request)

    async def _content_at(self, key: str, request: ByteRequest | None) -> bytes | None:
        entry = await self.lookup(key)
        if isinstance(entry, Chunk):
            return await self.get(entry, request)
        return None if entry is None else requested(entry.content, request)

    def names(self, path: str = "") -> tuple[str, ...] | None:
        """Return the documents and members directly at `path`, members with a slash; None if there is no such node.

        It opens only members that are in the group's own documents.
        """
        return self._finder.names(path, may_open=True)

    def held_bytes(self) -> int:
        """Return an estimate of the view's memory, without chunks, once all its nodes were requested."""
        stated = getattr(self.root, "held_bytes", None)
        if stated is not None:
            return int(stated)
        written = self._finder.written(self._tree.root)
        return NODE_BYTES * written.nodes + 2 * sum(len(document.content) for document in written.documents.values())

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys of metadata documents that start with `prefix`; chunks are too many to list."""
        path = prefix.rpartition("/")[0]
        below = f"{path}/" if path else ""
        for name in self.names(path) or ():
            key = below + name
            if not name.endswith("/"):
                if key.startswith(prefix):
                    yield key
            elif key.startswith(prefix) or prefix == key:
                yield from self.list(key)

    def nodes(self) -> Iterator[tuple[str, Node]]:
        """Return the path and node of the root and everything below it that the format can show; opens all of it."""
        return self._finder.nodes()

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Yield the path and node of every array that the format can show; opens all of them."""
        yield from ((path, node) for path, node in self.nodes() if isinstance(node, Array))

    def skipped(self) -> dict[str, str]:
        """Return why parts of the tree cannot be shown in this format, by path."""
        return dict(documents.skipped_below(self.root, self.format))

    @property
    def is_fixed(self) -> bool:
        """Whether nothing in the tree ever changes, as far as its groups can be opened to check."""
        return self._finder.is_fixed

    @cached_property
    def fingerprint(self) -> str:
        """Identity of every document and every array's content; the same in every process if the sources allow it.

        For trees that change it identifies the tree and not its content.
        """
        if not self.is_fixed:
            return digest(self.format.number, getattr(self.root, "fingerprint", "") or self._unique)
        arrays = self._identities("identity")
        return digest(*arrays, *(part for item in self._contents() for part in item))

    @cached_property
    def content(self) -> str:
        """Identity of the chunks' elements and encoding; it does not depend on attributes or versions of libraries.

        Arrays that other processes cannot identify do not count: their chunks are never kept between runs.
        """
        return digest(self.format.number, *filter(is_lasting, self._identities("content")))

    def _identities(self, which: str) -> Iterator[str]:
        for path, array in self.arrays():
            yield from (path, getattr(self.format.store(array), which))

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
        options = {"cache": self.cache, "workers": self.workers, "directory": self._directory, "refresh": self.refresh}
        return _restored, (self.root, self.format, options, self._unique)


def _restored(root: Node, format: Format, options: dict[str, Any], own: str) -> ZarrView:  # noqa: A002
    view = ZarrView(root, format, **options)
    view._unique = own  # noqa: SLF001  a view of the same class
    return view
