"""Hunt for a wrong pixel: random places, levels, depths and maxiter, checked by flint; stop at the first mismatch.

Run as ``python benchmarks/hunt.py --minutes 30 --seed 1``, with ``--deep`` for windows 1e-13 to 1e-80 wide. Prints the
mismatch so that it can be made a test, or the number of checked pixels and the share that each stage answered.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fractal.oracle import wrong_pixels
from fractal.places import PLACES
from fractal.published import M_4_1, W22
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.rationals import as_point

DEEP = [(M_4_1, 80), (("0", "1"), 80), (("-2", "0"), 80), (W22, 25), (as_point(PLACES["seahorse"]), 31)]
"""Boundary points, and to how many digits they are."""
SIZE = 48
JUDGED = 6


def random_window(rng: np.random.Generator) -> Grid:
    """Return a small window near a boundary point, 1e-0.5 to 1e-22 wide, moved by up to its width or a boundary's."""
    return near(as_point(PLACES[str(rng.choice(sorted(PLACES)))]), rng.uniform(0.5, 22), [0, 1, 1, 100], rng)


def deep_window(rng: np.random.Generator) -> Grid:
    """Return a small window next to a boundary point that is known to more digits than the window shows."""
    center, digits = DEEP[rng.integers(len(DEEP))]
    return near(center, rng.uniform(13, digits), [0, 0.3, 1], rng)


def near(center: tuple, digits: float, shares: list[float], rng: np.random.Generator) -> Grid:
    """Return a window 10^-digits wide, moved from `center` by up to one of `shares` of that."""
    width = Fraction(10) ** -int(digits) * Fraction(10.0 ** -(digits % 1))
    moved = width * Fraction(float(rng.choice(shares)))
    re, im = (Fraction(part) + moved * Fraction(rng.uniform(-1, 1)) for part in center)
    return Grid.window((re, im), width, (SIZE, SIZE))


def suspects(counts: np.ndarray, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Return pixels whose count differs most from a neighbour's, and some at random."""
    values = counts.astype(np.int64)
    jump = np.abs(np.diff(values, axis=0, prepend=values[:1])) + np.abs(np.diff(values, axis=1, prepend=values[:, :1]))
    ranked = np.lexsort((rng.random(counts.size), -jump.ravel()))[: 4 * JUDGED]
    picked = [*rng.choice(ranked, JUDGED - 2, replace=False), *rng.integers(counts.size, size=2)]
    return [divmod(int(pixel), SIZE) for pixel in picked]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--deep", action="store_true")
    arguments = parser.parse_args()
    window = deep_window if arguments.deep else random_window
    caps = [300, 1000, 5000, 20_000] if arguments.deep else [20, 255, 255, 1000, 4095]
    rng = np.random.default_rng(arguments.seed)
    end = time.monotonic() + 60 * arguments.minutes
    judged, stages = 0, Counter()
    while time.monotonic() < end:
        grid = window(rng)
        maxiter = int(rng.choice(caps))
        kernel = Mandelbrot(maxiter)
        began = time.monotonic()
        counts = kernel(grid)["iterations"]
        if time.monotonic() - began > 5:
            print(f"slow: {time.monotonic() - began:.1f} s for {maxiter=} {grid}", flush=True)
        wrong = wrong_pixels(grid, counts, maxiter, suspects(counts, rng))
        if wrong:
            print(f"WRONG (row, col, given, exact): {wrong}\n{maxiter=}\n{grid}")
            sys.exit(1)
        judged += JUDGED
        stages.update(kernel.report(grid))
    total = sum(stages.values())
    shares = {stage: f"{count / total:.2%}" for stage, count in stages.items()}
    print(f"{judged} pixels of {total} judged, none wrong; answered by {shares}")


if __name__ == "__main__":
    main()
