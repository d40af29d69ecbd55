"""Reader: from a chunk to its bytes, through the cache, computing each tile once however many wait for it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from mandeldask.cancellation import current
from mandeldask.zarrview.codecs import padded
from mandeldask.zarrview.flights import Flights
from mandeldask.zarrview.keys import window
from mandeldask.zarrview.parts import part
from mandeldask.zarrview.pool import Pool
from mandeldask.zarrview.shards import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from concurrent.futures import Future

    from zarr.abc.store import ByteRequest

    from mandeldask.zarrview.cache import TileCache
    from mandeldask.zarrview.shelf import Shelf
    from mandeldask.zarrview.stored import Stored
    from mandeldask.zarrview.view import Chunk

Coords = tuple[int, ...]

LOADERS = 2
"""Threads that look on the shelf."""


class Reader:
    """Computes chunks in threads of its own.

    Not in asyncio's: they are zarr's too, and a store that waits in them for zarr waits for ever.

    Parameters
    ----------
    cache : TileCache
        Where tiles are kept in memory.
    shelf : Shelf or None
        Where they are kept for longer.
    pool : Pool
        The threads.
    """

    def __init__(self, cache: TileCache, shelf: Shelf | None, pool: Pool) -> None:
        self.cache = cache
        self.shelf = shelf
        self._pool = pool
        self._loaders = None if shelf is None else Pool(LOADERS)
        self._flights = Flights()

    def cached(self, chunk: Chunk) -> bytes | None:
        """Return the bytes of a chunk that is in memory; a shard would have to be assembled."""
        stored: Stored = chunk.stored
        return None if stored.shard else self.cache.get((stored.identity, chunk.coords), misses=False)

    def read(self, chunk: Chunk, request: ByteRequest | None = None) -> bytes:
        """Return the bytes of a chunk or shard that `request` asks for, computed in this thread."""
        if _in_loop():  # codecs need a thread's loop to themselves
            elsewhere: Future[bytes] = self._pool.submit(self.read, chunk, request)
            return elsewhere.result()
        shard = chunk.stored.shard
        if shard is None:
            return part(self._read_tile(chunk.stored, chunk.coords, chunk.key), request)
        plan = Plan.of(shard, chunk.coords, chunk.stored.encoder.length, request)
        raw = self._shelved(chunk, plan)
        if raw is not None:
            return part(raw, request)
        tiles = {place: self._read_tile(chunk.stored, coords) for place, coords in plan.chunks.items()}
        return self._joined(chunk, plan, tiles)

    async def get(self, chunk: Chunk, request: ByteRequest | None = None) -> bytes:
        """Return the bytes of a chunk or shard that `request` asks for, computed in the reader's own threads."""
        shard = chunk.stored.shard
        if shard is None:
            return part(await self._get_tile(chunk.stored, chunk.coords, chunk.key), request)
        here = asyncio.get_running_loop().run_in_executor
        plan = await here(self._pool, Plan.of, shard, chunk.coords, chunk.stored.encoder.length, request)
        raw = await here(self._pool, self._shelved, chunk, plan)
        if raw is not None:
            return part(raw, request)
        tiles = await _all({place: self._get_tile(chunk.stored, coords) for place, coords in plan.chunks.items()})
        return await here(self._pool, self._joined, chunk, plan, tiles)

    def _read_tile(self, stored: Stored, coords: Coords, key: str | None = None) -> bytes:
        name = (stored.identity, coords)
        tile = self.cache.get(name)
        return self._flights.read(name, partial(self._compute, stored, coords, key)) if tile is None else tile

    async def _get_tile(self, stored: Stored, coords: Coords, key: str | None = None) -> bytes:
        name = (stored.identity, coords)
        tile = self.cache.get(name)
        if tile is None and self._loaders is not None:  # past a pool that may be busy computing
            here = asyncio.get_running_loop().run_in_executor
            tile = await here(self._loaders, self._loaded, stored, coords, key)
        if tile is not None:
            return tile
        return await self._flights.get(name, partial(self._compute, stored, coords, key), self._pool)

    def _compute(self, stored: Stored, coords: Coords, key: str | None) -> bytes:
        """Return the encoded tile at `coords`; `key` is its own key, if it is not within a shard."""
        name = (stored.identity, coords)
        kept = self._loaded(stored, coords, key)
        if kept is not None:
            return kept
        block = stored.array.read(window(coords, stored.tile, stored.array.shape))
        current().check()
        tile = stored.encoder.encode(padded(block, stored.tile, stored.encoder.spec.fill_value))
        self.cache.computed(name, tile)
        self._save(key, tile)
        return tile

    def _loaded(self, stored: Stored, coords: Coords, key: str | None) -> bytes | None:
        """Return a tile from the shelf, now in memory too; None if it is not there."""
        kept = self._load(key, stored.encoder.accepts)
        if kept is not None:
            self.cache.put((stored.identity, coords), kept)
        return kept

    def _load(self, key: str | None, accepts: Callable[[bytes], bool]) -> bytes | None:
        """Return what the shelf holds under `key`, unless it is damaged."""
        raw = None if self.shelf is None or key is None else self.shelf.load(key)
        if raw is None:
            return None
        good = accepts(raw)
        self.cache.loaded(good=good)
        return raw if good else None

    def _save(self, key: str | None, raw: bytes) -> None:
        if self.shelf is not None and key is not None:
            self.shelf.save(key, raw)

    def _shelved(self, chunk: Chunk, plan: Plan) -> bytes | None:
        """Return a whole shard from the shelf, and remember its tiles; None if they are in memory already."""
        names = {place: (chunk.stored.identity, coords) for place, coords in plan.chunks.items()}
        if self.shelf is None or all(name in self.cache for name in names.values()):
            return None
        encoder, shard = chunk.stored.encoder, plan.shard
        raw = self._load(chunk.key, partial(shard.accepts, encoder=encoder, coords=chunk.coords))
        if raw is not None:
            tiles = shard.split(raw)
            for place, name in names.items():
                self.cache.put(name, tiles[place] or b"")
        return raw

    def _joined(self, chunk: Chunk, plan: Plan, tiles: Mapping[int, bytes]) -> bytes:
        raw = plan.joined(tiles)
        if plan.whole and plan.request is None:
            self._save(chunk.key, raw)
        return raw


async def _all(work: Mapping[int, Coroutine[Any, Any, bytes]]) -> dict[int, bytes]:
    """Return what each coroutine returns. The first error cancels the others, and so their computations."""
    tasks = [asyncio.ensure_future(one) for one in work.values()]
    try:
        return dict(zip(work, await asyncio.gather(*tasks), strict=True))
    finally:
        for task in tasks:
            task.cancel()


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
