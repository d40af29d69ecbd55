"""What an export has to write: the chunks of each array that are not there yet, array by array or side by side."""

from __future__ import annotations

import itertools
import math
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mandeldask.cancellation import current
from mandeldask.exports.record import Record
from mandeldask.zarrview.encoding import encoded
from mandeldask.zarrview.nodes import Changed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from mandeldask.exports.record import Ledger
    from mandeldask.exports.targets import Target
    from mandeldask.zarrview.formats import Format
    from mandeldask.zarrview.stored import Stored

Coords = tuple[int, ...]

Item = tuple[Coords, tuple[int, ...]]
"""Coordinates in a chunk grid, and which of a job's arrays have no chunk there."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One array of an export."""

    path: str
    """Path of the array; '' for the root."""
    stored: Stored
    """The array as the format stores it."""
    format: Format
    """The format."""
    version: Hashable = None
    """Version of a source that may change, as it was when the export began."""

    @property
    def count(self) -> int:
        """Number of chunk keys."""
        return math.prod(self.stored.grid)

    def key(self, coords: Coords) -> str:
        """Return the key of a chunk below the array's path."""
        return self.format.chunk_key(coords)

    def full_key(self, coords: Coords) -> str:
        """Return the key of a chunk in the target."""
        return f"{self.path}/{self.key(coords)}" if self.path else self.key(coords)

    def place(self, key: str) -> int | None:
        """Return the place of a key in the chunk grid, in C order; None if it names no chunk."""
        coords = self.format.parse_chunk_key(key.split("/"), self.stored.grid)
        return None if coords is None else self.place_of(coords)

    def place_of(self, coords: Coords) -> int:
        """Return the place of coordinates in the chunk grid, in C order."""
        place = 0
        for index, count in zip(coords, self.stored.grid, strict=True):
            place = place * count + index
        return place


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch wrote."""

    chunks: int
    """Chunks."""
    size: int
    """Their bytes."""


@dataclass(frozen=True, slots=True)
class Job:
    """Arrays with the same chunk grid, written side by side: fields that one computation answers are asked together."""

    target: Target
    """Where to write."""
    pieces: tuple[Piece, ...]
    """The arrays."""

    def write(self, items: Sequence[Item]) -> Written:
        """Compute, encode and write chunks; runs in any thread or process."""
        worker = f"{socket.gethostname()}-{os.getpid()}"
        ledgers = [Record(self.target, piece.path).ledger(worker) for piece in self.pieces]
        chunks = size = 0
        try:
            for coords, missing in items:
                for index in missing:
                    current().check()
                    size += self._write(self.pieces[index], coords, ledgers[index])
                    chunks += 1
        finally:
            for ledger in ledgers:
                ledger.flush()
        return Written(chunks, size)

    def _write(self, piece: Piece, coords: Coords, ledger: Ledger) -> int:
        content = encoded(piece.stored, coords)
        if piece.stored.array.version is not None and piece.stored.array.version() != piece.version:
            msg = f"the source of {piece.path or '/'} changed while it was written: export it again"
            raise Changed(msg)
        self.target.write(piece.full_key(coords), content)
        ledger.add(piece.key(coords), content)
        return len(content)


@dataclass(frozen=True, slots=True)
class Todo:
    """A job, and which chunks of its arrays are there already."""

    job: Job
    """The arrays."""
    there: tuple[bytearray, ...]
    """For each array, 1 in the place of every chunk that is there."""

    @property
    def missing(self) -> int:
        """Number of chunks that are not there."""
        return sum(len(there) - sum(there) for there in self.there)

    def done(self, item: Item) -> None:
        """Note that the chunks of an item were written."""
        coords, missing = item
        for index in missing:
            self.there[index][self.job.pieces[index].place_of(coords)] = 1

    def items(self, part: tuple[int, int]) -> Iterator[Item]:
        """Yield what is to be written by part k of n, given as (k - 1, n)."""
        which, of = part
        indices = range(len(self.there))
        grid = itertools.product(*map(range, self.job.pieces[0].stored.grid))
        for place, coords in enumerate(grid):
            if place % of == which:
                missing = tuple(index for index in indices if not self.there[index][place])
                if missing:
                    yield coords, missing


def jobs_of(target: Target, pieces: Sequence[Piece]) -> list[Job]:
    """Return the jobs that write `pieces`: siblings with the same chunk grid share one."""
    alike: dict[Any, list[Piece]] = {}
    for piece in pieces:
        parent = piece.path.rpartition("/")[0]
        alike.setdefault((parent, piece.stored.array.shape, piece.stored.chunks), []).append(piece)
    return [Job(target, tuple(together)) for together in alike.values()]
