"""Reader: from a chunk to its bytes, through the cache; each tile is computed once for all concurrent callers."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from mandeldask.flights import Flights, Seat
from mandeldask.zarrview.byte_requests import requested
from mandeldask.zarrview.codecs import in_loop
from mandeldask.zarrview.encoding import encoded_tile
from mandeldask.zarrview.nodes import Changed
from mandeldask.zarrview.shards import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from zarr.abc.store import ByteRequest

    from mandeldask.zarrview.cache import TileCache
    from mandeldask.zarrview.entries import Chunk
    from mandeldask.zarrview.persistent_cache import PersistentCache
    from mandeldask.zarrview.pool import Queue

Coords = tuple[int, ...]


class Reader:
    """Computes chunks in its own threads.

    It does not use asyncio's threads: zarr uses these too, and a store that waits in them for zarr would never finish.

    Parameters
    ----------
    cache : TileCache
        Cache of tiles in memory.
    persistent : PersistentCache or None
        Cache of tiles between runs.
    pool : Queue
        The threads.
    """

    def __init__(self, cache: TileCache, persistent: PersistentCache | None, pool: Queue) -> None:
        self.cache = cache
        self.persistent = persistent
        self._pool = pool
        self._loading = Flights()
        self._shards = Flights()

    def ask(self, chunk: Chunk, request: ByteRequest | None = None) -> bytes | Seat[bytes]:
        """Return the bytes of a chunk if they are in memory, otherwise a seat to wait for them."""
        if chunk.stored.shard is None:
            return self._ask(chunk, chunk.coords)
        shard = chunk.identity, chunk.coords, repr(request)
        return self._shards.join(shard, partial(self._assembled, chunk, request))

    def read(self, chunk: Chunk, request: ByteRequest | None = None) -> bytes:
        """Return the bytes of a chunk or shard, or the part in `request`, computed in this thread."""
        if in_loop():  # codecs need a thread without a running event loop
            elsewhere: Future[bytes] = self._pool.submit(self.read, chunk, request)
            return elsewhere.result()
        found = self.ask(chunk, request)
        if isinstance(found, Seat):
            with found:
                kept = self._loaded(chunk)
                found = found.read() if kept is None else kept
        return self._part(chunk, found, request)

    async def get(self, chunk: Chunk, request: ByteRequest | None = None) -> bytes:
        """Return the bytes of a chunk or shard, or the part in `request`, computed in the reader's own threads."""
        found = self.ask(chunk, request)
        if isinstance(found, Seat):
            with found:
                found = await self.result_of(chunk, found)
        return self._part(chunk, found, request)

    async def result_of(self, chunk: Chunk, seat: Seat[bytes]) -> bytes:
        """Return the result for a seat that `ask` returned for a chunk."""
        if self.persistent is not None and chunk.stored.shard is None:  # not in the pool, which may be busy computing
            key = chunk.identity, chunk.coords
            kept = await self._loading.get(key, partial(self._loaded, chunk), self._pool.side)
            if kept is not None:
                return kept
        return await seat.get(self._pool)

    @staticmethod
    def _part(chunk: Chunk, found: bytes, request: ByteRequest | None) -> bytes:
        return requested(found, request) if chunk.stored.shard is None else found

    def _ask(self, chunk: Chunk, coords: Coords) -> bytes | Seat[bytes]:
        """Return the tile at `coords`, the chunk itself or one within the shard."""
        return self.cache.ask((chunk.identity, coords), partial(self._compute, chunk, coords), keep=chunk.keep)

    def _compute(self, chunk: Chunk, coords: Coords) -> bytes:
        """Return the encoded tile at `coords`.

        Raises
        ------
        Changed
            If the source has another version now than when it was opened.
        """
        tile = encoded_tile(chunk.stored, coords)
        if chunk.changed():
            msg = f"the source of {chunk.key} changed while it was read"
            raise Changed(msg)
        self.cache.computed()
        if chunk.stored.shard is None:
            self._save(chunk, tile)
        return tile

    def _loaded(self, chunk: Chunk) -> bytes | None:
        """Return a chunk from the persistent cache and keep it in memory; None if it is absent, or a shard."""
        if chunk.stored.shard is not None:
            return None
        kept = self._load(chunk, chunk.stored.encoder.accepts)
        if kept is not None:
            self.cache.put((chunk.identity, chunk.coords), kept)
        return kept

    def _load(self, chunk: Chunk, accepts: Callable[[bytes], bool]) -> bytes | None:
        """Return a chunk or shard from the persistent cache, unless it is damaged."""
        raw = self.persistent.load(chunk.cache_key) if self.persistent is not None and chunk.stored.is_lasting else None
        if raw is None:
            return None
        good = accepts(raw)
        self.cache.loaded(good=good)
        return raw if good else None

    def _save(self, chunk: Chunk, raw: bytes) -> None:
        if self.persistent is not None and chunk.keep and chunk.stored.is_lasting:
            self.persistent.save(chunk.cache_key, raw)

    def _assembled(self, chunk: Chunk, request: ByteRequest | None) -> bytes:
        """Return the bytes of a shard, or the part in `request`; its tiles are computed in parallel."""
        shard = chunk.stored.shard
        assert shard is not None  # noqa: S101  for mypy
        plan = Plan.of(shard, chunk.coords, chunk.stored.encoder.length, request)
        raw = self._whole_shard(chunk, plan)
        if raw is not None:
            return requested(raw, request)
        with ExitStack() as seats:
            asked = {place: self._ask(chunk, coords) for place, coords in plan.chunks.items()}
            waited = [seats.enter_context(seat) for seat in asked.values() if isinstance(seat, Seat)]
            for seat in waited[1:]:
                seat.offer(self._pool)
            tiles = {place: seat.read() if isinstance(seat, Seat) else seat for place, seat in asked.items()}
        raw = plan.joined(tiles)
        if plan.whole and plan.request is None:
            self._save(chunk, raw)
        return raw

    def _whole_shard(self, chunk: Chunk, plan: Plan) -> bytes | None:
        """Return a whole shard from the persistent cache and keep its tiles; None if all are in memory."""
        names = {place: (chunk.identity, coords) for place, coords in plan.chunks.items()}
        if self.persistent is None or all(name in self.cache for name in names.values()):
            return None
        encoder, shard = chunk.stored.encoder, plan.shard
        raw = self._load(chunk, partial(shard.accepts, encoder=encoder, coords=chunk.coords))
        if raw is not None:
            self._remember(names, shard.split(raw))
        return raw

    def _remember(self, names: Mapping[int, tuple[str, Coords]], tiles: list[bytes | None]) -> None:
        for place, name in names.items():
            self.cache.put(name, tiles[place] or b"")
