"""Time to answer 512×512 tiles exactly, against the notebook's kernel and plain C: one core, thread CPU time, medians.

    python benchmarks/kernels.py [--rounds 5] [--maxiter 255 4095] [--fields] [--sizes]

Runs are interleaved, so that a busy machine slows all of them alike. The two others are float64 and uncertified:
`wrong` counts the notebook's wrong pixels. Peak: the C program's own multiply-add loop, at 3 for an iteration; an
iteration that was proved instead of computed counts too, so that the share may pass 100 %. `--sizes` prints what larger
tiles cost, relative to the tiles of 512×512 that they consist of.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from statistics import geometric_mean, median
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.pyramid import Pyramid

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 512
SEAHORSE = ("-0.7436438870371587", "0.13182590420531197")
ANTENNA = ("-1.7687788000474986", "0.0017389099501")
TILES = {
    "overview 49": (49, ("-0.5", "0.5")),
    "overview 48": (48, ("-0.5", "0.5")),
    **{f"seahorse {level}": (level, SEAHORSE) for level in (25, 28, 30, 34, 38, 43)},
    **{f"antenna {level}": (level, ANTENNA) for level in (18, 26, 36)},
    **{f"i {level}": (level, ("0", "1")) for level in (0, 10, 30)},
    "cardioid's edge": (45, ("0.25", "0.001")),
    "interior": (45, ("-0.1", "0.1")),
    "exterior 30": (30, ("-0.75", "0.02")),
    "exterior 45": (45, ("0.5", "0.75")),
}

SIZES = [(1024, 1024), (1025, 1024), (2048, 2048)]
PLACES = {
    "overview": ("-0.5", "4", 255),
    "seahorse valley, 1e-2": ("-0.75+0.1j", "1e-2", 1000),
    "1e-12": ("-0.743643887037158704752+0.131825904205311970493j", "1e-12", 4095),
    "i, 1e-30": ("1j", "1e-30", 4095),
    "i, 1e-300": ("1j", "1e-300", 4095),
}
"""Centre, width of a tile of 2048 pixels, and maxiter."""


@numba.njit(nogil=True)
def notebook(  # noqa: PLR0913, PLR0917  as the notebook has them
    counts: Any, re: float, im: float, step_re: float, step_im: float, maxiter: int
) -> None:
    """The loop of the notebook, positions and all."""
    cimag = im
    for row in range(SIZE):
        creal = re
        for col in range(SIZE):
            x, y, n = creal, cimag, 0
            while n < maxiter:
                xx, yy = x * x, y * y
                if xx + yy > 4.0:
                    break
                y = 2.0 * x * y + cimag
                x = xx - yy + creal
                n += 1
            counts[row, col] = n
            creal += step_re
        cimag += step_im


def tile(level: int, point: tuple[str, str]) -> Grid:
    grid = Pyramid().grid(level)
    axes = zip((grid.im, grid.re), reversed(point), strict=True)
    rows, cols = (slice(at := int(axis.index(Fraction(p))) // SIZE * SIZE, at + SIZE) for axis, p in axes)
    return grid[rows, cols]


def compiled(folder: str) -> ctypes.CDLL:
    library = Path(folder, "plain.so")
    source = Path(__file__).with_name("plain.c")
    subprocess.run(["gcc", "-O3", "-march=native", "-shared", "-fPIC", "-o", library, source, "-lm"], check=True)
    plain = ctypes.CDLL(str(library))
    plain.peak.restype = ctypes.c_double
    plain.fill.argtypes = [ctypes.c_void_p, *[ctypes.c_double] * 4, ctypes.c_long, ctypes.c_long]
    return plain


def timed(run: Callable[[], object]) -> float:
    start = time.thread_time()
    run()
    return time.thread_time() - start


def row(  # noqa: PLR0913, PLR0917
    name: str, grid: Grid, maxiter: int, plain: ctypes.CDLL, peak: float, rounds: int
) -> float:
    counts = np.zeros((SIZE, SIZE), np.uint32)
    corner = float(grid.re.start), float(grid.im.start), float(grid.re.step), float(grid.im.step)
    kernel = Mandelbrot(maxiter)
    runs = {
        "ours": lambda: kernel(grid),
        "notebook": lambda: notebook(counts, *corner, maxiter),
        "C": lambda: plain.fill(counts.ctypes.data, *corner, SIZE, maxiter),
    }
    exact = kernel(grid)["iterations"]
    times = {name: [] for name in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            times[key].append(timed(run))
    runs["notebook"]()
    seconds = {key: median(values) for key, values in times.items()}
    rate = float(exact.sum(dtype=np.int64)) / seconds["ours"]
    stages = ", ".join(f"{k} {100 * n / SIZE**2:.3g} %" for k, n in kernel.report(grid).items() if n)
    ratio = seconds["notebook"] / seconds["ours"]
    print(
        f"| {name} | {maxiter} | {1e3 * seconds['ours']:.2f} | {1e3 * seconds['notebook']:.1f} | {ratio:.1f} "
        f"| {seconds['C'] / seconds['ours']:.1f} | {rate / 1e9:.2f} | {300 * rate / peak:.0f} % "
        f"| {int((counts != exact).sum())} | {stages} |",
        flush=True,
    )
    return ratio


def fields_row(name: str, grid: Grid, maxiter: int, rounds: int) -> None:
    """Print what smooth and distance cost relative to counts alone."""
    kernels = [Mandelbrot(maxiter, fields) for fields in (("iterations",), ("smooth",), ("distance",))]
    times = [[] for _ in kernels]
    for _ in range(rounds + 1):
        for kernel, spent in zip(kernels, times, strict=True):
            spent.append(timed(lambda kernel=kernel: kernel(grid)))
    counts, smooth, distance = (median(spent[1:]) for spent in times)
    print(f"| {name} | {maxiter} | {1e3 * counts:.1f} | {smooth / counts:.2f} | {distance / counts:.2f} |", flush=True)


def size_row(name: str, fields: tuple[str, ...], rounds: int) -> None:
    """Print seconds a pixel of larger tiles, relative to their parts of 512×512."""
    center, width, maxiter = PLACES[name]
    whole, kernel = Grid.window(center, width, (max(SIZES)[0],) * 2), Mandelbrot(maxiter, fields)
    kernel(whole)
    ratios = [[] for _ in SIZES]
    for _ in range(rounds):
        for (height, breadth), ratio in zip(SIZES, ratios, strict=True):
            corners = [(y, x) for y in range(0, height - SIZE + 1, SIZE) for x in range(0, breadth - SIZE + 1, SIZE)]
            parts = [whole[y : y + SIZE, x : x + SIZE] for y, x in corners]
            grid = whole[:height, :breadth]
            at_once = timed(lambda grid=grid: kernel(grid)) / (height * breadth)
            ratio.append(at_once * len(parts) * SIZE**2 / sum(timed(lambda part=part: kernel(part)) for part in parts))
    row = " | ".join(f"{median(ratio):.2f}" for ratio in ratios)
    print(f"| {name} | {', '.join(fields)} | {row} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--maxiter", type=int, nargs="+", default=[255, 4095])
    parser.add_argument("--fields", action="store_true", help="cost of the fields instead")
    parser.add_argument("--sizes", action="store_true", help="cost of larger tiles instead")
    arguments = parser.parse_args()
    if arguments.sizes:
        print(
            "| place | fields |",
            " | ".join(f"{height}×{breadth}" for height, breadth in SIZES),
            "|\n|---|---|---|---|---|",
        )
        for name in PLACES:
            for fields in (("iterations",), ("iterations", "smooth", "distance")):
                size_row(name, fields, arguments.rounds)
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = compiled(folder)
        if arguments.fields:
            print("| tile | maxiter | counts, ms | smooth / counts | distance / counts |\n|---|---|---|---|---|")
            for maxiter in arguments.maxiter:
                for name, place in TILES.items():
                    fields_row(name, tile(*place), maxiter, arguments.rounds)
            return
        peak = plain.peak()
        print(f"peak: {peak / 1e9:.1f} G multiply-adds/s: at 3 for z^2 + c, {peak / 3e9:.1f} G iterations/s\n")
        columns = "tile, maxiter, ours ms, notebook ms, × notebook, × C, G iterations/s, of peak, wrong, answered by"
        print(f"| {columns.replace(', ', ' | ')} |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        for maxiter in arguments.maxiter:
            ratios = [row(name, tile(*place), maxiter, plain, peak, arguments.rounds) for name, place in TILES.items()]
            print(f"| **geometric mean** | {maxiter} | | | **{geometric_mean(ratios):.1f}** | | | | | |", flush=True)


if __name__ == "__main__":
    main()
