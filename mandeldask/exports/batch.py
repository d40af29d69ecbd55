"""Chunks that are written together, and then noted in the ledgers of their arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mandeldask.exports.record import Ledger
    from mandeldask.exports.targets import Target

MOST, MOST_BYTES = 64, 1 << 24
"""Chunks, and their bytes, that are held before they are written."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk that is not written yet."""

    array: int
    """Which of the arrays it belongs to."""
    key: str
    """Its key below the array's path."""
    full_key: str
    """Its key in the target."""
    content: bytes
    """Its bytes."""
    elements: int
    """How many elements of the array it holds."""


@dataclass(slots=True)
class Batch:
    """Chunks of some arrays on their way to a target."""

    target: Target
    """Where they go."""
    ledgers: Sequence[Ledger]
    """What lists the chunks of each array."""
    chunks: int = 0
    """Chunks written so far."""
    size: int = 0
    """Their bytes."""
    elements: int = 0
    """Their elements."""
    _held: list[Chunk] = field(default_factory=list)

    def add(self, chunk: Chunk) -> None:
        """Add a chunk, and write those that were added if they are many."""
        self._held.append(chunk)
        if len(self._held) >= MOST or sum(len(each.content) for each in self._held) >= MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was added."""
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
