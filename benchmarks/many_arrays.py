"""What a server of many small arrays takes to open, and how long its health check waits meanwhile.

python benchmarks/many_arrays.py [ARRAYS ...]
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

import httpx
import numpy as np
import zarr

import mandeldask as md

if TYPE_CHECKING:
    from collections.abc import Callable


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(count: int) -> None:
    tree = {f"a{index}": np.arange(16, dtype="f4") + index for index in range(count)}
    cpu, began = time.process_time(), time.perf_counter()
    with md.serve({"many": tree}, background=True) as server:
        started = time.process_time() - cpu, time.perf_counter() - began
        waits, stop = [], threading.Event()

        def watch() -> None:
            with httpx.Client(base_url=server.address) as client:
                while not stop.is_set():
                    waits.append(timed(lambda: client.get("/healthz")))
                    time.sleep(0.01)

        watcher = threading.Thread(target=watch)
        watcher.start()
        for version in ("v3", "v2"):
            opened = timed(lambda version=version: zarr.open_group(server.url(version), mode="r"))
            listed = timed(lambda version=version: httpx.get(f"{server.url(version)}/", timeout=100))
            read = timed(lambda version=version: zarr.open_group(server.url(version), mode="r")["a5"][:])
            print(f"{count:7} arrays, {version}: open {opened:6.3f} s, list {listed:6.3f} s, read one {read:6.3f} s")
        stop.set()
        watcher.join()
    waits.sort()
    health = f"/healthz median {waits[len(waits) // 2]:.4f} s, longest {waits[-1]:.3f} s"
    print(f"{count:7} arrays: serve() {started[0]:.2f} CPU s, {started[1]:.2f} s; {health}")


if __name__ == "__main__":
    for argument in sys.argv[1:] or ("1000", "2000", "10000"):
        measure(int(argument))
