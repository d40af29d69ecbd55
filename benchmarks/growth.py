"""How the cost of depth grows: ``python benchmarks/growth.py growth.svg``.

Plots CPU seconds of one core for the reference orbit and for the tile around it, every stage included, against the
digits of the width and against maxiter: medians of interleaved rounds.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import matplotlib as mpl
from depth import SEAHORSE, reference
from matplotlib.figure import Figure

from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot

DIGITS = (17, 30, 100, 300, 600, 1000)
CAPS = (1_000, 10_000, 100_000, 1_000_000)
PLACES = {
    "i, 1e-30": ("1j", "1e-30"),
    "i, 1e-300": ("1j", "1e-300"),
    "seahorse, 1e-17": (SEAHORSE, "1e-17"),
}

Case = tuple[str, str, int]
PANELS: dict[str, dict[str, list[tuple[int, Case]]]] = {
    "digits of the width (maxiter 10,000)": {
        "i": [(digits, ("1j", f"1e-{digits}", 10_000)) for digits in DIGITS],
    },
    "maxiter": {name: [(maxiter, (*place, maxiter)) for maxiter in CAPS] for name, place in PLACES.items()},
}


def measured(case: Case, side: int) -> tuple[float, float]:
    """Return CPU seconds of the reference computed again, and of the tile that is then computed around it."""
    center, width, maxiter = case
    spent, _, _ = reference(*case, side)
    grid = Grid.window(center, width, (side, side))
    start = time.thread_time()
    Mandelbrot(maxiter)(grid)
    return spent, time.thread_time() - start


def medians(rounds: int, side: int) -> dict[Case, tuple[float, float]]:
    """Return what each case takes; the first round, which may compile, is not counted."""
    cases = {case for panel in PANELS.values() for line in panel.values() for _, case in line}
    times = [{case: measured(case, side) for case in cases} for _ in range(1 + rounds)][1:]
    return {case: tuple(map(median, zip(*(one[case] for one in times), strict=True))) for case in cases}


def plot(spent: dict[Case, tuple[float, float]], side: int) -> Figure:
    """Return both panels, log-log: tiles as solid lines, their references dashed in the same colour."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, len(PANELS), sharey=True)
    for axes, (label, lines) in zip(panels, PANELS.items(), strict=True):
        for color, (name, line) in enumerate(lines.items()):
            at = [x for x, _ in line]
            references, tiles = zip(*(spent[case] for _, case in line), strict=True)
            axes.loglog(at, tiles, f"C{color}o-", label=f"{name}: tile")
            axes.loglog(at, references, f"C{color}o--", fillstyle="none", label=f"{name}: reference")
        axes.set_xlabel(label)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(lines), fontsize="x-small")
    panels[0].set_ylabel(f"CPU seconds for {side} × {side} pixels")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="picture to write, such as growth.svg")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=256)
    options = parser.parse_args()
    spent = medians(options.rounds, options.side)
    for case, times in sorted(spent.items()):
        print(*case, *(f"{1e3 * one:9.1f} ms" for one in times))
    with mpl.rc_context({"svg.fonttype": "none"}):
        plot(spent, options.side).savefig(options.path)


if __name__ == "__main__":
    main()
