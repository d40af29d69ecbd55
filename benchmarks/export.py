"""What writing costs: CPU milliseconds a tile, beside xarray's `to_zarr` and plain zarr-python, all in one run.

    python benchmarks/export.py [--tiles 64] [--rounds 3] [--real]

Tiles are 512 x 512 uint8 of a kernel that costs nearly nothing (value = row + col), so that what is left is the
writing; with --real they are of the Mandelbrot set. Every way writes the same pixels with gzip at level 1.
"""

from __future__ import annotations

import argparse
import math
import shutil
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import zarr
from zarr.codecs import GzipCodec

import mandeldask as md

TILESIZE = 512


@dataclass(frozen=True)
class Gradient:
    """A kernel whose pixels cost next to nothing."""

    @property
    def dtypes(self) -> dict[str, np.dtype[Any]]:
        return {"iterations": np.dtype(np.uint8)}

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
    parser.add_argument("--real", action="store_true")
    arguments = parser.parse_args()
    across = math.isqrt(arguments.tiles)
    levels = max(1, (across - 1).bit_length())
    kernel = {} if arguments.real else {"kernel": lambda _pyramid, _level: Gradient()}
    tree = md.open_pyramid(levels=levels, tilesize=TILESIZE, **kernel)
    warnings.simplefilter("ignore")
    ways = {
        "mandeldask export": lambda target: md.export(tree, target, levels=[0], progress=False),
        "mandeldask export, shards": lambda target: md.export(
            tree, target, levels=[0], shards=4 * TILESIZE, progress=False
        ),
        "DataTree.to_zarr": lambda target: to_zarr(tree, target),
        "zarr-python": lambda target: plain(tree, target),
        "kernel alone": lambda _target: alone(tree),
    }
    count = (2**levels) ** 2
    spent: dict[str, list[float]] = {way: [] for way in ways}
    for each in ways.values():
        measured(each)  # compiles, imports
    for _ in range(arguments.rounds):
        for way, each in ways.items():
            spent[way].append(measured(each) / count)
    print(f"{count} tiles of {TILESIZE} x {TILESIZE}\n{'':28}{'CPU ms a tile':>14}{'Mpx/s a core':>14}")
    for way, seconds in spent.items():
        each = median(seconds)
        print(f"{way:28}{1000 * each:14.2f}{TILESIZE**2 / each / 1e6:14.0f}")


def measured(way: Any) -> float:
    """Return CPU seconds of writing once."""
    folder = tempfile.mkdtemp()
    try:
        began = time.process_time()
        way(Path(folder) / "out.zarr")
        return time.process_time() - began
    finally:
        shutil.rmtree(folder)


def to_zarr(tree: Any, target: Path) -> None:
    level = tree["0"].to_dataset().drop_vars(["y", "x"])
    level.to_zarr(target, zarr_format=3, encoding={"iterations": {"compressors": [GzipCodec(level=1)]}})


def plain(tree: Any, target: Path) -> None:
    pixels = tree["0/iterations"]
    array = zarr.create_array(
        target, shape=pixels.shape, chunks=(TILESIZE, TILESIZE), dtype=pixels.dtype, compressors=GzipCodec(level=1)
    )
    for row in range(0, pixels.shape[0], TILESIZE):
        window = slice(row, row + TILESIZE)
        array[window] = pixels[window].data.compute(scheduler="synchronous")


def alone(tree: Any) -> None:
    tree["0/iterations"].data.compute()


if __name__ == "__main__":
    main()
