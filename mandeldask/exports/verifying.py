"""Whether a written Zarr store is complete, undamaged, and equal to its source."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

from mandeldask.exports.present import decodes, is_whole
from mandeldask.exports.record import Record
from mandeldask.zarrview.encoding import encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mandeldask.exports.jobs import Coords, Piece
    from mandeldask.exports.targets import Target

Fault = Literal["missing", "damaged", "different"]
"""What is wrong with a chunk: it is not there; it is cut off or does not decode; its elements are not the source's."""

SEED = 0
"""Of the sample: the same chunks each time."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found."""

    chunks: int
    """Chunks that there should be."""
    compared: int
    """Chunks whose elements were compared with the source's."""
    faults: tuple[tuple[str, Fault], ...]
    """Keys of the chunks that are wrong, and what is wrong with each."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify_pieces(
    target: Target, pieces: Sequence[Piece], *, sample: int | None, report: Callable[[int, int], None]
) -> Verified:
    """Look at every chunk of `pieces`.

    Parameters
    ----------
    target : Target
        Where they are.
    pieces : sequence of Piece
        The arrays, with their sources.
    sample : int or None
        Chunks of each array that are computed and compared; None for all.
    report : callable
        Called with (chunks done, chunks in all).
    """
    total = sum(piece.count for piece in pieces)
    faults: list[tuple[str, Fault]] = []
    done = compared = 0
    for piece in pieces:
        found = dict(target.sizes(piece.path))
        known = Record(target, piece.path).written(found)
        chosen = _chosen(piece, sample)
        for place, coords in enumerate(product(*map(range, piece.stored.grid))):
            key = piece.key(coords)
            fault: Fault | None = "missing"
            if key in found:
                expected = known.get(key)
                whole = is_whole(target, piece, key, found[key], expected[0] if expected else None)
                fault = _fault(target, piece, coords, expected, compare=place in chosen) if whole else "damaged"
                compared += whole and place in chosen
            if fault:
                faults.append((piece.full_key(coords), fault))
            done += 1
            report(done, total)
    return Verified(total, compared, tuple(faults))


def _chosen(piece: Piece, sample: int | None) -> frozenset[int] | range:
    """Return the places of the chunks that are compared with the source."""
    if sample is None or sample >= piece.count:
        return range(piece.count)
    return frozenset(random.Random(SEED).sample(range(piece.count), sample))


def _fault(
    target: Target, piece: Piece, coords: Coords, expected: tuple[int, int] | None, *, compare: bool
) -> Fault | None:
    """Return what is wrong with a chunk that is there, and as long as it should be."""
    raw = target.read(piece.full_key(coords))
    if raw is None:
        return "missing"
    if expected is not None and zlib.crc32(raw) != expected[1]:
        return "damaged"
    if not decodes(target, piece, piece.key(coords)):
        return "damaged"
    if compare and not _same(raw, encoded(piece.stored, coords), piece, coords):
        return "different"
    return None


def _same(raw: bytes, source: bytes, piece: Piece, coords: Coords) -> bool:
    """Return whether two encodings hold the same elements; other versions of a codec may write other bytes."""
    if raw == source:
        return True
    pairs = zip(_tiles(raw, piece, coords), _tiles(source, piece, coords), strict=True)
    decode = piece.stored.encoder.decode
    return all(decode(one).tobytes() == decode(other).tobytes() for one, other in pairs)


def _tiles(raw: bytes, piece: Piece, coords: Coords) -> Iterator[bytes]:
    """Yield the encoded tiles of a chunk: itself, or those of a shard."""
    shard = piece.stored.shard
    if shard is None:
        yield raw
        return
    for tile, inside in zip(shard.split(raw), shard.chunks(coords), strict=True):
        if inside is not None:
            yield tile or b""
