"""CPU seconds for deep images that fractalshades' gallery shows, ours and its own, in interleaved rounds.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install "numpy<2.4" fractalshades==1.2.1
    python benchmarks/peers.py --fractalshades /tmp/peers/bin/python

Its gmpy2 may have to be built: `apt-get install libgmp-dev libmpfr-dev libmpc-dev`. Without the option, ours run alone.
512×512 pixels at the gallery's positions, with its maxiter, counts only, reference orbits included, every thread
counted. fractalshades approximates to a relative epsilon, so it runs twice: with the gallery's, and with 2^-53, to
which ours is certified. `wrong`: of pixels counted differently, how many of a sample flint decides against either.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fractal.oracle import wrong_pixels
from fractal.published import FLAKE, W22
from mandeldask.fractal.escape.perturbation import orbit_source, prepared_reference
from mandeldask.fractal.geometry import Axis, Grid
from mandeldask.fractal.mandelbrot import Mandelbrot

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 512
SAMPLE = 12
"""Pixels judged by flint: of those that differ, and of all."""


class Image(NamedTuple):
    """An image of fractalshades' gallery."""

    center: tuple[str, str]
    width: str
    maxiter: int
    digits: int
    epsilon: float
    """Of its bilinear approximation, as the gallery sets it."""


IMAGES = {
    "W22, 16e-22 (batch mode, 08)": Image(W22, "16e-22", 50_000, 30, 1e-6),
    "flake, 1.7e-157 (batch mode, 09)": Image(FLAKE, "1.7e-157", 1_000_000, 165, 1e-8),
}


def grid(image: Image) -> Grid:
    """Return the pixels where fractalshades has them: the first and the last on the image's edges."""
    re, im, width = (Fraction(part) for part in (*image.center, image.width))
    step = width / (SIDE - 1)
    return Grid(Axis(im + width / 2, -step, SIDE), Axis(re - width / 2, step, SIDE))


def ours(image: Image) -> tuple[float, NDArray[np.int64]]:
    """Return CPU seconds and counts; the reference orbit is computed again."""
    prepared_reference.references.clear()
    orbit_source.orbits.clear()
    start = time.process_time()
    counts = Mandelbrot(image.maxiter)(grid(image))["iterations"]
    return time.process_time() - start, counts.astype(np.int64)


class Fractalshades:
    """A process that computes with fractalshades, kept from image to image, so that it compiles once."""

    def __init__(self, python: str, folder: str) -> None:
        script = Path(__file__).with_name("fractalshades_counts.py")
        self.file = Path(folder, "counts.npy")
        self.process = subprocess.Popen(
            [python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def __call__(self, image: Image, epsilon: float) -> tuple[float, NDArray[np.int64]]:
        """Return CPU seconds and counts."""
        (re, im), asked = image.center, {"side": SIDE, "file": str(self.file), "epsilon": epsilon}
        asked |= {"re": re, "im": im, "width": image.width, "maxiter": image.maxiter, "digits": image.digits}
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline()), np.load(self.file)


def judged(image: Image, mine: NDArray[np.int64], other: NDArray[np.int64]) -> str:
    """Return how many pixels differ, and how many of a sample are wrong, theirs and ours."""
    rng = np.random.default_rng(0)
    different = np.flatnonzero(mine != other)
    some = [*rng.permutation(different)[:SAMPLE], *rng.integers(mine.size, size=SAMPLE)]
    pixels = [divmod(int(pixel), SIDE) for pixel in some]
    wrong = [len(wrong_pixels(grid(image), counts, image.maxiter, pixels)) for counts in (other, mine)]
    return f"{100 * different.size / mine.size:.3f} % | {wrong[0]} and {wrong[1]} of {len(pixels)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fractalshades", metavar="PYTHON", help="a Python that has fractalshades")
    arguments = parser.parse_args()
    print("| image | who | CPU s | × ours | differ from ours | wrong, theirs and ours |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        theirs = Fractalshades(arguments.fractalshades, folder) if arguments.fractalshades else None
        for name, image in IMAGES.items():
            runs = {"ours": lambda image=image: ours(image)}
            if theirs:
                for epsilon in (image.epsilon, 2.0**-53):
                    runs[f"epsilon {epsilon:.0e}"] = lambda image=image, epsilon=epsilon: theirs(image, epsilon)
            found = {who: run() for who, run in runs.items()}  # compiles
            spent = {who: median(times) for who, times in interleaved(runs, arguments.rounds).items()}
            for who, (_, counts) in found.items():
                verdict = " | " if who == "ours" else judged(image, found["ours"][1], counts)
                print(
                    f"| {name} | {who} | {spent[who]:.2f} | {spent[who] / spent['ours']:.1f} | {verdict} |", flush=True
                )
        if theirs:
            theirs.process.stdin.close()
            theirs.process.wait()


def interleaved(runs: dict, rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of every run in every round."""
    times = {who: [] for who in runs}
    for _ in range(rounds):
        for who, run in runs.items():
            times[who].append(run()[0])
    return times


if __name__ == "__main__":
    main()
