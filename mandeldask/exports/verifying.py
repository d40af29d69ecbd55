"""Verification that a written Zarr store is complete, undamaged, and equal to its source."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

from mandeldask.exports.present import decodes
from mandeldask.exports.survey import ABSENT, survey
from mandeldask.zarrview.encoding import encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mandeldask.exports.jobs import Coords, PlannedArray
    from mandeldask.exports.targets import Target

Fault = Literal["missing", "damaged", "different"]
"""The error of a chunk: it does not exist; it is truncated or does not decode; its elements differ from the source."""

SEED = 0
"""Seed of the random sample: it selects the same chunks each time."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of a verification."""

    chunks: int
    """Number of chunks of the arrays."""
    compared: int
    """Chunks whose elements were compared with the source's."""
    faults: tuple[tuple[str, Fault], ...]
    """Keys of the bad chunks, each with its error."""

    @property
    def ok(self) -> bool:
        """Whether there are no faults."""
        return not self.faults


def verify_arrays(
    target: Target, arrays: Sequence[PlannedArray], *, sample: int | None, report: Callable[[int, int], None]
) -> Verified:
    """Check every chunk of `arrays`.

    Parameters
    ----------
    target : Target
        The target with the chunks.
    arrays : sequence of PlannedArray
        The arrays, with their sources.
    sample : int or None
        Chunks of each array that are computed and compared; None for all.
    report : callable
        Called with (chunks done, chunks in all).
    """
    total = sum(planned.count for planned in arrays)
    faults: list[tuple[str, Fault]] = []
    done = compared = 0
    for planned in arrays:
        found = survey(target, planned)
        chosen = _chosen(planned, sample)
        for flat, coords in enumerate(product(*map(range, planned.stored.grid))):
            fault: Fault | None = "missing"
            if found.sizes[flat] != ABSENT:
                size, expected = found.size(flat), found.expected(flat)
                cut = size is not None and expected is not None and size != expected[0]
                fault = "damaged" if cut else _fault(target, planned, coords, expected, compare=flat in chosen)
                compared += flat in chosen and fault in {None, "different"}
            if fault:
                faults.append((planned.full_key(coords), fault))
            done += 1
            report(done, total)
    return Verified(total, compared, tuple(faults))


def _chosen(planned: PlannedArray, sample: int | None) -> frozenset[int] | range:
    """Return the flat indices of the chunks that are compared with the source."""
    if sample is None or sample >= planned.count:
        return range(planned.count)
    return frozenset(random.Random(SEED).sample(range(planned.count), sample))


def _fault(
    target: Target, planned: PlannedArray, coords: Coords, expected: tuple[int, int] | None, *, compare: bool
) -> Fault | None:
    """Return the error of an existing chunk, or None; its size was checked before, if known."""
    raw = target.read(planned.full_key(coords))
    if raw is None:
        return "missing"
    if expected is not None and zlib.crc32(raw) != expected[1]:
        return "damaged"
    if not decodes(target, planned, planned.key(coords)):
        return "damaged"
    if compare and not _same(raw, encoded(planned.stored, coords), planned, coords):
        return "different"
    return None


def _same(raw: bytes, source: bytes, planned: PlannedArray, coords: Coords) -> bool:
    """Return whether two encodings have the same elements; different versions of a codec may write different bytes."""
    if raw == source:
        return True
    pairs = zip(_tiles(raw, planned, coords), _tiles(source, planned, coords), strict=True)
    decode = planned.stored.encoder.decode
    return all(decode(one).tobytes() == decode(other).tobytes() for one, other in pairs)


def _tiles(raw: bytes, planned: PlannedArray, coords: Coords) -> Iterator[bytes]:
    """Yield the encoded tiles of a chunk: the chunk itself, or the tiles of a shard."""
    shard = planned.stored.shard
    if shard is None:
        yield raw
        return
    for tile, inside in zip(shard.split(raw), shard.chunks(coords), strict=True):
        if inside is not None:
            yield tile or b""
