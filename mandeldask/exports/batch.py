"""Batches of chunks: they are written together and then recorded in the ledgers of their arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mandeldask.exports.record import Ledger
    from mandeldask.exports.targets import Target

MOST, MOST_BYTES = 64, 1 << 24
"""Largest number of chunks, and of bytes, in memory before they are written."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk that is not written yet."""

    array: int
    """Index of its array in the job."""
    key: str
    """Its key below the array's path."""
    full_key: str
    """Its key in the target."""
    content: bytes
    """Its bytes."""
    elements: int
    """Number of elements of the array in the chunk."""


@dataclass(slots=True)
class Batch:
    """Chunks of some arrays that are being written to a target."""

    target: Target
    """The target."""
    ledgers: Sequence[Ledger]
    """The ledger of each array."""
    chunks: int = 0
    """Number of chunks written so far."""
    size: int = 0
    """Their size in bytes."""
    elements: int = 0
    """Number of their elements."""
    _held: list[Chunk] = field(default_factory=list)

    def add(self, chunk: Chunk) -> None:
        """Add a chunk; write all added chunks if they exceed a limit."""
        self._held.append(chunk)
        if len(self._held) >= MOST or sum(len(each.content) for each in self._held) >= MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the chunks that were added, and record them."""
        held, self._held = self._held, []
        if not held:
            return
        self.target.write_all({chunk.full_key: chunk.content for chunk in held})
        for chunk in held:
            self.ledgers[chunk.array].add(chunk.key, chunk.content)
        for ledger in self.ledgers:
            ledger.flush()
        self.chunks += len(held)
        self.size += sum(len(chunk.content) for chunk in held)
        self.elements += sum(chunk.elements for chunk in held)
