"""How soon a cancelled computation stops: thread CPU time from raising the flag at a random moment to `Cancelled`.

    python benchmarks/cancel.py [--samples 40] [--only seahorse] [--seed 1]

It measures CPU time and not wall time, so that other load does not matter. It prints, for each window, the median and
the longest, and where the longest were: the innermost function of mandeldask that was running when the flag was raised.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from statistics import median
from typing import TYPE_CHECKING

from cost import nucleus_near_the_tip
from kernels import TILES, tile

from mandeldask.cancellation import Cancellation, Cancelled, cancellable
from mandeldask.fractal.escape.perturbation import nucleus, orbit_source, prepared_reference
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot

if TYPE_CHECKING:
    from types import FrameType

GOAL_MS = 5.0
LONGEST_S = 3.0
"""Seconds into a computation after which no flag is raised."""
PERIOD_3 = "-1.7548776662466927600495088963585286918946066177727931439892839706"
M_4_1 = "-0.10109636384562216102578544573862256554+0.95628651080914150077109605772700243148j"
SEAHORSE = "-0.743643887037158704752191506114774+0.131825904205311970493132056385139j"
DEEP = {
    "i": ("1j", ("1e-30", "1e-300"), 20_000),
    "M(4,1)": (M_4_1, ("1e-30",), 20_000),
    "seahorse": (SEAHORSE, ("1e-30",), 20_000),
    "next to a minibrot": (nucleus_near_the_tip(83), ("3e-98",), 20_000),
    "period 3": (PERIOD_3, ("1e-20", "1e-60"), 20_000),
    "at -2": ("-2", ("1e-30", "1e-300"), 2000),
    "next to -2": ("-1.99999999999999999999999999999", ("1e-28",), 20_000),
}


def windows() -> dict[str, tuple[Grid, int, tuple[str, ...]]]:
    """Return the grid, maxiter and fields of each case by its name."""
    fields = {"": ("iterations",), " smooth": ("smooth",), " distance": ("distance",), " period": ("period",)}
    cases = {}
    for kind, wanted in fields.items():
        for name, place in TILES.items():
            for maxiter in (255, 4095, 65535):
                cases[f"{name}, {maxiter}{kind}"] = tile(*place), maxiter, wanted
        for name, (center, widths, maxiter) in DEEP.items():
            for width in widths:
                cases[f"{name} {width}, {maxiter}{kind}"] = Grid.window(center, width, (256, 256)), maxiter, wanted
    return cases


def forget() -> None:
    """Let references be computed again."""
    for cache in (prepared_reference.references, nucleus.nuclei, orbit_source.orbits):
        cache.clear()


def cancelled_after(kernel: Mandelbrot, grid: Grid, delay: float) -> tuple[float, str] | None:
    """Return the CPU seconds from a flag raised after `delay` to the end, and where it was raised; None if too late."""
    cancellation, ends, clocks, begun = Cancellation(), [], [], threading.Event()

    def work() -> None:
        clocks.append(time.pthread_getcpuclockid(threading.get_ident()))
        begun.set()
        with cancellable(cancellation):
            try:
                kernel(grid)
            except Cancelled:
                ends.append(time.thread_time())

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    thread.join(delay)
    if not thread.is_alive():
        return None
    began, frame = time.clock_gettime(clocks[0]), sys._current_frames().get(thread.ident)  # noqa: SLF001  the only way
    cancellation.cancel()
    place = _place(frame)
    del frame
    thread.join()
    return (ends[0] - began, place) if ends else None


def _place(frame: FrameType | None) -> str:
    """Return the innermost line of ours that `frame` is in."""
    while frame is not None and "mandeldask/" not in frame.f_code.co_filename:
        frame = frame.f_back
    if frame is None:
        return "outside"
    return f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno} {frame.f_code.co_name}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    print("| window | whole, ms | samples | median, ms | longest | above 5 |\n|---|---|---|---|---|---|")
    for name, (grid, maxiter, fields) in windows().items():
        if arguments.only not in name:
            continue
        kernel = Mandelbrot(maxiter, fields)
        for most in (20 * LONGEST_S, LONGEST_S):  # the first compiles
            forget()
            began = time.perf_counter()
            cancelled_after(kernel, grid, most)
            seconds = time.perf_counter() - began
        gaps = []
        for _ in range(arguments.samples):
            forget()
            gap = cancelled_after(kernel, grid, rng.uniform(0, min(seconds, LONGEST_S)))
            if gap:
                gaps.append((1e3 * gap[0], gap[1]))
        if gaps:
            worst = "; ".join(f"{ms:.1f} at {place}" for ms, place in sorted(gaps, reverse=True)[:4] if ms > GOAL_MS)
            sizes = f"{median(ms for ms, _ in gaps):.2f} | {max(gaps)[0]:.1f}"
            print(f"| {name} | {1e3 * seconds:.0f} | {len(gaps)} | {sizes} | {worst} |", flush=True)


if __name__ == "__main__":
    main()
