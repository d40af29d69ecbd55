"""A chunk in memory through each HTTP protocol that uvicorn has, and ours: ``python benchmarks/protocols.py``.

Every server runs in a separate process; rounds are interleaved. Times are those of one connection that asks again and
again, with eight headers as a browser sends them. Protocols that are not installed are named and left out.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import subprocess
import sys
import time
from statistics import median

OURS = "mandeldask"
PROTOCOLS = (OURS, "httptools", "h11", "zttp")

SERVER = """
import sys, numpy as np, uvicorn
from functools import partial
from mandeldask.app import create_app
from mandeldask.web.connections import Connections
from mandeldask.web.protocol import BoundedProtocol
name, port = sys.argv[1], int(sys.argv[2])
http = partial(BoundedProtocol, connections=Connections()) if name == "mandeldask" else name
app = create_app({"demo": {"a": np.zeros((512, 512), "u1")}}, places=False)
uvicorn.run(app, port=port, http=http, access_log=False, log_level="error")
"""

HEADERS = "".join(f"X-Header-{number}: {'y' * 40}\r\n" for number in range(7))
REQUEST = f"GET /zarr/v3/demo.zarr/a/c/0/0 HTTP/1.1\r\nHost: localhost\r\n{HEADERS}\r\n".encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=300, help="GETs a round")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        connections = {name: running(stack, name) for name in PROTOCOLS}
        there = {name: connection for name, connection in connections.items() if connection is not None}
        taken = {name: [] for name in there}
        for _ in range(options.rounds):
            for name, connection in there.items():
                taken[name] += [timed(connection) for _ in range(options.count)]
    print(f"{'':12}{'min ms':>8}{'median ms':>11}")
    for name, milliseconds in taken.items():
        print(f"{name:12}{min(milliseconds):8.3f}{median(milliseconds):11.3f}")


def running(stack: contextlib.ExitStack, name: str) -> socket.socket | None:
    """Return a connection to a server of that protocol, or None where it does not start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = stack.enter_context(
        subprocess.Popen([sys.executable, "-c", SERVER, name, str(port)], stderr=subprocess.DEVNULL)
    )
    stack.callback(process.kill)
    stop = time.monotonic() + 60
    while time.monotonic() < stop and process.poll() is None:
        with contextlib.suppress(OSError):
            return stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
        time.sleep(0.2)
    print(f"{name}: not installed, left out")
    return None


def timed(connection: socket.socket) -> float:
    """Return the milliseconds of one GET."""
    began = time.perf_counter()
    connection.sendall(REQUEST)
    received = connection.recv(2**20)
    while b"\r\n\r\n" not in received:
        received += connection.recv(2**20)
    head, _, body = received.partition(b"\r\n\r\n")
    missing = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]) - len(body)
    while missing > 0:
        missing -= len(connection.recv(2**20))
    return (time.perf_counter() - began) * 1e3


if __name__ == "__main__":
    main()
