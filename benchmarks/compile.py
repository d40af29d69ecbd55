"""What compiling the kernels costs: CPU seconds of a process with an empty cache, and of the next process.

    python benchmarks/compile.py [--rounds 3]

`numba alone` is the time for a function of one line: numba's import, and its start at the first call in a process.
A process compiles only the kernels that its tiles need: `first tile` is one of plain counts, from the start of the
process; later tiles need the other kernels, except those counted at the end. The second process of a first run is
switched off, so that one process compiles everything.
"""

from __future__ import annotations

import argparse
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from statistics import median

FIRST = ("-0.5", "3", 255, ("iterations",), 512)
"""Centre, width, maxiter, fields and pixels a side of a tile as most are."""
TILES = (
    ("-0.75+0.1j", "0.3", 3000, ("iterations", "smooth", "distance", "period"), 64),
    ("1j", "1e-30", 3000, ("iterations",), 64),
)
"""The same of tiles that between them need nearly every other kernel."""


def main() -> None:
    """Print a table of medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure()))
        return
    first, later = [], []
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as cache:
            for times in (first, later):
                times.append(measured(cache))
    print(f"{'CPU seconds':40} {'first process':>14} {'later':>8}")
    for what in first[0]:
        print(f"{what:40} {median(t[what] for t in first):14.2f} {median(t.get(what, 0.0) for t in later):8.2f}")


def measured(cache: str) -> dict[str, float]:
    """Return what `measure` finds in a process of its own with that cache directory."""
    environment = os.environ | {"NUMBA_CACHE_DIR": cache, "MANDELDASK_COMPILE_ALONE": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    command = [sys.executable, __file__, "--measure"]
    return json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)


def measure() -> dict[str, float]:
    """Return CPU seconds of this process, step by step and by kernel, and how many kernels no tile needed."""
    marks = [time.process_time()]
    import numba

    marks.append(time.process_time())
    numba.njit(cache=True)(one_line)(1.0)
    marks.append(time.process_time())
    from mandeldask.fractal.geometry import Grid
    from mandeldask.fractal.mandelbrot import Mandelbrot

    compiled = compilations()
    times = {"numba alone: import": marks[1] - marks[0], "numba alone: first function": marks[2] - marks[1]}
    times["numba alone, from the start"] = marks[2]
    for name, tiles in (("first tile, from the start", (FIRST,)), ("all kernels, from the start", TILES)):
        for center, width, maxiter, fields, side in tiles:
            Mandelbrot(maxiter, fields)(Grid.window(center, width, (side, side)))
        times[name] = time.process_time()
    return {**times, **compiled, "kernels not needed": len(unused())}


def compilations() -> dict[str, float]:
    """Return a dictionary that fills with the CPU seconds of each kernel that numba compiles from now on."""
    from numba.core import event

    class Compilations(event.Listener):
        """Adds up the outermost compilations: those of functions that kernels call are within."""

        def __init__(self) -> None:
            self.seconds: dict[str, float] = {}
            self._began: list[float] = []

        def on_start(self, event: event.Event) -> None:  # noqa: ARG002  numba's signature
            self._began.append(time.process_time())

        def on_end(self, event: event.Event) -> None:
            seconds = time.process_time() - self._began.pop()
            if not self._began:
                function = event.data["dispatcher"].py_func
                name = f"  {function.__module__.rpartition('.')[2]}.{function.__name__}"
                self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    listener = Compilations()
    event.register("numba:compile", listener)
    return listener.seconds


def one_line(x: float) -> float:
    """Something to compile."""
    return x + 1.0


def unused() -> list[str]:
    """Return the names of kernels that have not been compiled or loaded."""
    from mandeldask.fractal import escape

    prefix = f"{escape.__name__}."
    modules = [import_module(module.name) for module in pkgutil.walk_packages(escape.__path__, prefix)]
    found = {id(value): value for module in modules for value in vars(module).values() if hasattr(value, "signatures")}
    return [f"{value.__module__}.{value.__name__}" for value in found.values() if not value.signatures]


if __name__ == "__main__":
    main()
