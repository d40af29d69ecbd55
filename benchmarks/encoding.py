"""What gzip costs for a tile, by zlib and by isal: ``pip install isal``, then ``python benchmarks/encoding.py``.

CPU milliseconds, the best of five, and kilobytes of 512 x 512 pixels: counts, `smooth` in float32, and in steps of 1/32
and 1/64 of an iteration. Without isal, zlib runs alone.
"""

from __future__ import annotations

import gzip
import time
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot

if TYPE_CHECKING:
    from collections.abc import Callable

SEAHORSE = "-0.7436438870371587+0.1318259042053119j"
PLACES = (("-0.65", "3", 255), (SEAHORSE, "1e-5", 2000), (SEAHORSE, "1e-12", 4095))
STEPS = (None, Fraction(1, 32), Fraction(1, 64))


def encoders() -> dict[str, Callable[[bytes], bytes]]:
    """Return what compresses at level 1, by name."""
    found = {"zlib": lambda raw: gzip.compress(raw, 1, mtime=0)}
    if find_spec("isal"):
        igzip = import_module("isal.igzip")
        found["isal"] = lambda raw: igzip.compress(raw, 1, mtime=0)
    return found


def cost(encode: Callable[[bytes], bytes], raw: bytes) -> str:
    """Return milliseconds and kilobytes."""
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        size = len(encode(raw))
        best = min(best, time.process_time() - began)
    return f"{best * 1e3:.1f} ms, {size / 1e3:.0f} kB"


def main() -> None:
    """Print a row for each field of each place."""
    ways = encoders()
    print("| tile | " + " | ".join(ways) + " |\n|" + " --- |" * (len(ways) + 1))
    for center, width, maxiter in PLACES:
        grid = Grid.window(center, width, (512, 512))
        tiles = {"counts": Mandelbrot(maxiter)(grid)["iterations"]}
        for step in STEPS:
            tolerance = () if step is None else (("smooth", step),)
            tiles[f"smooth, {step or 'float32'}"] = Mandelbrot(maxiter, ("smooth",), None, tolerance)(grid)["smooth"]
        for name, values in tiles.items():
            costs = " | ".join(cost(encode, values.tobytes()) for encode in ways.values())
            print(f"| {width} wide, {name} ({values.dtype}) | {costs} |", flush=True)


if __name__ == "__main__":
    main()
