"""Persistent cache of the states of image levels, for all formats and codecs."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numcodecs import Blosc

from mandeldask.zarrview.cache_file import FOLDER_BYTES, CacheFile
from mandeldask.zarrview.identity import digest, is_lasting
from mandeldask.zarrview.persistent_cache import PersistentCache

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mandeldask.images.halving import Halvings

State = tuple["NDArray[Any]", ...]

CONTENT = "levels of images, 1"
"""Identifies such a cache; it contains the version of the format."""


def levels_cache_in(file: CacheFile) -> PersistentCache:
    """Return the cache of levels in a file of tiles."""
    return PersistentCache(file.below("levels"), CONTENT, ())


def levels_cache_in_folder(folder: str | os.PathLike[str]) -> PersistentCache:
    """Return the cache of levels in a folder, which a server with this cache folder uses too.

    It has the default size.
    """
    return levels_cache_in(CacheFile(Path(folder).expanduser(), FOLDER_BYTES))


def with_storage(halvings: Halvings, persistent: PersistentCache | None) -> Halvings:
    """Return halvings that store the states of tiles; unchanged if other processes cannot identify their source."""
    source = halvings.source
    if persistent is None or not is_lasting(source.fingerprint):
        return halvings
    made = halvings.levels.method, halvings.tiling
    identity = digest(CONTENT, source.fingerprint, source.dtype, repr(source.missing), *made)
    return halvings.stored_in(LevelStorage(persistent, identity))


@dataclass(frozen=True, slots=True)
class LevelStorage:
    """Stores the states of one image's tiles in a persistent cache."""

    persistent: PersistentCache
    """The cache."""
    identity: str
    """Identity of the image and of the method of its levels: equal only if every state is equal."""

    def load(self, key: str) -> State | None:
        """Return the state under `key`; None if there is none, or if it is damaged."""
        raw = self.persistent.load(f"{self.identity}/{key}")
        return None if raw is None else as_state(raw)

    def save(self, key: str, state: State) -> None:
        """Store a state, unless the cache fails."""
        self.persistent.save(f"{self.identity}/{key}", as_bytes(state))


def as_bytes(state: State) -> bytes:
    """Return a state as bytes: a line that describes the data, and the compressed data.

    Examples
    --------
    >>> state = np.arange(6.0).reshape(2, 3), np.broadcast_to(np.uint8(4), (2, 3))
    >>> again = as_state(as_bytes(state))
    >>> all(np.array_equal(*pair) for pair in zip(state, again))
    True
    """
    words = [_one(each) if _is_uniform(each) else np.ascontiguousarray(each) for each in state]
    parts = [bytes(Blosc("zstd", 1, Blosc.SHUFFLE).encode(each)) if each.size > 1 else each.tobytes() for each in words]
    layout = [[each.dtype.str, each.shape, len(part)] for each, part in zip(words, parts, strict=True)]
    body = b"".join(parts)
    head = {"shape": state[0].shape, "words": layout, "crc32": zlib.crc32(body)}
    return json.dumps(head).encode() + b"\n" + body


def as_state(raw: bytes) -> State | None:
    """Return the state in `raw`; None if it is damaged."""
    line, _, body = raw.partition(b"\n")
    try:
        head = json.loads(line)
        if zlib.crc32(body) != head["crc32"]:
            return None
        return tuple(_words(head, body))
    except (ValueError, KeyError, TypeError, RuntimeError):
        return None


def _words(head: dict[str, Any], body: bytes) -> Iterator[NDArray[Any]]:
    at, shape = 0, tuple(head["shape"])
    for dtype, own, length in head["words"]:
        part = body[at : at + length]
        at += length
        raw = part if prod(own) <= 1 else Blosc().decode(part)
        yield np.broadcast_to(np.frombuffer(raw, dtype).reshape(own), shape)


def _is_uniform(words: NDArray[Any]) -> bool:
    return words.size > 1 and not any(words.strides)


def _one(words: NDArray[Any]) -> NDArray[Any]:
    return words[(slice(0, 1),) * words.ndim].copy()
