"""Shards: many chunks under one key, with an index of their positions.

https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed/
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise, product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.zarrview.byte_requests import resolved
from mandeldask.zarrview.codecs import Encoder
from mandeldask.zarrview.keys import chunk_grid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zarr.abc.store import ByteRequest

ABSENT = 2**64 - 1
"""Offset and length, in an index, of an absent chunk."""


SHARD_BYTES = 2**26
"""Largest size in bytes of the elements of a shard whose shape is chosen automatically."""


def auto_shards(shape: tuple[int, ...], chunks: tuple[int, ...], itemsize: int) -> tuple[int, ...] | None:
    """Return the shape of shards of up to `SHARD_BYTES`, no longer than the array; None if one chunk fills a shard.

    Examples
    --------
    >>> auto_shards((65536, 65536), (512, 512), 1), auto_shards((1000,), (1000,), 8)
    ((8192, 8192), None)
    """
    factors = [1] * len(shape)
    while True:
        longer = [axis for axis, size in enumerate(shape) if chunks[axis] * factors[axis] < size]
        if not longer or 2 * prod(factors) * prod(chunks) * itemsize > SHARD_BYTES:
            break
        factors[min(longer, key=lambda axis: factors[axis])] *= 2
    shards = tuple(chunk * factor for chunk, factor in zip(chunks, factors, strict=True))
    return None if shards == tuple(chunks) else shards


@dataclass(frozen=True, slots=True)
class Shard:
    """The layout of a shard: its chunks in C order, without those completely outside the array, then the index."""

    counts: tuple[int, ...]
    """Chunks along each dimension of a shard."""
    grid: tuple[int, ...]
    """Chunks along each dimension of the array."""
    index: Encoder
    """Encodes the index."""
    index_first: bool
    """Whether the index comes before the chunks."""

    @classmethod
    def of(cls, codec: Any, shape: tuple[int, ...], shards: tuple[int, ...]) -> Shard:
        """Return the layout of an array of `shape` in shards of the shape `shards`, for zarr's sharding codec."""
        counts = chunk_grid(shards, codec.chunk_shape)
        index = Encoder.of_index(counts, codec.index_codecs)
        location = codec.to_dict()["configuration"]["index_location"]
        return cls(counts, chunk_grid(shape, codec.chunk_shape), index, location == "start")

    def chunks(self, coords: Sequence[int]) -> list[tuple[int, ...] | None]:
        """Return the coordinates of the chunks of a shard, in order; None for each outside the array."""
        starts = [index * count for index, count in zip(coords, self.counts, strict=True)]
        inside = product(*(range(start, start + count) for start, count in zip(starts, self.counts, strict=True)))
        return [
            chunk if all(index < count for index, count in zip(chunk, self.grid, strict=True)) else None
            for chunk in inside
        ]

    def layout(self, lengths: Sequence[int | None]) -> Layout:
        """Return the byte ranges in a shard whose chunks have these lengths in bytes (None: missing)."""
        index_length = self.index.length or 0
        ends = list(accumulate((length or 0 for length in lengths), initial=index_length if self.index_first else 0))
        entries = [
            (ABSENT, ABSENT) if length is None else (offset, length)
            for offset, length in zip(ends, lengths, strict=False)
        ]
        index = self.index.encode(np.array(entries, "<u8").reshape(*self.counts, 2))
        spans = tuple(pairwise(ends))
        return (
            Layout(index, 0, spans, ends[-1])
            if self.index_first
            else Layout(index, ends[-1], spans, ends[-1] + len(index))
        )

    def split(self, raw: bytes) -> list[bytes | None]:
        """Return the chunks in a shard's bytes, in order; raise ValueError if the index is damaged."""
        length = self.index.length or 0
        entries = self.index.decode(raw[:length] if self.index_first else raw[-length:]).reshape(-1, 2).tolist()
        if any(offset + size > len(raw) for offset, size in entries if offset != ABSENT):
            msg = "the index of the shard points beyond its end"
            raise ValueError(msg)
        return [None if offset == ABSENT else raw[offset : offset + size] for offset, size in entries]

    def accepts(self, raw: bytes, encoder: Encoder, coords: Sequence[int]) -> bool:
        """Return whether `raw` is the whole shard at `coords`: index and chunks decode, and none is missing."""
        try:
            chunks = self.split(raw)
        except Exception:  # noqa: BLE001  each codec raises other errors for damaged bytes
            return False
        inside = [chunk for chunk, place in zip(chunks, self.chunks(coords), strict=True) if place is not None]
        return all(chunk is not None and encoder.accepts(chunk) for chunk in inside)


@dataclass(frozen=True, slots=True)
class Layout:
    """The byte ranges in a shard."""

    index: bytes
    """The encoded index."""
    index_start: int
    """Its offset, in bytes."""
    spans: tuple[tuple[int, int], ...]
    """First byte, and the one after the last, of each chunk."""
    length: int
    """Bytes of the whole shard."""

    def needed(self, start: int, stop: int) -> list[int]:
        """Return the numbers of the chunks with bytes from `start` to `stop`."""
        return [place for place, (first, end) in enumerate(self.spans) if max(first, start) < min(end, stop)]

    def joined(self, chunks: Mapping[int, bytes], start: int, stop: int) -> bytes:
        """Return the shard's bytes from `start` to `stop`, given the chunks in them."""
        pieces = [(self.spans[place][0], raw) for place, raw in chunks.items()]
        pieces = sorted([(self.index_start, self.index), *pieces])
        return b"".join(raw[max(0, start - offset) : max(0, stop - offset)] for offset, raw in pieces)


@dataclass(frozen=True, slots=True)
class Plan:
    """The chunks that some bytes of a shard need, and how these bytes are assembled.

    If all chunks have the same length, the layout is known in advance: the index needs no chunk, and a range needs only
    the chunks in it. Otherwise every chunk is needed.
    """

    shard: Shard
    request: ByteRequest | None
    chunks: Mapping[int, tuple[int, ...]]
    """Coordinates of the chunks that are needed, by their place in the shard."""
    lengths: tuple[int | None, ...] | None
    """Lengths of all chunks, if they are known beforehand."""
    whole: bool
    """Whether every chunk of the shard is needed."""

    @classmethod
    def of(cls, shard: Shard, coords: Sequence[int], length: int | None, request: ByteRequest | None) -> Plan:
        """Return the plan for the bytes in `request`; `length` is the length of every chunk, or None if they differ."""
        inside = {place: chunk for place, chunk in enumerate(shard.chunks(coords)) if chunk is not None}
        if length is None:
            return cls(shard, request, inside, None, whole=True)
        lengths = tuple(length if place in inside else None for place in range(prod(shard.counts)))
        layout = shard.layout(lengths)
        needed = layout.needed(*resolved(request, layout.length))
        chunks = {place: inside[place] for place in needed}
        return cls(shard, request, chunks, lengths, whole=len(chunks) == len(inside))

    def joined(self, chunks: Mapping[int, bytes]) -> bytes:
        """Return the requested bytes, given the needed chunks by their place."""
        lengths = self.lengths or [
            len(chunks[place]) if place in chunks else None for place in range(prod(self.shard.counts))
        ]
        layout = self.shard.layout(lengths)
        return layout.joined(chunks, *resolved(self.request, layout.length))
