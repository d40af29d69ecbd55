"""What writing costs, next to xarray's `to_zarr`, zarr-python, its pipeline zarrs and ngff-zarr, all in one run.

    python benchmarks/export.py [--tiles 256] [--rounds 3] [--real] [--folder /dev/shm]
    python benchmarks/export.py --plan 1048576

Tiles are 512 x 512 uint8 of a kernel that costs nearly nothing (value = row + col), so that the time is that of
the writing; with --real they are of the Mandelbrot set. Every way writes the same pixels with gzip at level 1. Only
ours flushes every file to the disk and renames it. --plan prints the memory that a process of its own takes until the
first of so many chunks is computed, of a new export and of one that has half of them.
"""

from __future__ import annotations

import argparse
import math
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import ngff_zarr
import numpy as np
import zarr
from zarr.codecs import GzipCodec

import mandeldask as md
from mandeldask.fractal.kernel import About

if TYPE_CHECKING:
    from collections.abc import Callable

TILESIZE = 512


PLAN = """
import resource, sys, tempfile, time
from dataclasses import dataclass
from pathlib import Path
import mandeldask as md
from mandeldask.exports.local_target import LocalTarget
from mandeldask.fractal.kernel import About
import numpy as np

class First(Exception): pass

@dataclass(frozen=True)
class Stops:
    about = About("benchmark", "A benchmark")
    dtypes = {"iterations": np.dtype("u1")}
    attributes = {}
    def select(self, *_): return self
    def __call__(self, grid): raise First
    def __dask_tokenize__(self): return "stops"

def megabytes(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000

levels = -(-((int(sys.argv[1]) - 1).bit_length()) // 2)
side = 2**levels
half = sys.argv[2] == "1"
tree = md.open_pyramid(levels=levels, tilesize=512, kernel=lambda *_: Stops(), chunks=None)
md.export
target = Path(tempfile.mkdtemp()) / "out.zarr"
keys = lambda: (f"c/{row}/{col}" for row in range(side // 2) for col in range(side))
if half:  # one that was stopped: its marks and ledger are real, its files are listed without being there
    try: md.export(tree, target, levels=[0], progress=False)
    except First: pass
    with (target / "0/iterations/.export-one.log").open("w") as ledger:
        ledger.writelines(f"{key} 5 0000002a\\n" for key in keys())
    real = LocalTarget.sizes
    def sizes(self, prefix):
        yield from real(self, prefix)
        if prefix.endswith("iterations"):
            yield from ((key, 5) for key in keys())
    LocalTarget.sizes = sizes
before, began = megabytes(), time.perf_counter()
try: md.export(tree, target, levels=[0], progress=False)
except First: pass
print(f"{side**2} chunks planned, {side**2 // 2 if half else 0} there: {time.perf_counter() - began:.1f} s, "
      f"{megabytes() - before:.0f} MB over the {before:.0f} MB of imports" + " and half an export" * half)
"""


@dataclass(frozen=True)
class Gradient:
    """A kernel whose pixels cost next to nothing."""

    @property
    def about(self) -> About:
        return About("benchmark", "A benchmark")

    @property
    def dtypes(self) -> dict[str, np.dtype[Any]]:
        return {"iterations": np.dtype(np.uint8)}

    @property
    def attributes(self) -> dict[str, dict[str, Any]]:
        return {}

    def select(self, *_fields: str) -> Gradient:
        return self

    def __call__(self, grid: Any) -> dict[str, Any]:
        rows, cols = (np.arange(size, dtype=np.uint8) for size in grid.shape)
        return {"iterations": rows[:, None] + cols}

    def __dask_tokenize__(self) -> str:
        return "gradient"


def main() -> None:
    """Print a table of medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--real", action="store_true", help="tiles of the Mandelbrot set")
    parser.add_argument("--folder", help="where to write; by default where temporary files are")
    parser.add_argument("--plan", type=int, metavar="CHUNKS", help="measure the memory of planning so many chunks")
    arguments = parser.parse_args()
    if arguments.plan:
        for there in ("0", "1"):
            subprocess.run([sys.executable, "-c", PLAN, str(arguments.plan), there], check=True)
        return
    across = math.isqrt(arguments.tiles)
    levels = max(1, (across - 1).bit_length())
    kernel = {} if arguments.real else {"kernel": lambda _pyramid, _level: Gradient()}
    tree = md.open_pyramid(levels=levels, tilesize=TILESIZE, **kernel)
    warnings.simplefilter("ignore")
    ways = ways_of(tree)
    count = (2**levels) ** 2
    spent: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for each in ways.values():
        measured(each, arguments.folder)  # compiles, imports
    for _ in range(arguments.rounds):
        for way, each in ways.items():
            spent[way].append(measured(each, arguments.folder))
    print(f"{count} tiles of {TILESIZE} x {TILESIZE}\n{'':34}{'CPU ms a tile':>14}{'Mpx/s':>8}")
    for way, seconds in spent.items():
        cpu, wall = (median(each) / count for each in zip(*seconds, strict=True))
        print(f"{way:34}{1000 * cpu:14.2f}{TILESIZE**2 / wall / 1e6:8.0f}")


def ways_of(tree: Any) -> dict[str, Callable[[Path], Any]]:
    """Return what writes level 0 of `tree`, by name."""

    def export(**options: Any) -> Callable[[Path], Any]:
        return lambda target: into(tree, target, **options)

    return {
        "mandeldask export": export(),
        "mandeldask export, shards": export(shards=4 * TILESIZE),
        "mandeldask export, zarrs": lambda target: by_zarrs(into, tree, target),
        "mandeldask export, zarrs, shards": lambda target: by_zarrs(into, tree, target, shards=4 * TILESIZE),
        "DataTree.to_zarr": lambda target: to_zarr(tree, target),
        "DataTree.to_zarr, zarrs": lambda target: by_zarrs(to_zarr, tree, target),
        "zarr-python": lambda target: plain(tree, target),
        "zarr-python, zarrs": lambda target: by_zarrs(plain, tree, target),
        "zarr-python, zarrs, shards": lambda target: by_zarrs(plain, tree, target, shards=4 * TILESIZE),
        "ngff-zarr": lambda target: by_ngff_zarr(tree, target),
        "kernel alone": lambda _target: alone(tree),
    }


def measured(way: Callable[[Path], Any], where: str | None) -> tuple[float, float]:
    """Return the CPU seconds, and the seconds, of writing once."""
    folder = tempfile.mkdtemp(dir=where)
    try:
        began = time.process_time(), time.perf_counter()
        way(Path(folder) / "out.zarr")
        return time.process_time() - began[0], time.perf_counter() - began[1]
    finally:
        shutil.rmtree(folder)


def into(tree: Any, target: Path, **options: Any) -> None:
    md.export(tree, target, levels=[0], progress=False, **options)


def to_zarr(tree: Any, target: Path) -> None:
    level = tree["0"].to_dataset().drop_vars(["y", "x"])
    level.to_zarr(target, zarr_format=3, encoding={"iterations": {"compressors": [GzipCodec(level=1)]}})


def plain(tree: Any, target: Path, shards: int | None = None) -> None:
    """Write a row of tiles, or of shards, at a time: what a short script does."""
    pixels = tree["0/iterations"]
    array = zarr.create_array(
        target,
        shape=pixels.shape,
        chunks=(TILESIZE, TILESIZE),
        shards=None if shards is None else (shards, shards),
        dtype=pixels.dtype,
        compressors=GzipCodec(level=1),
    )
    for row in range(0, pixels.shape[0], shards or TILESIZE):
        window = slice(row, row + (shards or TILESIZE))
        array[window] = pixels[window].data.compute()


def by_zarrs(way: Callable[..., None], tree: Any, target: Path, **options: Any) -> None:
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        way(tree, target, **options)


def by_ngff_zarr(tree: Any, target: Path) -> None:
    """Write the level as an image of one scale."""
    image = ngff_zarr.to_ngff_image(tree["0/iterations"].data, dims=["y", "x"])
    scales = ngff_zarr.to_multiscales(image, scale_factors=[], chunks=TILESIZE)
    ngff_zarr.to_ngff_zarr(str(target), scales, version="0.5", compressors=GzipCodec(level=1))


def alone(tree: Any) -> None:
    tree["0/iterations"].data.compute()


if __name__ == "__main__":
    main()
