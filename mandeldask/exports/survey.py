"""What of an array is in a target, in a few bytes for each chunk: a million chunks take some 20 MB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.exports.record import Record, is_ledger

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.exports.jobs import PlannedArray
    from mandeldask.exports.targets import Target

ABSENT, UNKNOWN = -1, -2
"""In the place of a size: there is no such chunk, or nothing says how long it is."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The chunks of an array that are there, and those that ledgers know, by flat index in the chunk grid."""

    sizes: NDArray[np.int64]
    """Bytes of each chunk that is there; UNKNOWN where the target gives none, ABSENT where there is no chunk."""
    lengths: NDArray[np.int64]
    """Bytes that were written, as the ledgers say; UNKNOWN where none does."""
    checksums: NDArray[np.uint32]
    """CRC-32 of these bytes."""

    def expected(self, flat: int) -> tuple[int, int] | None:
        """Return bytes and CRC-32 that were written of a chunk; None if no ledger knows."""
        length = int(self.lengths[flat])
        return None if length == UNKNOWN else (length, int(self.checksums[flat]))

    def size(self, flat: int) -> int | None:
        """Return the bytes of a chunk that is there; None where the target gives no sizes."""
        size = int(self.sizes[flat])
        return None if size == UNKNOWN else size


def survey(target: Target, planned: PlannedArray) -> Survey:
    """Return what is there of an array: one walk through its keys, and one through each ledger."""
    sizes = np.full(planned.count, ABSENT, np.int64)
    ledgers = []
    for key, size in target.sizes(planned.path):
        if is_ledger(key):
            ledgers.append(key)
            continue
        flat = planned.flat_index(key)
        if flat is not None:
            sizes[flat] = UNKNOWN if size is None else size
    lengths, checksums = np.full(planned.count, UNKNOWN, np.int64), np.zeros(planned.count, np.uint32)
    for ledger in ledgers:
        for key, length, checksum in Record(target, planned.path).written(ledger):
            flat = planned.flat_index(key)
            if flat is not None:
                lengths[flat], checksums[flat] = length, checksum
    return Survey(sizes, lengths, checksums)
