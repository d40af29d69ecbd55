"""Tiles kept in one file, and each in its own file: ``python benchmarks/cache_file.py``.

Microseconds to write and read a tile, by its size, in interleaved rounds; then the size of all tiles on the disk,
including the log of 4 MB, and the number of files and folders.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from mandeldask.zarrview.cache_file import CacheFile
from mandeldask.zarrview.cache_locations import Folder

if TYPE_CHECKING:
    from mandeldask.zarrview.cache_locations import Location

SIZES = {280: 400, 8_000: 400, 100_000: 100, 1_000_000: 20}
"""Sizes of tiles, and how many of them are written and read in a round."""


def microseconds(place: Location, tiles: dict[str, bytes]) -> tuple[float, float]:
    """Return what it takes to write, and to read, one of `tiles`."""
    began = time.perf_counter()
    for key, tile in tiles.items():
        place.save(key, tile)
    written = time.perf_counter()
    for key, tile in tiles.items():
        assert place.load(key) == tile
    return (written - began) / len(tiles) * 1e6, (time.perf_counter() - written) / len(tiles) * 1e6


def main(rounds: int = 5) -> None:
    """Measure and print."""
    print(f"{'':10}{'':8}{'write µs':>10}{'read µs':>10}{'MB':>10}{'files':>8}")
    for size, count in SIZES.items():
        taken = defaultdict(list)
        with tempfile.TemporaryDirectory() as name:
            places: dict[str, Location] = {
                "files": Folder(Path(name) / "files"),
                "packed": CacheFile(Path(name) / "packed", 2**33).below("v3/tree"),
            }
            for turn in range(rounds):
                tiles = {f"a/c/{turn}/{number}": os.urandom(size) for number in range(count)}
                for kind, place in places.items():
                    taken[kind].append(microseconds(place, tiles))
            for kind, pairs in taken.items():
                inside = list((Path(name) / kind).rglob("*"))
                held = sum(path.lstat().st_blocks * 512 for path in inside if path.is_file()) / 1e6
                write, read = (median(column) for column in zip(*pairs, strict=True))
                print(f"{size:8} B {kind:8}{write:10.0f}{read:10.0f}{held:10.2f}{len(inside):8}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
