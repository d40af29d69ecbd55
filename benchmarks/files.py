"""Files served in place, by mandeldask and by other servers, and read directly: ``python benchmarks/files.py``.

The same files are served by `mandeldask serve FOLDER`, by Tiled's `serve directory` and by zarr-http-server (the Zarr
store only: it supports no other files), each in a separate process, and read by their own libraries in this process.
Servers take turns, so that a busy machine slows all of them equally; the minimum is less affected. Other servers are
given by ``--tiled`` (the command) and ``--zarr-http-server`` (a Python that has it), and left out otherwise.

It prints, for a window of 256 x 256 pixels of each file, in milliseconds: the first one after the start, one that was
read before, one that was not, and the bytes received for it; the listing of 1000 files; and the memory of the server's
process. Then the CPU time that reading a chunk through our tree takes more than reading it by the library, in this
process, without encoding or HTTP.
"""

from __future__ import annotations

import argparse
import contextlib
import json
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
import zarr

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
    zarr.create_array(folder / "image.zarr", data=image, chunks=(TILE, TILE))
    (folder / "many").mkdir()
    for number in range(many):
        np.save(folder / "many" / f"{name_of(number)}.npy", np.full((16,), number, "f4"))


def name_of(number: int) -> str:
    """Return a number in letters: Tiled takes numbered files for one sequence."""
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


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


def milliseconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the milliseconds that a call takes."""
    began = clock()
    work()
    return (clock() - began) * 1000


ARRAYS = ("image.tif", "image.h5/x", "image.npy", "image.zarr")
"""Where the image is in each file."""


@dataclass(frozen=True)
class Server:
    """A server of the folder, and where things are."""

    name: str
    command: list[str]
    address: str
    """URL of the folder, in Zarr v3."""
    ready: str
    """URL that is there once the server is."""
    arrays: dict[str, str]
    """URL of the image in each file."""
    listing: str | None
    """URL that lists the folder of many files."""

    def report(self) -> None:
        """Start it, and print what it takes."""
        with running(self.command, self.ready) as (process, ready):
            print(f"{self.name}: ready after {ready:.1f} s")
            for name, url in self.arrays.items():
                window = Windows.of(url)
                try:
                    first, size = window.taken(0, 0)
                except urllib.error.HTTPError as error:  # Tiled has no chunks of Zarr v3 stores
                    print(f"  {name:<12}    {error}")
                    continue
                kept = min(window.taken(0, 0)[0] for _ in range(20))
                unread = [window.taken(row, col)[0] for row, col in product(range(1, 5), range(5))]
                print(f"  {name:<12}{first:>9.1f}{kept:>9.2f}{min(unread):>9.2f}{size / 2**20:>9.2f}")
            listed = milliseconds(lambda: get(self.listing or "")) if self.listing else float("nan")
            print(f"  listing {listed:.1f} ms, memory {rss(process):.0f} MiB")


@dataclass(frozen=True)
class Windows:
    """Windows of 256 x 256 pixels of a served image: the chunk that each is in, by its metadata."""

    url: str
    sides: tuple[int, int]

    @classmethod
    def of(cls, url: str) -> Windows:
        """Return those of the image at a URL."""
        grid = json.loads(get(f"{url}/zarr.json"))["chunk_grid"]
        return cls(url, tuple(grid["configuration"]["chunk_shape"]))

    def taken(self, row: int, col: int) -> tuple[float, int]:
        """Return the milliseconds and bytes that a window takes."""
        at = [place * TILE // side for place, side in zip((row, col), self.sides, strict=True)]
        began = time.perf_counter()
        size = len(get(f"{self.url}/c/{at[0]}/{at[1]}"))
        return (time.perf_counter() - began) * 1000, size


def servers(options: argparse.Namespace, folder: Path) -> Iterator[Server]:
    """Yield the servers that are here, each at a port of its own."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/zarr/v3"
    ours = [sys.executable, "-m", "mandeldask", "serve", str(folder), "--root", "--port", str(port)]
    arrays = {name: f"{url}/{name}" for name in ARRAYS}
    yield Server("mandeldask", ours, url, f"{url}/zarr.json", arrays, f"{url}/many/")
    if options.tiled:
        port = free_port()
        url = f"http://127.0.0.1:{port}/zarr/v3"
        theirs = [options.tiled, "serve", "directory", str(folder), "--public", "--keep-ext", "--port", str(port)]
        arrays = {name: f"{url}/{name}" for name in ARRAYS}
        ready = (
            f"{url}/many/{name_of(options.many - 1)}.npy/zarr.json"  # files are registered one by one, this one late
        )
        yield Server("tiled", theirs, url, ready, arrays, f"{url}/many/")
    if options.zarr_http_server:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        store = folder / "image.zarr"
        program = (
            "import zarr_http_server as z; from zarr.storage import LocalStore; "
            f"z.serve(z.store_app(LocalStore({str(store)!r})), port={port})"
        )
        yield Server(
            "zarr-http-server",
            [options.zarr_http_server, "-c", program],
            url,
            f"{url}/zarr.json",
            {"image.zarr": url},
            None,
        )


def served(options: argparse.Namespace, folder: Path) -> None:
    """Print what servers take."""
    print(f"{'':<14}{'first':>9}{'kept':>9}{'unread':>9}{'MiB':>9}   ms for a window of {TILE} x {TILE}")
    for _ in range(options.rounds):
        for server in servers(options, folder):
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


cpu = partial(milliseconds, clock=time.process_time)
"""Milliseconds of CPU, which a busy machine changes least."""


def direct(folder: Path, rounds: int) -> None:
    """Print what a chunk costs here, and what reading it by its library costs."""
    print(f"{'file':<12}{'library':>9}{'ours':>9}{'more':>9}   CPU ms a chunk of {TILE} x {TILE}, best of {rounds}")
    for name, inner, library in (
        ("image.tif", "", by_tifffile),
        ("image.h5", "x", by_h5py),
        ("image.npy", "", by_numpy),
    ):
        node = md.open_path(folder / name)
        array = node.members[inner] if inner else node
        times = [
            (cpu(partial(library, folder)), cpu(lambda read=array.read: [*map(read, TILES)])) for _ in range(rounds)
        ]
        theirs, ours = (min(each) / len(TILES) for each in zip(*times, strict=True))
        print(f"{name:<12}{theirs:>9.3f}{ours:>9.3f}{ours - theirs:>9.3f}")


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--many", type=int, default=1000, help="files in the folder that is listed")
    parser.add_argument("--tiled", default=shutil.which("tiled"), help="path of the command tiled")
    parser.add_argument("--zarr-http-server", metavar="PYTHON", help="a Python that has zarr_http_server")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made(folder, options.many)
        time.sleep(0.1)
        direct(folder, options.rounds)
        print()
        served(options, folder)


if __name__ == "__main__":
    main()
