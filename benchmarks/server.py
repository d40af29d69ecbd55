"""A chunk that is in memory, served by mandeldask and by other servers: ``python benchmarks/server.py``.

Every server runs in a separate process and serves the same array, 512² bytes in one chunk. Rounds are interleaved, so
that a busy machine slows all of them alike. Latency is that of one connection that asks again and again (the minimum is
less affected by load on a shared machine); throughput is wrk's, over 8 connections, if wrk is installed, and the CPU
time of a request is the server's during it. All Python servers run in uvicorn with its faster loop and parser.

Peers are found in folders of virtual environments (``--venvs``, made by ``--install``), nginx on the PATH. Missing
peers are named and left out.

"cold" is the first GET of a chunk of ours whose kernel takes no time: what a server adds to a kernel, gzip included.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = "import sys, numpy as np\ndata, port = np.load(sys.argv[1]), int(sys.argv[2])\n"

OURS = (
    HEAD
    + """
from mandeldask.app import serve
from mandeldask.zarrview.nodes import Array
many = Array((512 * 1000, 512), data.dtype, lambda window: data, (512, 512), ("y", "x"), fingerprint="many")
serve({"demo": {"a": data, "many": many}}, port=port, places=False)
"""
)

TILED = (
    HEAD
    + """
import uvicorn
from tiled.adapters.array import ArrayAdapter
from tiled.adapters.mapping import MapAdapter
from tiled.config import Authentication
from tiled.server.app import build_app
tree = MapAdapter({"a": ArrayAdapter.from_array(data)})
uvicorn.run(build_app(tree, Authentication(allow_anonymous_access=True)), port=port, log_level="error")
"""
)

XPUBLISH = (
    HEAD
    + """
import uvicorn, xarray as xr, xpublish
rest = xpublish.Rest({"demo": xr.Dataset({"a": (("y", "x"), data)})})
uvicorn.run(rest.app, port=port, log_level="error")
"""
)

ZARR_HTTP_SERVER = (
    HEAD
    + """
import uvicorn, zarr
from zarr_http_server import store_app
store = zarr.storage.MemoryStore()
zarr.create_array(store, name="a", data=data, chunks=data.shape)
uvicorn.run(store_app(store), port=port, log_level="error")
"""
)

NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; {user}
events {{}}
http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; root {folder}/files; }} }}
"""


@dataclass(frozen=True)
class Peer:
    """A server to compare with."""

    name: str
    path: str
    """URL path of the chunk."""
    script: str
    """Program that serves it, given a file of the array and a port."""
    packages: tuple[str, ...] = ()
    """What its environment needs; none: this environment."""


PEERS = (
    Peer("mandeldask", "/zarr/v3/demo.zarr/a/c/0/0", OURS),
    Peer("nginx", "/chunk", ""),
    Peer("zarr-http-server", "/a/c/0/0", ZARR_HTTP_SERVER, ("zarr-http-server", "uvicorn[standard]")),
    Peer("tiled", "/zarr/v3/a/c/0/0", TILED, ("tiled[all]", "uvicorn[standard]")),
    Peer("xpublish", "/datasets/demo/zarr/a/c/0/0", XPUBLISH, ("xpublish", "xpublish-zarr", "uvicorn[standard]")),
)


@dataclass(frozen=True)
class Running:
    """A server that runs."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Return the CPU time that it and its workers have used, or nan where the system does not say."""
        try:
            workers = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            return sum(cpu_seconds(int(pid)) for pid in (self.pid, *workers))
        except OSError:
            return math.nan


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def command(peer: Peer, venvs: Path, folder: Path, port: int) -> list[str] | None:
    """Return the command that starts `peer`, or None where it is not installed."""
    if peer.name == "nginx":
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, user="user root;" if root() else ""))
        return nginx and [nginx, "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    python = Path(sys.executable) if not peer.packages else venvs / peer.name / "bin/python"
    return [str(python), "-c", peer.script, str(folder / "data.npy"), str(port)] if python.exists() else None


def root() -> bool:
    """Return whether this is root, whose files nginx's workers could not read."""
    return os.geteuid() == 0


@contextlib.contextmanager
def running(peer: Peer, venvs: Path, folder: Path) -> Iterator[Running | None]:
    """Start `peer` and yield it once it serves the chunk; None where it cannot."""
    port = free_port()
    starting = command(peer, venvs, folder, port)
    if starting is None:
        print(f"{peer.name}: not installed, left out")
        yield None
        return
    with subprocess.Popen(starting, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield Running(port, process.pid) if serves(peer, port, process) else None
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()


def serves(peer: Peer, port: int, process: subprocess.Popen[bytes], seconds: float = 60) -> bool:
    """Return whether the server answers the chunk with 200 soon."""
    stop = time.monotonic() + seconds
    while time.monotonic() < stop and process.poll() is None:
        with contextlib.suppress(OSError, IndexError), socket.create_connection(("127.0.0.1", port), 5) as connection:
            status, _ = get(connection, peer.path)
            if status == 200:
                return True
        time.sleep(0.2)
    print(f"{peer.name}: does not serve {peer.path}, left out")
    return False


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def get(connection: socket.socket, path: str) -> tuple[int, int]:
    """Return the status and length of one GET; it costs the client as little as can be."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    received = connection.recv(2**20)
    while b"\r\n\r\n" not in received:
        received += connection.recv(2**20)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)[1])
    missing = length - len(body)
    while missing > 0:
        missing -= len(connection.recv(2**20))
    return int(head.split()[1]), length


def cold_paths(turn: int, count: int = 50) -> list[str]:
    """Return paths of chunks not asked for yet."""
    return [f"/zarr/v3/demo.zarr/many/c/{number}/0" for number in range(turn * count, (turn + 1) * count)]


def latencies(port: int, paths: list[str]) -> list[float]:
    """Return the milliseconds of each GET over one connection."""
    taken = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for path in paths:
            began = time.perf_counter()
            get(connection, path)
            taken.append((time.perf_counter() - began) * 1e3)
    return taken


def throughput(server: Running, path: str, seconds: int = 2) -> tuple[float, float] | None:
    """Return requests a second over 8 connections, and CPU microseconds of each, where wrk is installed."""
    if shutil.which("wrk") is None:
        return None
    wrk = ["wrk", "-t1", "-c8", f"-d{seconds}s", f"http://127.0.0.1:{server.port}{path}"]
    before = server.cpu_seconds()
    report = subprocess.run(wrk, capture_output=True, text=True, check=True).stdout
    used = server.cpu_seconds() - before
    count = int(re.search(r"(\d+) requests in", report)[1])
    return float(re.search(r"Requests/sec: *([\d.]+)", report)[1]), used / count * 1e6


def install(venvs: Path, python: str) -> None:
    """Make the environments of the peers."""
    for peer in PEERS:
        if peer.packages:
            subprocess.run([python, "-m", "venv", str(venvs / peer.name)], check=True)
            subprocess.run([str(venvs / peer.name / "bin/pip"), "install", "-q", *peer.packages], check=False)


def measured(
    rounds: int, count: int, venvs: Path, folder: Path
) -> tuple[dict[str, list[float]], dict[str, list[tuple[float, float]]]]:
    """Return latencies and throughputs by peer."""
    taken, rates = defaultdict(list), defaultdict(list)
    with contextlib.ExitStack() as stack:
        started = {peer: stack.enter_context(running(peer, venvs, folder)) for peer in PEERS}
        there = {peer: server for peer, server in started.items() if server is not None}
        for turn in range(rounds):
            taken["mandeldask, cold"] += latencies(there[PEERS[0]].port, cold_paths(turn))
            for peer, server in there.items():
                taken[peer.name] += latencies(server.port, [peer.path] * count)
                rate = throughput(server, peer.path)
                rates[peer.name] += [] if rate is None else [rate]
    return taken, rates


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=200, help="GETs a round")
    parser.add_argument("--venvs", type=Path, default=Path(".venvs-bench"))
    parser.add_argument(
        "--install", metavar="PYTHON", help="first make the peers' environments with this Python (>= 3.12)"
    )
    options = parser.parse_args()
    if options.install:
        install(options.venvs, options.install)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "files").mkdir()
        rows, cols = np.ogrid[:512, :512]
        data = ((rows // 16) ^ (cols // 16)).astype("u1")
        np.save(folder / "data.npy", data)
        (folder / "files/chunk").write_bytes(gzip.compress(data.tobytes(), 1))
        taken, rates = measured(options.rounds, options.count, options.venvs, folder)
    print(f"{'':18}{'min ms':>8}{'median ms':>11}{'requests/s':>12}{'CPU µs':>8}")
    for peer, milliseconds in taken.items():
        wide = [median(column) for column in zip(*rates[peer], strict=True)]
        rate = f"{wide[0]:12.0f}{wide[1]:8.0f}" if wide else ""
        print(f"{peer:18}{min(milliseconds):8.3f}{median(milliseconds):11.3f}{rate}")


if __name__ == "__main__":
    main()
