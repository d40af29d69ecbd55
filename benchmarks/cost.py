"""Estimates of `mandeldask.fractal.cost`, and measured times: ``python benchmarks/cost.py [--side 128]``.

CPU seconds of one core for a tile, with its reference orbit computed again, the faster of two runs. Most caps are such
that nearly all pixels reach them, so that no iteration is saved: there the estimate must be an upper bound. "BELOW"
marks a tile that took longer than estimated. Next to the last minibrot `smooth` and `distance` need integers and
minutes: they are left out.
"""

from __future__ import annotations

import argparse
import time
from fractions import Fraction

from mandeldask.fractal.cost import cost
from mandeldask.fractal.escape.perturbation import orbit_source, prepared_reference
from mandeldask.fractal.escape.perturbation.nucleus import _nucleus
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.rationals import Point, as_fraction

SEAHORSE = "-0.743643887037158704752191506114774+0.131825904205311970493132056385139j"
ANTENNA = "-1.7687788000474986+0.0017389099501j"
CHAOS = "-0.22669854734340839-0.6412000072609072j"
FEIGENBAUM = "-1.401155189092050606"
COUNTS, POTENTIAL, PERIOD = ("iterations",), ("iterations", "smooth", "distance"), ("iterations", "period")


def nucleus_near_the_tip(period: int) -> Point:
    """Return the leftmost nucleus of a period; its minibrot is some 16^-period wide."""
    pi = as_fraction("3.1415926535897932384626433832795028841971")
    found = _nucleus(Point(3 * pi * pi / (2 * 4**period) - 2, Fraction(0)), period, 8 * period + 200)
    if found is None:
        msg = f"Newton's method found no nucleus of period {period}"
        raise ValueError(msg)
    return found


def cases() -> list[tuple[str, object, str, int, tuple[str, ...]]]:
    """Return (name, centre, width, maxiter, fields) of every tile."""
    everywhere = [
        ("overview", "-0.5", "4", 255),
        ("overview", "-0.5", "4", 4_095),
        ("seahorse valley", "-0.75+0.1j", "1e-2", 4_095),
        ("seahorse", SEAHORSE, "1e-6", 378),
        ("seahorse", SEAHORSE, "1e-9", 1_128),
        ("seahorse", SEAHORSE, "1e-11", 1_777),
        ("antenna", ANTENNA, "1e-10", 569),
        ("chaos", CHAOS, "1.06e-5", 20_000),
        ("chaos", CHAOS, "1e-11", 12_000),
        ("Feigenbaum", FEIGENBAUM, "1e-6", 2_235),
        ("Feigenbaum", FEIGENBAUM, "1e-8", 17_861),
        ("seahorse", SEAHORSE, "1e-13", 3_144),
        ("seahorse", SEAHORSE, "1e-15", 10_000),
        ("seahorse", SEAHORSE, "1e-18", 8_848),
        ("seahorse", SEAHORSE, "1e-22", 11_027),
        ("seahorse", SEAHORSE, "1e-28", 26_368),
        ("i", "1j", "1e-30", 89),
        ("i", "1j", "1e-300", 20_000),
        ("i", "1j", "1e-1000", 50_000),
    ]
    near_40, near_83 = (nucleus_near_the_tip(period) for period in (40, 83))
    inside = [("in a minibrot", near_40, "2e-49", 1_600), ("in a minibrot", near_83, "1e-100", 3_320)]
    rows = [(*place, fields) for fields in (COUNTS, POTENTIAL) for place in everywhere + inside]
    rows += [(*place, PERIOD) for place in everywhere if place[3] < 4_000]
    return [*rows, ("next to a minibrot", near_83, "3e-98", 3_320, COUNTS)]


def measured(grid: Grid, kernel: Mandelbrot) -> tuple[float, str]:
    """Return CPU seconds, the faster of two runs, and how many pixels only integers could answer."""
    seconds = []
    for _ in range(2):
        prepared_reference.references.clear()
        orbit_source.orbits.clear()
        start = time.thread_time()
        answered = kernel.report(grid)
        seconds.append(time.thread_time() - start)
    return min(seconds), f"{answered.get('exact', 0)} pixels in integers"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=128)
    side = parser.parse_args().side
    print(f"{side} x {side} pixels; CPU seconds")
    print(f"{'':19}{'width':>8}{'maxiter':>9}  {'fields':10}{'estimate':>9}{'measured':>10}{'ratio':>8}")
    for name, center, width, maxiter, fields in cases():
        grid = Grid.window(center, width, (side, side))
        estimate = cost(grid, maxiter, fields).seconds
        seconds, reported = measured(grid, Mandelbrot(maxiter, fields))
        mark = "  BELOW" if seconds > estimate else ""
        print(
            f"{name:19}{width:>8}{maxiter:>9}  {fields[-1]:10}{estimate:9.3f}{seconds:10.3f}{estimate / seconds:8.1f}"
            f"  {reported}{mark}",
            flush=True,
        )


if __name__ == "__main__":
    main()
