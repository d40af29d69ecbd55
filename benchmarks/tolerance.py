"""What fields cost beyond counts: with a tolerance and in full, in interleaved rounds.

``python benchmarks/tolerance.py`` prints, for each place, CPU seconds of the counts, and how many times as long these
take with `smooth` to 1/64, with `distance` to 1 %, with `smooth`, and with `smooth` and `distance`: 256 x 256 pixels,
the better of two interleaved rounds. ``--places FILE`` takes a JSON list of objects with name, re, im, width, shape and
maxiter. Runs that take longer than ``--patience`` seconds are stopped and shown as ">".
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from depth import CASES
from peers import IMAGES, grid

from fractal.published import E113, M_4_1
from mandeldask.cancellation import Cancellation, Cancelled, cancellable
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.pyramid import auto_maxiter

if TYPE_CHECKING:
    from collections.abc import Iterator

SEAHORSE = "-0.743643887037158704752191506114774+0.131825904205311970493132056385139j"
SMOOTH, DISTANCE = (("smooth", Fraction(1, 64)),), (("distance", Fraction(1, 100)),)
ASKED = {
    "counts": (("iterations",), ()),
    "smooth to 1/64": (("iterations", "smooth"), SMOOTH),
    "distance to 1 %": (("iterations", "distance"), DISTANCE),
    "smooth": (("iterations", "smooth"), ()),
    "both": (("iterations", "smooth", "distance"), ()),
}
SIDE = 256


def places() -> Iterator[tuple[str, Grid, int]]:
    """Yield name, pixels and maxiter."""
    yield "whole set", Grid.window("-0.5", "3", (SIDE, SIDE)), 255
    for width, maxiter in (("1e-5", 2000), ("1e-12", 4095)):
        yield f"seahorse valley, {width}", Grid.window(SEAHORSE, width, (SIDE, SIDE)), maxiter
    for name, (center, width, maxiter) in CASES.items():
        yield name, Grid.window(center, width, (SIDE, SIDE)), maxiter
    for name, center, width in (("seahorse", SEAHORSE, "1e-20"), ("M(4,1)", M_4_1, "1e-30"), ("E113", E113, "1e-100")):
        pixels = Grid.window(center, width, (SIDE, SIDE))
        yield f"{name}, {width}", pixels, auto_maxiter(pixels.spacing)
    for name, image in IMAGES.items():
        yield name.partition(" (")[0], grid(image)[::2, ::2], image.maxiter


def places_of(file: str) -> Iterator[tuple[str, Grid, int]]:
    """Yield the places of a file."""
    for place in json.loads(Path(file).read_text("utf-8")):
        yield place["name"], Grid.window((place["re"], place["im"]), place["width"], place["shape"]), place["maxiter"]


def seconds(kernel: Mandelbrot, pixels: Grid, patience: float) -> float:
    """Return CPU seconds of a call; infinity if it was stopped."""
    began = time.process_time()
    with cancellable(Cancellation()) as cancellation:
        timer = threading.Timer(patience, cancellation.cancel)
        timer.start()
        try:
            kernel(pixels)
        except Cancelled:
            return float("inf")
        finally:
            timer.cancel()
    return time.process_time() - began


def main() -> None:
    """Print a row for each place."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--places", metavar="FILE", help="places of your own, in place of those above")
    parser.add_argument("--only", default="", help="places whose names have this in them")
    parser.add_argument("--patience", type=float, default=120)
    arguments = parser.parse_args()
    print("| place | counts, s |", " | ".join(list(ASKED)[1:]), "|")
    print("| --- " * (len(ASKED) + 1) + "|")
    for name, pixels, maxiter in places_of(arguments.places) if arguments.places else places():
        if arguments.only not in name:
            continue
        kernels = [Mandelbrot(maxiter, fields, None, tolerance) for fields, tolerance in ASKED.values()]
        best = [float("inf")] * len(kernels)
        for kernel in kernels:
            seconds(kernel, pixels[::16, ::16], arguments.patience)  # compiles, and computes the reference
        for _ in range(arguments.rounds):
            for i, kernel in enumerate(kernels):
                best[i] = min(best[i], seconds(kernel, pixels, arguments.patience))
        ratios = (f"{one / best[0]:.2f}" if one < float("inf") else ">" for one in best[1:])
        print(f"| {name} | {best[0]:.3f} |", " | ".join(ratios), "|", flush=True)


if __name__ == "__main__":
    main()
