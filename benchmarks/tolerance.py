"""What `smooth` costs beyond counts: with a tolerance, in full, and with `distance`, in interleaved rounds."""

from __future__ import annotations

import argparse
import time
from fractions import Fraction
from typing import TYPE_CHECKING

from peers import IMAGES, grid

from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot

if TYPE_CHECKING:
    from collections.abc import Iterator

SEAHORSE = "-0.7436438870371587+0.1318259042053119j"
STEP = (("smooth", Fraction(1, 64)),)
SIDE = 256


def places() -> Iterator[tuple[str, Grid, int]]:
    """Yield name, pixels and maxiter."""
    yield "whole set", Grid.window("-0.5", "3", (SIDE, SIDE)), 255
    for width, maxiter in (("1e-5", 2000), ("1e-12", 4095)):
        yield f"seahorse valley, {width}", Grid.window(SEAHORSE, width, (SIDE, SIDE)), maxiter
    for width in ("1e-30", "1e-100"):
        yield f"around i, {width}", Grid.window("1j", width, (SIDE, SIDE)), 10_000
    for name, image in IMAGES.items():
        yield name.partition(" (")[0], grid(image)[::2, ::2], image.maxiter


def main() -> None:
    """Print a row for each place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    rounds = parser.parse_args().rounds
    for name, pixels, maxiter in places():
        kernels = [
            Mandelbrot(maxiter),
            Mandelbrot(maxiter, ("iterations", "smooth"), None, STEP),
            Mandelbrot(maxiter, ("iterations", "smooth")),
            Mandelbrot(maxiter, ("iterations", "smooth", "distance")),
        ]
        best = [float("inf")] * len(kernels)
        for kernel in kernels:
            kernel(pixels[::16, ::16])  # compiles
        for _ in range(rounds):
            for i, kernel in enumerate(kernels):
                began = time.process_time()
                kernel(pixels)
                best[i] = min(best[i], time.process_time() - began)
        print(f"| {name} |", " | ".join(f"{seconds:.3g}" for seconds in best), "|", flush=True)


if __name__ == "__main__":
    main()
