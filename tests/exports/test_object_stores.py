"""Exports to S3, by both families of clients, from a server that fails now and then."""

from __future__ import annotations

import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import httpx
import numpy as np
import obstore.store
import pytest
import zarr
from zarr.storage import FsspecStore, ObjectStore

import mandeldask as md
from positions import position_kernel

moto = pytest.importorskip("moto.server")
s3fs = pytest.importorskip("s3fs")

SECRET = "not-to-be-printed"


@pytest.fixture(scope="module")
def s3():
    """Address of an S3 server on loopback."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    httpx.put(f"{address}/bucket")
    yield address
    server.stop()


class Unreliable(BaseHTTPRequestHandler):
    """Passes requests on; every fourth is answered 503, every ninth is cut off."""

    protocol_version = "HTTP/1.1"
    upstream = ""
    count = itertools.count(1)
    failed: ClassVar[list[int]] = []

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        number = next(self.count)
        if number % 9 == 0:
            self.failed.append(0)
            self.close_connection = True
            self.connection.close()
            return
        if number % 4 == 0:
            self.failed.append(503)
            self._answer(503, [], b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>")
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        reply = httpx.request(self.command, self.upstream + self.path, headers=headers, content=body)
        kept = [
            (name, value)
            for name, value in reply.headers.items()
            if name not in {"transfer-encoding", "connection", "content-encoding", "date", "server"}
        ]
        self._answer(reply.status_code, kept, reply.content)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass_on  # noqa: N815  names that http.server calls

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name != "content-length" or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def proxy(s3):
    Unreliable.upstream, Unreliable.failed = s3, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Unreliable)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def by_s3fs(address, name):
    options = {
        "key": "anyone",
        "secret": SECRET,
        "endpoint_url": address,
        "client_kwargs": {"region_name": "us-east-1"},
    }
    return f"s3://bucket/{name}", options


def by_obstore(address, name):
    store = obstore.store.S3Store(
        "bucket",
        prefix=name,
        endpoint=address,
        access_key_id="anyone",
        secret_access_key=SECRET,
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    return ObjectStore(store), None


@pytest.fixture
def tree():
    return md.open_pyramid(levels=4, tilesize=16, kernel=position_kernel)


def read(target, options):
    store = FsspecStore.from_url(target, storage_options=options) if isinstance(target, str) else target
    return zarr.open_group(store, mode="r")["3/iterations"][...]


@pytest.mark.parametrize("client", [by_s3fs, by_obstore])
def test_an_export_to_s3_reads_back_equal(s3, tree, client):
    target, options = client(s3, f"{client.__name__}.zarr")
    written = md.export(tree, target, levels=[2, 3], storage_options=options)
    assert np.array_equal(read(target, options), tree["3/iterations"].values)
    assert md.verify(target, tree, sample=None, storage_options=options).ok
    assert md.export(tree, target, levels=[2, 3], storage_options=options).written == 0
    assert written.written == written.chunks
    assert SECRET not in repr(written)


@pytest.mark.parametrize("client", [by_s3fs, by_obstore])
def test_nothing_is_lost_where_requests_fail(proxy, tree, client):
    target, options = client(proxy, f"unreliable-{client.__name__}.zarr")
    md.export(tree, target, levels=[3], storage_options=options)
    assert np.array_equal(read(target, options), tree["3/iterations"].values)
    assert len(Unreliable.failed) > 3
    assert md.verify(target, tree, sample=None, storage_options=options).ok
