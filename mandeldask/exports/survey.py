"""Survey of the chunks of an array in a target, in a few bytes per chunk: about 20 MB for a million chunks."""

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
"""Special sizes: there is no such chunk, or its size is unknown."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The existing chunks of an array, and the chunks in its ledgers, by flat index in the chunk grid."""

    sizes: NDArray[np.int64]
    """Size of each existing chunk in bytes; UNKNOWN if the target gives no sizes, ABSENT if there is no chunk."""
    lengths: NDArray[np.int64]
    """Number of bytes written, from the ledgers; UNKNOWN if no ledger has the chunk."""
    checksums: NDArray[np.uint32]
    """CRC-32 of these bytes."""

    def expected(self, flat: int) -> tuple[int, int] | None:
        """Return the size and CRC-32 of a chunk as it was written; None if no ledger has the chunk."""
        length = int(self.lengths[flat])
        return None if length == UNKNOWN else (length, int(self.checksums[flat]))

    def size(self, flat: int) -> int | None:
        """Return the size of an existing chunk in bytes; None if the target gives no sizes."""
        size = int(self.sizes[flat])
        return None if size == UNKNOWN else size


def survey(target: Target, planned: PlannedArray) -> Survey:
    """Survey an array: list its keys once, and read each ledger once."""
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
