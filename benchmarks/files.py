"""Files served in place, by us and by others, and read directly: ``python benchmarks/files.py``.

The same files are served by `mandeldask serve FOLDER` and by Tiled's `serve directory`, each in a process of its own,
and read by their own libraries in this process. Rounds are interleaved, so that a busy machine slows all alike; the
minimum is the cleaner number. Tiled is found on the PATH, or named by ``--tiled``; where it is missing it is left out.
(zarr-http-server serves Zarr stores only, none of these files.)

Printed are, in milliseconds: the first chunk of a TIFF that a server was just started for, a chunk that is in memory, a
chunk that is not (many chunks of one file, each once), and what a chunk costs more than reading it directly in this
process (reading, encoding and the mapping, no HTTP); the listing of 1000 files; and the memory of the server's process.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import tifffile

import mandeldask as md

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIDE, TILE = 4096, 256


def made(folder: Path, many: int) -> None:
    """Write the files: an image as TIFF, HDF5 and NPY, and a folder of `many` small arrays."""
    image = np.random.default_rng(0).integers(0, 4000, (SIDE, SIDE)).astype("u2")
    tifffile.imwrite(folder / "image.tif", image, tile=(TILE, TILE), compression="zlib")
    with h5py.File(folder / "image.h5", "w") as file:
        file.create_dataset("x", data=image, chunks=(TILE, TILE), compression="gzip", compression_opts=1)
    np.save(folder / "image.npy", image)
    (folder / "many").mkdir()
    for number in range(many):
        np.save(folder / "many" / f"{number}.npy", np.full((16,), number, "f4"))


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> bytes:
    """Return what is at a URL."""
    with urllib.request.urlopen(url, timeout=300) as reply:
        return bytes(reply.read())


@contextlib.contextmanager
def running(command: list[str], ready: str) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Run a server until it answers `ready`; yield it and the seconds that took."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while True:
                if process.poll() is not None:
                    msg = f"{command[0]} stopped with code {process.returncode}"
                    raise RuntimeError(msg)
                with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                    get(ready)
                    break
                time.sleep(0.05)
            yield process, time.perf_counter() - began
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def rss(process: subprocess.Popen[bytes]) -> float:
    """Return the MiB of memory that a process has (Linux)."""
    text = Path(f"/proc/{process.pid}/statm").read_text("ascii")
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def milliseconds(work: Callable[[], object]) -> float:
    """Return the milliseconds that a call takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


@dataclass(frozen=True)
class Server:
    """A server of the folder, and where things are."""

    name: str
    command: list[str]
    address: str
    image: str = "image.tif/c/{}/{}"
    listing: str = "many/"

    def get(self, path: str) -> bytes:
        """Return what is at a path below the address."""
        return get(f"{self.address}/{path}")

    def chunk(self, row: int, col: int) -> float:
        """Return the milliseconds that a chunk of the image takes; not a number where there is none."""
        try:
            return milliseconds(lambda: self.get(self.image.format(row, col)))
        except urllib.error.HTTPError:
            return float("nan")

    def report(self) -> None:
        """Start it, and print what it takes."""
        with running(self.command, f"{self.address}/zarr.json") as (process, ready):
            first = self.chunk(0, 0)
            kept = min(self.chunk(0, 0) for _ in range(20))
            unread = min(self.chunk(row, col) for row, col in product(range(1, 5), range(5)))
            listed = milliseconds(lambda: self.get(self.listing))
            numbers = f"{ready:>9.1f}{first:>9.1f}{kept:>9.2f}{unread:>9.2f}{listed:>9.1f}{rss(process):>9.0f}"
            print(f"{self.name:<14}{numbers}")


def servers(tiled: str | None, folder: Path) -> Iterator[Server]:
    """Yield the servers that are here, each at a port of its own."""
    port = free_port()
    ours = [sys.executable, "-m", "mandeldask", "serve", str(folder), "--root", "--port", str(port)]
    yield Server("mandeldask", ours, f"http://127.0.0.1:{port}/zarr/v3")
    if tiled:
        port = free_port()
        theirs = [tiled, "serve", "directory", str(folder), "--public", "--keep-ext", "--port", str(port)]
        yield Server("tiled", theirs, f"http://127.0.0.1:{port}/zarr/v3")


def served(tiled: str | None, folder: Path, rounds: int) -> None:
    """Print what servers take."""
    if not tiled:
        print("tiled is not here; left out")
    print(f"{'server':<14}{'ready s':>9}{'first':>9}{'kept':>9}{'unread':>9}{'list':>9}{'RSS MiB':>9}")
    for _ in range(rounds):
        for server in servers(tiled, folder):
            server.report()


TILES = [
    (slice(row * TILE, (row + 1) * TILE), slice(col * TILE, (col + 1) * TILE))
    for row, col in product(range(8), range(8))
]


def by_tifffile(folder: Path) -> None:
    """Read the tiles of the TIFF by tifffile."""
    with tifffile.TiffFile(folder / "image.tif") as file:
        page = file.pages[0]
        for rows, cols in TILES:
            number = rows.start // TILE * (SIDE // TILE) + cols.start // TILE
            file.filehandle.seek(page.dataoffsets[number])
            page.decode(file.filehandle.read(page.databytecounts[number]), number)


def by_h5py(folder: Path) -> None:
    """Read the chunks of the HDF5 file by h5py."""
    with h5py.File(folder / "image.h5", locking=False) as file:
        for window in TILES:
            file["x"][window]


def by_numpy(folder: Path) -> None:
    """Read tiles of the NPY file by numpy, which maps it."""
    array = np.load(folder / "image.npy", mmap_mode="r")
    for window in TILES:
        array[window].copy()


def direct(folder: Path, rounds: int) -> None:
    """Print what a chunk costs here, and what reading it by its library costs."""
    print(f"{'file':<12}{'library':>9}{'ours':>9}{'more':>9}   ms a chunk of {TILE} x {TILE}, best of {rounds}")
    for name, inner, library in (
        ("image.tif", "", by_tifffile),
        ("image.h5", "x", by_h5py),
        ("image.npy", "", by_numpy),
    ):
        node = md.open_path(folder / name)
        array = node.members[inner] if inner else node
        times = [
            (milliseconds(partial(library, folder)), milliseconds(lambda read=array.read: [*map(read, TILES)]))
            for _ in range(rounds)
        ]
        theirs, ours = (min(each) / len(TILES) for each in zip(*times, strict=True))
        print(f"{name:<12}{theirs:>9.3f}{ours:>9.3f}{ours - theirs:>9.3f}")


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--many", type=int, default=1000, help="files in the folder that is listed")
    parser.add_argument("--tiled", help="path of the command tiled")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made(folder, options.many)
        time.sleep(0.1)
        direct(folder, options.rounds)
        print()
        served(options.tiled or shutil.which("tiled"), folder, options.rounds)


if __name__ == "__main__":
    main()
