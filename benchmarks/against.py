"""Is a checkout slower than another? ``python benchmarks/against.py OLD NEW [--rounds 7]``: two checkouts' folders.

Times tiles by two processes that take turns, in CPU seconds, and prints the ratio new / old of the least
times, for each kind of tile and as a geometric mean.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from math import prod
from pathlib import Path

CHILD = """
import json, sys, time
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
cases = json.loads(sys.argv[1])
tiles = {name: (Mandelbrot(maxiter, tuple(fields)), Grid.window(center, width, (side, side)))
         for name, (center, width, side, maxiter, fields) in cases.items()}
for kernel, grid in tiles.values():
    kernel(grid)
print("ready", flush=True)
for line in sys.stdin:
    kernel, grid = tiles[line.strip()]
    start = time.process_time()
    kernel(grid)
    print(time.process_time() - start, flush=True)
"""

COUNTS, FIELDS = ["iterations"], ["iterations", "smooth", "distance"]
SEAHORSE = "-0.743643887037158704752191506114774+0.131825904205311970493132056385139j"
CASES = {
    "overview": ("-0.5", "4", 512, 255, COUNTS),
    "overview, fields": ("-0.5", "4", 512, 255, FIELDS),
    "seahorse valley": ("-0.75+0.1j", "1e-2", 512, 4095, COUNTS),
    "seahorse valley, fields": ("-0.75+0.1j", "1e-2", 256, 4095, FIELDS),
    "exterior, fields": ("0.5+0.5j", "0.2", 512, 255, FIELDS),
    "1e-12": (SEAHORSE, "1e-12", 256, 4095, COUNTS),
    "1e-16": (SEAHORSE, "1e-16", 128, 4095, COUNTS),
    "1e-22": (SEAHORSE, "1e-22", 256, 8000, COUNTS),
    "1e-22, fields": (SEAHORSE, "1e-22", 128, 8000, FIELDS),
    "1e-300": ("1j", "1e-300", 256, 5000, COUNTS),
}


def child(folder: Path, cache: str) -> subprocess.Popen[str]:
    """Start a process that times tiles of a checkout, once they are compiled."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": cache}
    command = [sys.executable, "-P", "-c", CHILD, json.dumps(CASES)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, cwd="/", **pipes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sides = [child(path.resolve(), f"{folder}/{i}") for i, path in enumerate((options.old, options.new))]
        for side in sides:
            side.stdout.readline()
        ratios = []
        for name in CASES:
            times = [[], []]
            for k in range(2 * options.rounds):
                i = (k + k // 2) % 2  # old new new old old ...
                sides[i].stdin.write(f"{name}\n")
                sides[i].stdin.flush()
                times[i].append(float(sides[i].stdout.readline()))
            old, new = (min(one) for one in times)
            ratios.append(new / old)
            print(f"{name:26}{1e3 * old:9.2f} ms{1e3 * new:9.2f} ms{new / old:7.3f}", flush=True)
        print(f"geometric mean {prod(ratios) ** (1 / len(ratios)):.3f}")
        for side in sides:
            side.stdin.close()
            side.wait()


if __name__ == "__main__":
    main()
