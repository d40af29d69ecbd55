"""What the Zarr view adds to reading a node: ``python benchmarks/zarrview.py``.

Every round times each case once, one after another, so that a busy machine slows all of them alike; medians of thread
CPU time are printed. The source's read is the cheapest there can be (a slice of an array in memory), so that the
rest of the time is the view's.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import time
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from zarr.core.buffer import default_buffer_prototype

from mandeldask.zarrview.cache import TileCache
from mandeldask.zarrview.formats import V2, V3
from mandeldask.zarrview.nodes import Array
from mandeldask.zarrview.store import to_store

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

SIDE = 512
TILES = 8


def source() -> Array:
    """Return an array of tiles that gzip finds about as hard as tiles of the set."""
    rows, cols = np.ogrid[: SIDE * TILES, : SIDE * TILES]
    pixels = ((rows // 16) ^ (cols // 16)).astype("u1")
    return Array(pixels.shape, pixels.dtype, pixels.__getitem__, (SIDE, SIDE), ("y", "x"), fingerprint="benchmark")


def timed(work: Callable[[], object]) -> float:
    """Return milliseconds of CPU time of this process, all threads, that `work` takes."""
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1e3


def per_chunk(rounds: int) -> dict[str, float]:
    """Return the median cost of one 512² uint8 chunk, in milliseconds, by case."""
    node = source()
    window = (slice(SIDE, 2 * SIDE), slice(SIDE, 2 * SIDE))
    raw = to_store(node, compressors=None, cache=TileCache(0))
    packed = to_store(node, cache=TileCache(0))
    cached = to_store(node)
    encoder = packed.view.find("c/1/1").stored.encoder
    plain = raw.view.find("c/1/1").stored.encoder
    block = np.ascontiguousarray(node.read(window))
    loop = asyncio.new_event_loop()
    prototype = default_buffer_prototype()

    def get(store: object) -> object:
        return loop.run_until_complete(store.get("c/1/1", prototype))

    cases = {
        "node.read": lambda: node.read(window).copy(),
        "encoder.encode (raw)": lambda: plain.encode(block),
        "encoder.encode (gzip 1)": lambda: encoder.encode(block),
        "store.get_sync, cached": lambda: cached.get_sync("c/1/1"),
        "await store.get, cached": lambda: get(cached),
        "store.get_sync, computed, raw": lambda: raw.get_sync("c/1/1"),
        "await store.get, computed, raw": lambda: get(raw),
        "store.get_sync, computed, gzip 1": lambda: packed.get_sync("c/1/1"),
        "await store.get, computed, gzip 1": lambda: get(packed),
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    for work in cases.values():
        work()
    for _ in range(rounds):
        for name, work in cases.items():
            times[name].append(timed(work))
    loop.close()
    costs = {name: median(taken) for name, taken in times.items()}
    for codec in ("raw", "gzip 1"):  # differences within a round: a busy machine slows its parts alike
        parts = zip(
            times[f"await store.get, computed, {codec}"],
            times["node.read"],
            times[f"encoder.encode ({codec})"],
            strict=True,
        )
        costs[f"added to read and encode, {codec}"] = median(whole - read - encode for whole, read, encode in parts)
    return costs


def deep_tree(levels: int = 50) -> xr.DataTree:
    """Return a pyramid of lazily indexed levels: mandeldask's own, which is what will be served."""
    from mandeldask.lazy.tree import open_pyramid

    return open_pyramid(levels, chunks=None)


def building(rounds: int) -> dict[str, float]:
    """Return the median milliseconds to build a store over 50 levels, and to write its consolidated metadata too."""
    tree = deep_tree()
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        for form in (V2(), V3()):
            key = ".zmetadata" if form.number == 2 else "zarr.json"
            built = []
            times.setdefault(f"store over 50 levels, v{form.number}", []).append(
                timed(lambda number=form.number, built=built: built.append(to_store(tree, number)))
            )
            times.setdefault(f"consolidated metadata, v{form.number}", []).append(
                timed(lambda key=key, built=built: built[0].get_sync(key))
            )
    return {name: median(taken) for name, taken in times.items()}


def growth(reads: int) -> float:
    """Return by how many MiB the process grows over `reads` reads of different chunks, once its cache is full."""
    node = Array((2**59, 2**59), np.dtype("u1"), lambda _: np.zeros((8, 8), "u1"), (8, 8), fingerprint="growth")
    store = to_store(node, compressors=None, cache=TileCache(2**22))
    for index in range(reads // 10):
        store.get_sync(f"c/{index}/0")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for index in range(reads):
        store.get_sync(f"c/{index}/1")
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    """Print the costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--reads", type=int, default=100_000)
    arguments = parser.parse_args()
    costs = per_chunk(arguments.rounds)
    for name, milliseconds in costs.items():
        print(f"{name:36}{milliseconds:8.3f} ms")
    for name, milliseconds in building(max(3, arguments.rounds // 20)).items():
        print(f"{name:36}{milliseconds:8.3f} ms")
    print(f"{f'growth over {arguments.reads} reads':36}{growth(arguments.reads):8.3f} MiB")


if __name__ == "__main__":
    main()
