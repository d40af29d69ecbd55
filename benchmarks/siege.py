"""Attacks on a server of this machine, and their results, next to the goals: ``make siege``.

Each probe starts a server in a separate process on 127.0.0.1, attacks it for some seconds, and prints one line.
``--quick`` runs each at a tenth of its size, as CI does: the limits for times are then four times as large.
The exit code is the number of missed goals.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVER = """
import sys, time
import numpy as np
from mandeldask.app import serve
from mandeldask.cancellation import current
from mandeldask.zarrview.nodes import Array, Group

def slow(window):  # two seconds each, unless all clients have left
    stop = time.monotonic() + 2
    while time.monotonic() < stop:
        current().check()
        time.sleep(0.005)
    return np.full([part.stop - part.start for part in window], 7, "u1")

def stuck(window):
    time.sleep(1000)

def array(read, name, chunks=(1, 4)):
    return Array((4000, 4), np.dtype("u1"), read, chunks, dims=("y", "x"), fingerprint=name)

noise = np.random.default_rng(0).integers(0, 255, (3000, 3000), "u1")

def read(window):
    return noise[window]

large = Array(noise.shape, noise.dtype, read, noise.shape, dims=("y", "x"), fingerprint="large")
tree = Group({"slow": array(slow, "slow"), "stuck": array(stuck, "stuck"), "large": large})

if __name__ == "__main__":
    options = eval(sys.argv[1])
    serve({"demo": tree}, port=0, started=lambda address: print(address, flush=True), **options)
"""

SLOW, STUCK, LARGE = (f"/zarr/v3/demo.zarr/{name}/c/{{}}/0" for name in ("slow", "stuck", "large"))
PLACE = "/zarr/v3/at/re-0.{:04d}1_im0.1_width0.001_levels50_maxiter255_iterations.zarr/zarr.json"


@dataclass(frozen=True)
class Outcome:
    """What came of a probe."""

    figure: float
    unit: str
    goal: float
    """The figure should not pass it."""


class Server:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process, self.address = process, address
        host, port = address.removeprefix("http://").split(":")
        self.where = host, int(port)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.where, timeout=30)

    def ask(self, path: str, *headers: str) -> socket.socket:
        """Return a connection on which `path` was asked for."""
        connection = self.connect()
        with contextlib.suppress(ConnectionError):
            connection.sendall(request(path, *headers))
        return connection

    def health(self) -> float:
        """Return the milliseconds that a health check on a new connection takes."""
        began = time.perf_counter()
        with self.ask("/healthz", "Connection: close") as connection:
            assert connection.recv(2**16).startswith(b"HTTP/1.1 200")
        return (time.perf_counter() - began) * 1e3

    def metric(self, name: str) -> float:
        text = httpx.get(self.address + "/metrics", timeout=60).text
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))

    @property
    def megabytes(self) -> float:
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * 4096 / 1e6


def request(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode("latin-1")


@contextlib.contextmanager
def server(**options: object) -> Iterator[Server]:
    """Run a server."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "server.py"
        script.write_text(SERVER)
        command = [sys.executable, str(script), repr({"places": False, **options})]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                yield Server(process, process.stdout.readline().strip())
            finally:
                process.kill()


def hostile_headers(size: int) -> Outcome:
    """Longest health check while headers that once took half a minute arrive."""
    blanks = " " * 31_000
    hostile = [f"Range: bytes=0-{blanks}x", f"Range: bytes={'0' * 31_000}-", f"Accept-Encoding: gzip;{blanks}x"]
    hostile += [f"If-None-Match: {'W/' * 15_000}", f"Priority: u{blanks}x"]
    with server() as one:
        worst = 0.0
        for _ in range(max(1, size // 20)):
            for header in hostile:
                with one.ask(LARGE.format(0), header):
                    worst = max(worst, one.health())
    return Outcome(worst, "ms", 250)


def repeated_lines(size: int) -> Outcome:
    """Longest health check while requests of 30,000 header lines arrive."""
    with server() as one:
        worst = 0.0
        for _ in range(max(1, size // 10)):
            with one.ask("/", *["X: y"] * 30_000):
                worst = max(worst, one.health())
    return Outcome(worst, "ms", 250)


def unfinished_headers(size: int) -> Outcome:
    """Memory that connections take which never end their headers."""
    with server() as one, contextlib.ExitStack() as stack:
        one.health()
        before = one.megabytes
        for _ in range(size):
            connection = stack.enter_context(one.connect())
            with contextlib.suppress(OSError):
                connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"y" * 4_000_000)
        return Outcome(one.megabytes - before, "MB", 40)


def idle_connections(size: int) -> Outcome:
    """Slowest of 20 health checks next to connections that send nothing, more than the server may hold."""
    with server(connections=size * 5) as one, contextlib.ExitStack() as stack:
        for _ in range(size * 8):
            stack.enter_context(one.connect())
        return Outcome(max(one.health() for _ in range(20)), "ms", 250)


def pipelined_and_gone(size: int) -> Outcome:
    """Chunks computed to their ends for clients that left, two requests each."""
    with server(threads=2) as one:
        for number in range(max(3, size // 3)):
            with one.ask(SLOW.format(2 * number)) as connection:
                connection.sendall(request(SLOW.format(2 * number + 1)))
        stop = time.monotonic() + 20
        while one.metric("mandeldask_chunks_running") and time.monotonic() < stop:
            time.sleep(0.05)
        return Outcome(one.metric("mandeldask_chunks_computed_total"), "chunks", 0)


def identical_requests(size: int) -> Outcome:
    """Computations for 32 clients that ask for one chunk."""
    with server() as one, ThreadPoolExecutor(32) as threads:
        del size
        list(threads.map(lambda _: httpx.get(one.address + SLOW.format(1), timeout=60), range(32)))
        return Outcome(one.metric("mandeldask_chunks_computed_total"), "chunks", 1)


def half_closed(size: int) -> Outcome:
    """Half-closed clients that got no reply."""
    with server(threads=8) as one:
        missing = 0
        for number in range(max(1, size // 30)):
            with one.ask(SLOW.format(number), "Connection: close") as connection:
                connection.shutdown(socket.SHUT_WR)
                received = b""
                while part := connection.recv(2**16):
                    received += part
                missing += b"HTTP/1.1 200 OK" not in received
    return Outcome(missing, "clients", 0)


def readers_that_stall(size: int) -> Outcome:
    """Memory for clients that ask for 9 MB and read nothing."""
    with server() as one, contextlib.ExitStack() as stack:
        httpx.get(one.address + LARGE.format(0), timeout=60)
        before = one.megabytes
        for _ in range(size):
            stack.enter_context(one.ask(LARGE.format(0)))
        time.sleep(1)
        return Outcome(one.megabytes - before, "MB", 60)


def places_at_once(size: int) -> Outcome:
    """Of places that are asked for at once, those that were not opened."""
    count = size * 2
    with server(places=True) as one, ThreadPoolExecutor(count) as threads:
        codes = threads.map(lambda n: httpx.get(one.address + PLACE.format(n), timeout=300).status_code, range(count))
        return Outcome(sum(code != 200 for code in codes), "places", 0)


def memory_of_places(size: int) -> Outcome:
    """Memory of an open place of 50 levels."""
    with server(places=True) as one, httpx.Client(base_url=one.address, timeout=60) as client:
        client.get(PLACE.format(0))
        before = one.megabytes
        for number in range(1, size + 1):
            client.get(PLACE.format(number))
        return Outcome((one.megabytes - before) / size, "MB", 1.0)


def rebinding(size: int) -> Outcome:
    """Replies of a private server to pages that point a name of their own at it."""
    del size
    with server() as one:
        paths = ("/zarr/v3", "/zarr/v3/demo.zarr/zarr.json", LARGE.format(0), "/metrics", "/")
        codes = [httpx.get(one.address + path, headers={"host": "evil.example"}).status_code for path in paths]
    return Outcome(sum(code < 400 for code in codes), "replies", 0)


def broken_cache(size: int) -> Outcome:
    """Errors of a server whose cache folder is a loop of links."""
    del size
    with tempfile.TemporaryDirectory() as folder:
        loop = Path(folder) / "loop"
        loop.symlink_to(loop)
        with server(cache_dir=str(loop)) as one:
            codes = [httpx.get(one.address + LARGE.format(0), timeout=60).status_code for _ in range(3)]
    return Outcome(sum(code != 200 for code in codes), "errors", 0)


def stuck_at_the_end(size: int) -> Outcome:
    """Seconds that a server takes to stop whose source cannot be cancelled, after a drain of a second."""
    del size
    with server(drain_s=1) as one, one.ask(STUCK.format(0)):
        time.sleep(0.5)
        one.process.terminate()
        began = time.monotonic()
        one.process.wait(60)
        return Outcome(time.monotonic() - began, "s", 4)


def killed_parent(size: int) -> Outcome:
    """Seconds that workers hold the port after their parent was killed."""
    del size
    with server(workers=2) as one:
        one.health()
        os.kill(one.process.pid, signal.SIGKILL)
        began = time.monotonic()
        while time.monotonic() - began < 60:
            try:
                one.connect().close()
            except OSError:
                break
            time.sleep(0.05)
        return Outcome(time.monotonic() - began, "s", 5)


PROBES: tuple[Callable[[int], Outcome], ...] = (
    hostile_headers,
    repeated_lines,
    unfinished_headers,
    idle_connections,
    pipelined_and_gone,
    identical_requests,
    half_closed,
    readers_that_stall,
    places_at_once,
    memory_of_places,
    rebinding,
    broken_cache,
    stuck_at_the_end,
    killed_parent,
)


def main() -> int:
    """Run the probes; return how many goals were missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of each, as CI runs it")
    parser.add_argument("--only", nargs="*", default=[probe.__name__ for probe in PROBES], metavar="PROBE")
    options = parser.parse_args()
    size, patience, missed = (10, 4, 0) if options.quick else (100, 1, 0)
    print(f"{'':22}{'figure':>9} {'goal':>6}")
    for probe in PROBES:
        if probe.__name__ not in options.only:
            continue
        outcome = probe(size)
        goal = outcome.goal * (patience if outcome.unit in {"ms", "s"} else 1)
        missed += outcome.figure > goal
        said = "" if outcome.figure <= goal else "  MISSED"
        print(f"{probe.__name__:22}{outcome.figure:9.3g} {goal:6g} {outcome.unit}{said}   {probe.__doc__}", flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(main())
