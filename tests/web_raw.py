"""A client that sends any bytes, and random requests for it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

METHODS = ["GET"] * 12 + ["HEAD"] * 4 + ["OPTIONS", "PUT", "POST", "DELETE", "PROPFIND"]
SPEC = "re-0.75_im0.1_width0.001_levels4_maxiter50_iterations"
SEGMENTS = [
    *["zarr", "v2", "v3", "demo.zarr", "pid", "c", "0", "7", "zarr.json"] * 4,
    *[".zgroup", ".zarray", ".zattrs", ".zmetadata", "a", "at", f"{SPEC}.zarr", f"{SPEC}x.zarr", "key", "metrics"],
    *["viewer", "index.html", "healthz", "readyz", "", ".", "..", "%00", "%2F", "%ff", "%E2%88%9E", "-1", "00", "+1"],
    *["9" * 30, "1e3", "٣".encode().hex(), "demo-0123456789abcdef.zarr", "c%2f0", "*", "~", "a b".replace(" ", "%20")],
]
PREFIXES = ["/zarr/v3/demo.zarr/pid/c", "/zarr/v2/demo.zarr/pid", "/zarr/v3/demo.zarr", "/zarr/v3", "/zarr/v2", "", ""]
HEADERS = {
    "Range": [
        "bytes=0-3",
        "bytes=-1",
        "bytes=5-",
        "bytes=9-2",
        "bytes=0-0,2-3",
        "bytes=-",
        "lines=1",
        "bytes=" + "9" * 99,
    ],
    "If-None-Match": ["*", '"x"', 'W/"x", "y', "x", ",,,", '"' * 50],
    "If-Match": ["*", '"x"', "", "\\"],
    "If-Range": ['"x"', "Sat, 21 Nov 2026 08:00:00 GMT", ""],
    "If-Modified-Since": ["Sat, 21 Nov 2026 08:00:00 GMT", "yesterday"],
    "Accept-Encoding": ["gzip", "gzip;q=0", "br, zstd", "*;q=0.5", "gzip;q=x", "identity;q=0"],
    "Origin": ["null", "https://example.org", "x" * 500],
    "Access-Control-Request-Method": ["GET", "BREW"],
    "Authorization": ["Bearer x", "Basic Og==", "garbage", "Apikey \xff"],
    "X-API-Key": ["x", "\xe9"],
    "Priority": ["u=1, i", "u=9", "u=,,"],
    "Sec-Purpose": ["prefetch", "x"],
    "Upgrade": ["websocket", "h2c"],
    "Connection": ["keep-alive", "Upgrade"],
    "Host": ["", "elsewhere", "a" * 300],
    "X-" + "y" * 50: ["z" * 2000],
}


def request(source: random.Random) -> tuple[str, bytes]:
    """A method and a whole random request."""
    method = source.choice(METHODS)
    path = source.choice(PREFIXES) + "".join("/" + source.choice(SEGMENTS) for _ in range(source.randrange(5)))
    query = source.choice(["", "", "", "?", "?api_key=x", "?a=1&a=2", "?" + "&" * 20])
    lines = [f"{method} {path or '/'}{query} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {source.choice(HEADERS[name])}" for name in source.sample(list(HEADERS), source.randrange(5))]
    return method, "\r\n".join([*lines, "", ""]).encode("latin-1")


class Raw:
    """One connection, opened again where the server has closed it."""

    def __init__(self, address: str) -> None:
        host, port = address.removeprefix("http://").split(":")
        self.where = host, int(port)
        self.connection = None

    def ask(self, method: str, raw: bytes) -> int:
        """Return the status; the body is read and dropped."""
        if self.connection is None:
            self.connection = socket.create_connection(self.where, timeout=120)
            self.stream = self.connection.makefile("rb")
        self.connection.sendall(raw)
        status = int(self.stream.readline().split()[1])
        headers = {}
        while line := self.stream.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if method != "HEAD" and status not in {204, 304}:
            assert len(self.stream.read(int(headers.get("content-length", 0)))) == int(headers.get("content-length", 0))
        if "close" in headers.get("connection", "") or ("content-length" not in headers and status not in {204, 304}):
            self.close()
        return status

    def close(self) -> None:
        if self.connection is not None:
            self.stream.close()
            self.connection.close()
        self.connection = None
