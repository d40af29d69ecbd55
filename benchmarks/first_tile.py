"""How long the first picture takes: with an empty cache of kernels, and in the next process, with a full one.

    python benchmarks/first_tile.py [--rounds 3]

Seconds from the start of a process, by the clock and of its own CPU time (of a process that ends, with that of the
second process of a first run): to a tile of plain counts that `mandeldask serve` answers, to the same tile of
`md.open_pyramid`, and to the picture that `mandeldask render` writes. Wall time is for an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Callable

LIBRARY = "import mandeldask as md; md.open_pyramid(chunks=None)['49/iterations'][:512, :512].values"
TILE = "/zarr/v3/mandelbrot.zarr/49/iterations/c/0/0"
MODULE = [sys.executable, "-m", "mandeldask"]


def main() -> None:
    """Print a table of medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(f"{'seconds, wall and CPU':28}{'empty cache':>16}{'full cache':>16}")
    with tempfile.TemporaryDirectory() as full:
        fill(full)
        for name, timed in (
            ("server: metadata", metadata),
            ("server: tile", tile),
            ("md.open_pyramid: tile", library),
            ("render: picture", render),
        ):
            columns = []
            for cache in (None, full):
                times = [in_cache(timed, cache) for _ in range(rounds)]
                columns.append(f"{median(t[0] for t in times):9.2f}{median(t[1] for t in times):7.2f}")
            print(f"{name:28}" + "".join(columns), flush=True)


def fill(cache: str) -> None:
    """Compile everything into a cache."""
    command = [sys.executable, "-m", "mandeldask.fractal.compiling", cache, "counts"]
    with subprocess.Popen(command, env=environment(cache), stdin=subprocess.PIPE) as process:  # it ends with its input
        process.wait()


def in_cache(timed: Callable[[str], tuple[float, float]], cache: str | None) -> tuple[float, float]:
    """Return what `timed` measures with a cache, or with an empty one."""
    with tempfile.TemporaryDirectory() as empty:
        return timed(cache or empty)


def environment(cache: str) -> dict[str, str]:
    return os.environ | {"NUMBA_CACHE_DIR": cache}


def metadata(cache: str) -> tuple[float, float]:
    """Time a server up to its first document."""
    return served("/zarr/v3/mandelbrot.zarr/zarr.json", cache)


def tile(cache: str) -> tuple[float, float]:
    """Time a server up to its first tile."""
    return served(TILE, cache)


def served(path: str, cache: str) -> tuple[float, float]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began, nowhere = time.perf_counter(), subprocess.DEVNULL
    command = [*MODULE, "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment(cache), stdout=nowhere, stderr=nowhere) as server:
        try:
            answer(f"http://127.0.0.1:{port}{path}")
            return time.perf_counter() - began, cpu_seconds(server.pid)
        finally:
            server.send_signal(signal.SIGTERM)


def answer(url: str) -> None:
    """Get a URL, as soon as the server listens."""
    while True:
        try:
            with urlopen(url, timeout=300) as response:
                response.read()
        except (URLError, ConnectionError) as error:
            if not isinstance(getattr(error, "reason", error), ConnectionError):
                raise
            time.sleep(0.01)
        else:
            return


def cpu_seconds(process: int) -> float:
    """Return the CPU time of a process that runs (Linux)."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def library(cache: str) -> tuple[float, float]:
    """Time a script that reads a tile."""
    return ended([sys.executable, "-c", LIBRARY], cache)


def render(cache: str) -> tuple[float, float]:
    """Time the command that draws a picture."""
    return ended([*MODULE, "render", f"{cache}/set.png", "--quiet"], cache)


def ended(command: list[str], cache: str) -> tuple[float, float]:
    """Time a process up to its end; its CPU time is with that of its children."""
    began = time.perf_counter()
    program = "import json, os, subprocess, sys; p = subprocess.Popen(json.loads(sys.argv[1])); "
    program += "r = os.wait4(p.pid, 0)[2]; print(r.ru_utime + r.ru_stime)"
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(command)],
        env=environment(cache), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return time.perf_counter() - began, float(done.stdout.split()[-1])


if __name__ == "__main__":
    main()
