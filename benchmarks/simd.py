"""Shallow tiles against a SIMD program from PyPI, which proves nothing: one thread, CPU time, interleaved medians.

    pip install --no-deps mandelbrot-explorer==0.6.0
    python benchmarks/simd.py [--rounds 7] [--maxiter 255 4095]

mandelbrot-explorer is a C++ library with hand-written vector instructions (AVX-512 where the processor has it), in
float64 without error bounds. 512×512 pixels at the places of `benchmarks/kernels.py`. `wrong`: its counts
that differ from ours, of 262,144. Without the package, ours run alone.
"""

from __future__ import annotations

import argparse
import time
from statistics import geometric_mean, median
from typing import TYPE_CHECKING, Any

import numpy as np
from kernels import SIZE, TILES, tile

from mandeldask.fractal.mandelbrot import Mandelbrot

try:
    import mandelbrot_explorer
except ImportError:
    mandelbrot_explorer = None

if TYPE_CHECKING:
    from collections.abc import Callable

    from mandeldask.fractal.geometry import Grid


def peer(grid: Grid, maxiter: int) -> Callable[[], Any]:
    """Return a function that computes the counts of `grid` with mandelbrot-explorer."""
    context = mandelbrot_explorer.Mandelbrot(SIZE, SIZE, max_iterations=maxiter + 1, threads=1)
    middle = float(grid.re[SIZE // 2]), -float(grid.im[SIZE // 2])  # its imaginary axis points down
    context.set_view(4.0 / float(grid.re.step * SIZE), *middle)
    return lambda: context.render(colors=False, iterations=True) - 1  # it counts c itself


def timed(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def row(name: str, grid: Grid, maxiter: int, rounds: int) -> float | None:
    """Print the times of a tile; return theirs relative to ours."""
    kernel = Mandelbrot(maxiter)
    runs = {"ours": lambda: kernel(grid)["iterations"]}
    if mandelbrot_explorer:
        runs["theirs"] = peer(grid, maxiter)
    counts = {who: run().astype(np.int64) for who, run in runs.items()}
    times = {who: [] for who in runs}
    for _ in range(rounds):
        for who, run in runs.items():
            times[who].append(timed(run))
    ours, *rest = (median(spent) for spent in times.values())
    theirs = " | | "
    if rest:
        theirs = f"{1e3 * rest[0]:.2f} | {ours / rest[0]:.2f} | {(counts['theirs'] != counts['ours']).sum()}"
    print(f"| {name} | {maxiter} | {1e3 * ours:.2f} | {theirs} |", flush=True)
    return ours / rest[0] if rest else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--maxiter", type=int, nargs="+", default=[255, 4095])
    arguments = parser.parse_args()
    if mandelbrot_explorer is None:
        print("mandelbrot-explorer is not installed: pip install --no-deps mandelbrot-explorer==0.6.0\n")
    print("| tile | maxiter | ours, ms | theirs, ms | ours / theirs | wrong, theirs |\n|---|---|---|---|---|---|")
    for maxiter in arguments.maxiter:
        ratios = [row(name, tile(*place), maxiter, arguments.rounds) for name, place in TILES.items()]
        if None not in ratios:
            print(f"| **geometric mean** | {maxiter} | | | **{geometric_mean(ratios):.2f}** | |", flush=True)


if __name__ == "__main__":
    main()
