"""Whether a code change changed any result: ``python benchmarks/golden.py --write FILE``, change, ``--compare FILE``.

Computes counts and fields around the test places, from the whole set to pixels 1e-400 apart, and writes a hash of each
array and how many pixels each stage answered. `--compare` computes them again and exits with 1 if any differs.
Counts are the same everywhere; float32 fields may differ in their last bit between machines, so compare on one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from fractal.places import PLACES

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIELDS = {
    "counts": ("iterations",),
    "smooth": ("iterations", "smooth"),
    "all": ("iterations", "smooth", "distance", "period"),
}
"""Which fields are asked for changes which kernels run."""

WIDTHS = {
    "4": 300,
    "1e-3": 2_000,
    "1e-9": 3_000,
    "1e-13": 5_000,
    "1e-15": 5_000,
    "1e-18": 5_000,
    "1e-22": 6_000,
    "1e-27": 6_000,
    "1e-33": 6_000,
    "1e-60": 8_000,
    "1e-130": 12_000,
    "1e-400": 20_000,
}
"""Width of a window -> maxiter: every stage, with and without scaled exponents."""

LARGE = [("seahorse valley", "1e-2", 4_000), ("antenna", "1e-6", 4_000), ("M(4,1)", "1e-24", 5_000)]
"""Whole tiles of 512 x 512 pixels, where block stages do most of the work."""

Case = tuple[str, str, int, int, str]
"""Place, width, maxiter, side in pixels, key of `FIELDS`."""


def cases(*, every: int) -> list[Case]:
    """Return every `every`-th case of a small tile, and the large ones."""
    small = [
        (place, width, maxiter, 48, fields)
        for place in PLACES
        for width, maxiter in WIDTHS.items()
        for fields in FIELDS
    ]
    large = [(place, width, maxiter, 512, fields) for place, width, maxiter in LARGE for fields in ("counts", "all")]
    return small[::every] + large


def answers(case: Case) -> dict[str, str]:
    """Return a hash of each field of a case, and the pixels of each stage."""
    place, width, maxiter, side, fields = case
    grid, kernel = Grid.window(PLACES[place], width, (side, side)), Mandelbrot(maxiter, FIELDS[fields])
    hashes = {field: _hash(array) for field, array in kernel(grid).items()}
    return hashes | {"stages": " ".join(str(pixels) for pixels in kernel.report(grid).values() if pixels)}


def _hash(array: NDArray[Any]) -> str:
    return hashlib.sha256(str(array.dtype).encode() + array.tobytes()).hexdigest()[:16]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--compare", type=Path)
    parser.add_argument("--every", type=int, default=1, help="only every n-th case")
    options = parser.parse_args()
    known = json.loads(options.compare.read_text()) if options.compare else {}
    found, changed, start = {}, [], time.monotonic()
    for case in cases(every=options.every):
        name = ", ".join(map(str, case))
        found[name] = answers(case)
        if name in known and known[name] != found[name]:
            changed.append(name)
            print("CHANGED", name, {k: (known[name][k], v) for k, v in found[name].items() if known[name][k] != v})
    print(f"{len(found)} cases in {time.monotonic() - start:.0f} s, {len(changed)} changed")
    if options.write:
        options.write.write_text(json.dumps(found, indent=1))
    return 1 if changed else 0


if __name__ == "__main__":
    raise SystemExit(main())
