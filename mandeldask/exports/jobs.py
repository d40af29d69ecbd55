"""The work of an export: the missing chunks of each array, or of several arrays that are computed together."""

from __future__ import annotations

import itertools
import json
import math
import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.cancellation import current
from mandeldask.exports.batch import Batch, Chunk
from mandeldask.exports.record import SOURCE, Mark, Record
from mandeldask.zarrview.encoding import encoded
from mandeldask.zarrview.keys import window
from mandeldask.zarrview.nodes import Changed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from mandeldask.exports.targets import Target
    from mandeldask.zarrview.formats import Format
    from mandeldask.zarrview.stored_array import StoredArray

Coords = tuple[int, ...]

Item = tuple[Coords, tuple[int, ...]]
"""Coordinates in a chunk grid, and the indices of the job's arrays that have no chunk there."""


@dataclass(frozen=True, slots=True)
class PlannedArray:
    """One array of an export."""

    path: str
    """Path of the array; '' for the root."""
    stored: StoredArray
    """The array as the format stores it."""
    format: Format
    """The format."""
    version: Hashable = None
    """Version of a source that can change, at the start of the export."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """The parameters that determine its elements, by name, as JSON values; empty if unknown."""

    @property
    def count(self) -> int:
        """Number of chunk keys."""
        return math.prod(self.stored.grid)

    @property
    def mark(self) -> Mark:
        """The mark of its chunks: their identity, and the facts that it depends on."""
        stored = self.stored
        document = stored.metadata.to_dict()
        encoding = {name: document[name] for name in ("codecs", "compressor", "filters") if name in document}
        facts = {
            "shape": stored.array.shape,
            "dtype": str(stored.array.dtype),
            "chunks": stored.tile,
            "shards": None if stored.shard is None else stored.chunks,
            **encoding,
            SOURCE: dict(self.origin),
        }
        return Mark(stored.content, json.loads(json.dumps(facts, default=str)))

    def key(self, coords: Coords) -> str:
        """Return the key of a chunk below the array's path."""
        return self.format.chunk_key(coords)

    def full_key(self, coords: Coords) -> str:
        """Return the key of a chunk in the target."""
        return f"{self.path}/{self.key(coords)}" if self.path else self.key(coords)

    def flat_index(self, key: str) -> int | None:
        """Return the flat index of a key in the chunk grid, in C order; None if it is not the key of a chunk."""
        coords = self.format.parse_chunk_key(key.split("/"), self.stored.grid)
        return None if coords is None else self.flat_index_of(coords)

    def coords(self, flat: int) -> Coords:
        """Return the coordinates of a flat index."""
        return tuple(map(int, np.unravel_index(flat, self.stored.grid)))

    def flat_index_of(self, coords: Coords) -> int:
        """Return the flat index of coordinates in the chunk grid, in C order."""
        flat = 0
        for index, count in zip(coords, self.stored.grid, strict=True):
            flat = flat * count + index
        return flat


@dataclass(frozen=True, slots=True)
class Written:
    """The amount that a batch wrote."""

    chunks: int
    """Number of chunks."""
    size: int
    """Number of bytes."""
    elements: int
    """Number of elements."""


@dataclass(frozen=True, slots=True)
class Job:
    """Arrays with the same chunk grid, written together: one computation gives the values of several fields."""

    target: Target
    """The target."""
    arrays: tuple[PlannedArray, ...]
    """The arrays."""

    def write(self, items: Sequence[Item]) -> Written:
        """Compute, encode and write chunks; can run in any thread or process."""
        worker = f"{socket.gethostname()}-{os.getpid()}"
        batch = Batch(self.target, [Record(self.target, planned.path).ledger(worker) for planned in self.arrays])
        try:
            for coords, missing in items:
                for index in missing:
                    current().check()
                    batch.add(self._chunk(index, coords))
        finally:
            batch.flush()
        return Written(batch.chunks, batch.size, batch.elements)

    def _chunk(self, index: int, coords: Coords) -> Chunk:
        """Return a chunk; raise Changed if its source has changed since the export began."""
        planned = self.arrays[index]
        content = encoded(planned.stored, coords)
        if planned.stored.array.version is not None and planned.stored.array.version() != planned.version:
            msg = f"the source of {planned.path or '/'} changed while it was being exported: export it again"
            raise Changed(msg)
        stored = planned.stored
        elements = math.prod(each.stop - each.start for each in window(coords, stored.chunks, stored.array.shape))
        return Chunk(index, planned.key(coords), planned.full_key(coords), content, elements)


@dataclass(frozen=True, slots=True)
class PendingJob:
    """A job, and which chunks of its arrays exist already."""

    job: Job
    """The arrays."""
    present: tuple[bytearray, ...]
    """For each array, 1 at the flat index of every chunk that exists."""

    @property
    def missing(self) -> int:
        """Number of missing chunks."""
        return sum(len(there) - sum(there) for there in self.present)

    def done(self, item: Item) -> None:
        """Record that the chunks of an item were written."""
        coords, missing = item
        for index in missing:
            self.present[index][self.job.arrays[index].flat_index_of(coords)] = 1

    def items(self, part: tuple[int, int]) -> Iterator[Item]:
        """Yield the missing chunks in part k of n, given as (k - 1, n)."""
        which, of = part
        indices = range(len(self.present))
        grid = itertools.product(*map(range, self.job.arrays[0].stored.grid))
        for flat, coords in enumerate(grid):
            if flat % of == which:
                missing = tuple(index for index in indices if not self.present[index][flat])
                if missing:
                    yield coords, missing


def jobs_of(target: Target, arrays: Sequence[PlannedArray]) -> list[Job]:
    """Return the jobs that write `arrays`: arrays of one group with the same shape and chunks are in one job."""
    alike: dict[Any, list[PlannedArray]] = {}
    for planned in arrays:
        parent = planned.path.rpartition("/")[0]
        alike.setdefault((parent, planned.stored.array.shape, planned.stored.chunks), []).append(planned)
    return [Job(target, tuple(together)) for together in alike.values()]
