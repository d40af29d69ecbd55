"""Servers for the tests: real sockets on 127.0.0.1, since in-process transports hide disconnects."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from mandeldask.web.application import create_app
from mandeldask.web.serving import serve_in_background
from mandeldask.web.settings import Settings

PROCESS = Path(__file__).with_name("web_process.py")

TREE = {
    "image": np.arange(12, dtype="u2").reshape(3, 4),
    "deep": {"vector": np.arange(5.0), "scalar": np.float64(7.5)},
}


@contextlib.contextmanager
def serving(trees=None, places=None, root=None, drain_s=5, **settings):
    """A running server and an HTTP client of it."""
    app = create_app(
        {"demo": TREE} if trees is None else trees, root=root, settings=Settings(**settings), places=places
    )
    with (
        serve_in_background(app, "127.0.0.1", 0, drain_s=drain_s) as handle,
        httpx.Client(base_url=handle.address, timeout=120) as client,
    ):
        client.handle = handle
        yield client


def abandon(address, path, after=0.05):
    """Send a GET and close the connection `after` so many seconds, without waiting for the reply."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        time.sleep(after)


def until(condition, seconds=60):
    """Wait for something that happens soon, but late where others use the machine."""
    stop = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < stop:
        time.sleep(0.01)
    return met


@contextlib.contextmanager
def process(shell="", **options):
    """A server in a process of its own, started after the commands `shell`, and its address."""
    command = [sys.executable, str(PROCESS), json.dumps({"port": 0, **options})]
    if shell:
        command = ["sh", "-c", f'{shell} && exec "$@"', "sh", *command]
    with (
        tempfile.TemporaryFile("w+") as errors,  # a pipe that is never read would fill and stop the server
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as running,
    ):
        running.errors = errors
        try:
            address = running.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), running.returncode
            yield running, address
        finally:
            running.kill()
