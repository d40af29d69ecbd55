"""What laziness costs: ``python benchmarks/lazy.py``.

Opening and importing are timed in fresh interpreters. Operations on windows are timed with a kernel that returns
zeros, so that all of the time is spent in dask, xarray and mandeldask, and are compared with the time of the real
kernel for the same window. Rounds go through all cases in turn and medians of CPU time are printed, since the machine
may be busy.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any

import dask
import dask.array as da
import numpy as np
import xarray as xr

import mandeldask as md
from mandeldask.fractal.kernel import About

if TYPE_CHECKING:
    from collections.abc import Callable

    from mandeldask.fractal.geometry import Grid

SIDE = 1024
FAR = 2**58 + 123
"""Row and column of the window's corner: nowhere near a tile's."""


@dataclass(frozen=True, slots=True)
class Zeros:
    """A kernel that costs nothing."""

    fields: tuple[str, ...] = ("iterations",)

    @property
    def about(self) -> About:
        return About("benchmark", "A benchmark")

    @property
    def dtypes(self) -> dict[str, np.dtype[Any]]:
        return dict.fromkeys(self.fields, np.dtype(np.uint8))

    @property
    def attributes(self) -> dict[str, dict[str, Any]]:
        return {}

    def select(self, *fields: str) -> Zeros:
        return replace(self, fields=fields)

    def __call__(self, grid: Grid, /) -> dict[str, np.ndarray[Any, Any]]:
        return {field: np.zeros(grid.shape, np.uint8) for field in self.fields}


WHOLE = "44"
"""The level whose mean is taken: 64 x 64 tiles."""

OPERATIONS: dict[str, Callable[[xr.DataArray], Any]] = {
    "values": lambda window: window,
    "mean": lambda window: window.mean(),
    "coarsen": lambda window: window.coarsen(y=4, x=4).mean(),
    "rolling": lambda window: window.rolling(x=5).mean(),
    "concat": lambda window: xr.concat([window, window], "copy").sum(),
    "histogram": lambda window: da.histogram(window.data, bins=256, range=(0, 256))[0],
    "map_overlap": lambda window: window.data.map_overlap(np.asarray, depth=1),
}


def window_of(tree: xr.DataTree, level: str) -> xr.DataArray:
    """Return a fresh window of 1024 x 1024 pixels at an unaligned place, in blocks of 512."""
    corner = FAR if level == "0" else tree[level].sizes["x"] // 2 + 123
    part = slice(corner, corner + SIDE)
    return tree[level].to_dataset().isel(y=part, x=part).iterations.chunk(512)


def milliseconds(work: Callable[[], Any]) -> float:
    """Return CPU time of this process."""
    before = time.process_time()
    work()
    return (time.process_time() - before) * 1000


def operations(rounds: int) -> None:
    """Print what operations on a window cost without a kernel, at both regimes, and what the kernel costs."""
    free = md.open_pyramid(kernel=lambda _pyramid, _level: Zeros())
    real = md.open_pyramid()
    taken: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds + 1):
        for level in ("0", "42"):
            for name, operation in OPERATIONS.items():
                cost = milliseconds(lambda op=operation, at=level: op(window_of(free, at)).compute())  # type: ignore[misc]
                taken.setdefault((name, level), []).append(cost)
    kernel = median(milliseconds(lambda: window_of(real, "0").compute()) for _ in range(rounds))
    print(f"{SIDE} x {SIDE} window, ms without a kernel (limit 500)   level 0   level 42")
    for name in OPERATIONS:
        deep, shallow = (median(taken[name, level][1:]) for level in ("0", "42"))
        print(f"  {name:46} {deep:9.1f} {shallow:9.1f}")
    print(f"  {'the real kernel, same window of level 0':46} {kernel:9.1f}")


def opening(rounds: int) -> None:
    """Print what it costs to open and print fifty levels, once warm."""
    costs: dict[str, list[float]] = {"open": [], "repr": [], "HTML repr": []}
    for _ in range(rounds + 1):
        tree = None

        def opened() -> None:
            nonlocal tree
            tree = md.open_pyramid(levels=50)

        costs["open"].append(milliseconds(opened))
        costs["repr"].append(milliseconds(lambda: repr(tree)))  # noqa: B023
        costs["HTML repr"].append(milliseconds(tree._repr_html_))
    print("50 levels, ms: " + ", ".join(f"{name} {median(taken[1:]):.1f}" for name, taken in costs.items()))


def footprint(rounds: int) -> None:
    """Print seconds and MiB in fresh interpreters."""
    opened = (
        "import mandeldask as md, xarray, dask.array, zarr; {}; import resource; print(resource.getrusage(0).ru_maxrss)"
    )
    empty, full = (
        int(subprocess.run([sys.executable, "-c", opened.format(work)], capture_output=True, check=True).stdout)
        for work in ("pass", "t = md.open_pyramid(levels=50); repr(t); t._repr_html_()")
    )
    print(f"opening, repr and HTML repr of 50 levels add {(full - empty) / 1024:.1f} MiB (limit 100)")
    seconds = median(_import_seconds() for _ in range(rounds))
    print(f"import mandeldask: {seconds:.3f} s of CPU time over a bare interpreter (limit 0.5)")


def _import_seconds() -> float:
    spent = []
    for program in ("pass", "import mandeldask"):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", program], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return spent[1] - spent[0]


def whole_level(rounds: int) -> None:
    """Print what the mean of a whole level costs on two processes, in blocks of a tile and as they are by default."""
    for chunks in (512, "auto") * rounds:
        level = md.open_pyramid(chunks=chunks)[WHOLE].iterations
        before, began = _spent(), time.monotonic()
        with ProcessPoolExecutor(2) as pool, dask.config.set(scheduler="processes", pool=pool):
            mean = float(level.mean().compute())
        side, elapsed = level.chunks[0][0], time.monotonic() - began
        print(f"mean of level {WHOLE}, blocks of {side}: {elapsed:.1f} s, {_spent() - before:.1f} s of CPU, {mean:.6f}")


def _spent() -> float:
    """Return CPU seconds of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--whole", action="store_true", help="only the mean of a whole level on two processes")
    options = parser.parse_args()
    rounds = options.rounds
    if options.whole:
        whole_level(rounds)
        return
    footprint(rounds)
    opening(rounds)
    with dask.config.set(scheduler="synchronous"):
        operations(rounds)


if __name__ == "__main__":
    main()
