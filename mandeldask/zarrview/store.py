"""A read-only zarr Store over a ZarrView."""

from __future__ import annotations

import asyncio
import warnings
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn, Self

import zarr
from zarr.abc.store import Store

from mandeldask.internals.zarr_names import default_buffer_prototype
from mandeldask.zarrview.cache import DEFAULT_BYTES, TileCache
from mandeldask.zarrview.documents import CONSOLIDATED
from mandeldask.zarrview.formats import DEFAULT, V2, V3, Format
from mandeldask.zarrview.preparing import prepare_in_notebook
from mandeldask.zarrview.view import ZarrView

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from typing import Literal

    from zarr.abc.store import ByteRequest

    from mandeldask.internals.zarr_names import Buffer, BufferPrototype

EXACT_IN_FLOATS = 2**53
"""Elements along a dimension above which zarr-python < 3.2 misses chunks, because it divides indices as floats."""


class ZarrViewStore(Store):
    """A tree as a read-only Zarr store. Chunks are computed when they are read; listing yields metadata only.

    Parameters
    ----------
    view : ZarrView
        The tree in one Zarr format.
    """

    supports_writes = False
    supports_deletes = False
    supports_listing = True

    def __init__(self, view: ZarrView, *, read_only: bool = True) -> None:
        super().__init__(read_only=read_only)
        self.view = view

    def with_read_only(self, read_only: bool = False) -> Self:  # noqa: FBT001, FBT002  zarr's signature
        """Return a store of the same view; it can only be read-only."""
        if not read_only:
            self._refuse()
        return type(self)(self.view)

    def __getitem__(self, key: str) -> bytes:
        """Return the bytes of `key`, for clients that want a mapping, such as early versions of vizarr's widget."""
        content = self.view.content_of(key)
        if content is None:
            raise KeyError(key)
        return content

    def __contains__(self, key: object) -> bool:
        """Return whether there is such a key, without computing."""
        return isinstance(key, str) and self.view.find(key) is not None

    def __iter__(self) -> Iterator[str]:
        """Yield the keys of all metadata documents."""
        return self.view.list()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.view == other.view

    def __hash__(self) -> int:
        return hash(self.view)

    def __str__(self) -> str:
        return f"zarrview://v{self.view.format.number}/{self.view.fingerprint}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self}')"

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return the bytes of `key`, or some of them; None if there is no such key."""
        return _buffer(await self.view.content_at(key, byte_range), prototype)

    def get_sync(
        self, key: str, *, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return the result of `get`, computed in this thread."""
        return _buffer(self.view.content_of(key, byte_range), prototype)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return the bytes of many keys or parts of them."""
        wanted = [self.get(key, prototype, byte_range) for key, byte_range in key_ranges]
        return list(await asyncio.gather(*wanted))

    async def exists(self, key: str) -> bool:
        """Return whether there is such a key, without computing."""
        return await self.view.lookup(key) is not None

    async def getsize(self, key: str) -> int:
        """Return the number of bytes of a key. A chunk must be computed for that; a document need not."""
        content = await self.view.content_at(key)
        if content is None:
            raise FileNotFoundError(key)
        return len(content)

    async def list(self) -> AsyncIterator[str]:
        """Yield the keys of all metadata documents."""
        for key in self.view.list():
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Yield the keys of metadata documents that start with `prefix`."""
        for key in self.view.list(prefix):
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names of documents and members below a path."""
        for name in await self.view.names_at(prefix.strip("/")) or ():
            yield name.removesuffix("/")

    async def set(self, key: str, value: Buffer) -> None:  # noqa: ARG002
        """Refuse: the store is read-only."""
        self._refuse()

    async def delete(self, key: str) -> None:  # noqa: ARG002
        """Refuse: the store is read-only."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        msg = "store was opened in read-only mode and does not support writing"
        raise ValueError(msg)


def _buffer(content: bytes | None, prototype: BufferPrototype | None) -> Buffer | None:
    return None if content is None else (prototype or default_buffer_prototype()).buffer.from_bytes(content)


def zarr_format_of(number: int, codecs: dict[str, Any]) -> Format:
    """Return V2 or V3 with the codecs that were given by name.

    Raises
    ------
    ValueError
        If there is no such format.
    TypeError
        If the format has no such codecs.
    """
    if number not in (2, 3):
        msg = f"zarr_format must be 2 or 3, not {number!r}"
        raise ValueError(msg)
    names = {2: ("compressor", "filters"), 3: ("compressors", "filters", "serializer", "shards")}[number]
    unknown = sorted(codecs.keys() - {*names})
    if unknown:
        msg = f"Zarr v{number} takes the options {', '.join(names)}, not {', '.join(unknown)}"
        raise TypeError(msg)
    if number == 3:  # noqa: PLR2004
        return V3(**codecs)
    return V2(codecs.get("compressor", DEFAULT), codecs.get("filters", "auto"))


def to_store(  # noqa: PLR0913  the options of a view
    tree: Any,
    zarr_format: Literal[2, 3] = 3,
    *,
    cache: TileCache | None = None,
    cache_bytes: int = DEFAULT_BYTES,
    workers: int | None = None,
    strict: bool = False,
    **codecs: Any,
) -> ZarrViewStore:
    """Return any tree as a read-only zarr Store whose chunks are computed when they are read.

    In a notebook, the kernels of a pyramid are compiled before this function returns: vizarr's widget, which accepts
    the store, waits only 3 seconds for a chunk.

    Parameters
    ----------
    tree : DataTree, Dataset, DataArray, Mapping, array, table, ...
        Anything that `mandeldask.zarrview.nodes.as_node` knows.
    zarr_format : 2 or 3
        Zarr format.
    cache : TileCache, optional
        Cache of encoded chunks; several stores may share one.
    cache_bytes : int
        Size in bytes of the cache in memory, if no `cache` is given.
    workers : int, optional
        Threads that compute.
    strict : bool
        Whether a part of the tree that cannot be shown is an error. By default it is left out with a warning, and named
        in the attribute `skipped` of its group.
    **codecs
        ``compressor`` and ``filters`` (numcodecs) in v2; ``compressors``, ``filters``, ``serializer`` and ``shards``
        in v3. gzip at level 1 unless given.

    Raises
    ------
    TypeError
        If the kind of the tree is unknown, or if it is an array of a dtype that the format cannot store.
    ValueError
        If there is no such format, or a name in the tree cannot be used in Zarr; if `strict`, for what cannot be shown.

    Examples
    --------
    >>> import numpy as np, zarr
    >>> zarr.open_group(to_store({"a": np.arange(3)}), mode="r")["a"][:]
    array([0, 1, 2])
    """
    cache = TileCache(cache_bytes) if cache is None else cache
    view = ZarrView(tree, zarr_format_of(zarr_format, codecs), cache=cache, workers=workers)
    warn_of_skipped(view, strict=strict)
    _warn_of_misreading(view)
    prepare_in_notebook(view.root)
    return ZarrViewStore(view)


def warn_of_skipped(view: ZarrView, *, strict: bool) -> None:
    """Warn of each part of a tree that a format cannot show, or raise ValueError if `strict`."""
    for path, reason in view.skipped().items():
        msg = f"/{path} is left out: {reason}"
        if strict:
            raise ValueError(msg)
        warnings.warn(msg, UserWarning, stacklevel=3)


def _warn_of_misreading(view: ZarrView) -> None:
    """Warn once if the installed zarr-python divides indices as floats, and an array is too long for that."""
    if tuple(map(int, zarr.__version__.split(".")[:2])) >= (3, 2):
        return
    arrays = islice(view.arrays(), CONSOLIDATED)  # opening more only for a warning would take long
    if any(size > EXACT_IN_FLOATS for _, array in arrays for size in array.shape):
        msg = (
            f"zarr-python {zarr.__version__} misreads unaligned slices of arrays longer than 2**53 elements: it "
            "skips the last chunk and returns uninitialised memory. Read whole chunks there, or use zarr-python 3.2"
        )
        warnings.warn(msg, UserWarning, stacklevel=3)
