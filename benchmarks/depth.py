"""What depth costs: ``python benchmarks/depth.py``.

Prints CPU milliseconds of one core for the reference orbit and for the pixels around it, against the digits of the
width and against maxiter: medians of interleaved rounds, and the share of pixels that perturbation left open.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

from mandeldask.fractal.escape.perturbation import orbit_source, prepared_reference
from mandeldask.fractal.escape.perturbation.stage import answer_by_perturbation
from mandeldask.fractal.escape.tile import Tile
from mandeldask.fractal.geometry import Grid

MISIUREWICZ = "-0.10109636384562216102578544573864+0.95628651080914150077109605773165j"
SEAHORSE = "-0.743643887037158704752191506114774+0.131825904205311970493132056385139j"

CASES = {
    **{f"i, 1e-{digits}": ("1j", f"1e-{digits}", 10_000) for digits in (17, 30, 100, 300, 600, 1000)},
    "M(4,1), 1e-24": (MISIUREWICZ, "1e-24", 5_000),
    **{f"seahorse, 1e-12, {maxiter}": (SEAHORSE, "1e-12", maxiter) for maxiter in (4_095, 16_383, 65_535)},
}


def pixels(center: str, width: str, maxiter: int, side: int) -> tuple[float, int]:
    """Return CPU seconds with a warm reference, and the pixels left open."""
    grid = Grid.window(center, width, (side, side))
    answer_by_perturbation(Tile.blank(grid, maxiter))
    tile = Tile.blank(grid, maxiter)
    start = time.thread_time()
    answer_by_perturbation(tile)
    return time.thread_time() - start, tile.open.size


def reference(center: str, width: str, maxiter: int, side: int) -> tuple[float, int, int]:
    """Return CPU seconds of the shared reference, its table included, computed again; its length and its bits."""
    prepared_reference.references.clear()
    orbit_source.orbits.clear()
    start = time.thread_time()
    near = prepared_reference.prepared_reference_for(Grid.window(center, width, (side, side)), maxiter)
    return time.thread_time() - start, len(near.reference), near.reference.bits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=256)
    options = parser.parse_args()
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    found = {}
    for _ in range(options.rounds):
        for name, case in CASES.items():
            spent, length, bits = reference(*case, options.side)
            seconds, left = pixels(*case, options.side)
            rows[name].append((spent, seconds))
            found[name] = f"{length:>9} iterations of {bits:>4} bits, {100 * left / options.side**2:6.3f} % left open"
    print(f"{options.side} x {options.side} pixels; reference and pixels in CPU milliseconds")
    for name, times in rows.items():
        spent, seconds = (1e3 * median(column) for column in zip(*times, strict=True))
        print(f"{name:24} {spent:9.1f} {seconds:9.1f}   {found[name]}")


if __name__ == "__main__":
    main()
