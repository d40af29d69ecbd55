"""Encode the chunks of an array in the calling thread, without a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mandeldask.cancellation import current
from mandeldask.zarrview.keys import window
from mandeldask.zarrview.shards import Plan

if TYPE_CHECKING:
    from mandeldask.zarrview.stored_array import StoredArray


def encoded_tile(stored: StoredArray, coords: tuple[int, ...]) -> bytes:
    """Return the encoded tile at `coords`: a chunk, or one of the chunks within a shard."""
    span = window(coords, stored.tile, stored.array.shape)
    known = stored.encoded_constant(span)
    if known is not None:
        return known
    block = stored.array.read(span)
    current().check()
    return stored.encode(block, span)


def encoded(stored: StoredArray, coords: tuple[int, ...]) -> bytes:
    """Return the bytes under the chunk key at `coords`: a chunk, or a shard with all of its chunks."""
    if stored.shard is None:
        return encoded_tile(stored, coords)
    plan = Plan.of(stored.shard, coords, stored.encoder.length, None)
    return plan.joined({place: encoded_tile(stored, inside) for place, inside in plan.chunks.items()})
