"""Limits of one connection, and when it is closed: raw bytes over real sockets."""

from __future__ import annotations

import contextlib
import resource
import socket
import time

import numpy as np
import pytest

from mandeldask.web import protocol
from mandeldask.web.connections import Connections
from mandeldask.zarrview.nodes import Array
from slow_array import Slow
from web_server import process, serving, until

CHUNK = "/zarr/v3/demo.zarr/slow/c/{}/0"
SMALL = "/zarr/v3/demo.zarr/image/c/0/0"


def connected(client):
    host, port = client.handle.address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def get(path, *headers, version="1.1"):
    return "\r\n".join([f"GET {path} HTTP/{version}", "Host: 127.0.0.1", *headers, "", ""]).encode("latin-1")


def rest(connection):
    """All that arrives until the connection closes."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(2**16):
            received += part
    return received


@pytest.mark.parametrize(
    "header",
    [
        "Range: bytes=0-" + " " * 31_000 + "x",
        "Range: bytes=" + "0" * 31_000 + "-",
        "If-None-Match: " + '"a" ' * 7_000,
        "If-None-Match: " + " " * 31_000 + "x",
        "Accept-Encoding: " + "gzip ;" + " " * 31_000 + "x",
        "Accept-Encoding: " + ", " * 15_000,
        "Priority: u" + " " * 31_000 + "x",
        "Origin: " + "x" * 31_000,
    ],
)
def test_long_headers_do_not_hold_the_server(header):
    with serving() as client, connected(client) as connection:
        connection.sendall(get(SMALL, header, "Connection: close"))
        assert client.get("/healthz", timeout=60).status_code == 200
        assert rest(connection).startswith(b"HTTP/1.1 20")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 300_000,
        b"GET / HTTP/1.1\r\nX: " + b"y" * 2**22,
        b"GET /" + b"y" * 2**20,
        b"GET / HTTP/1.1\r\n" + b"y" * 2**20,
    ],
)
def test_a_head_past_its_bound_is_431_and_closes(head, monkeypatch):
    with serving() as client, connected(client) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(head)
        reply = rest(connection)
        assert reply.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ")) or not reply  # a reset may overtake it
        assert client.get("/healthz").status_code == 200


def test_the_largest_head_is_served():
    with serving() as client, connected(client) as connection:
        lines = [f"X-{number}: {'y' * 300}" for number in range(90)]
        connection.sendall(get(SMALL, *lines, "Connection: close"))
        assert rest(connection).startswith(b"HTTP/1.1 200 ")


def test_what_is_no_request_is_json_too():
    with serving() as client, connected(client) as connection:
        connection.sendall(b"hello\r\n\r\n")
        reply = rest(connection)
        assert reply.startswith(b"HTTP/1.1 400 ")
        assert b"application/json" in reply
        assert b'{"detail": ' in reply


def test_connections_that_send_nothing_or_too_slowly_are_closed(monkeypatch):
    monkeypatch.setattr(protocol, "REQUEST_S", 0.3)
    with serving() as client, connected(client) as silent, connected(client) as slow, connected(client) as blank:
        slow.sendall(b"GET / HT")
        blank.sendall(b"\r\n")
        assert rest(silent) == b""
        assert rest(slow).startswith(b"HTTP/1.1 408 ")
        assert rest(blank).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_never_ends_is_dropped_and_its_connection_closed(monkeypatch):
    monkeypatch.setattr(protocol, "REQUEST_S", 0.3)
    with serving() as client, connected(client) as endless, connected(client) as long:
        endless.sendall(get(SMALL, "Content-Length: 1000"))
        assert rest(endless).startswith(b"HTTP/1.1 200 ")
        with contextlib.suppress(ConnectionError):
            long.sendall(get(SMALL, "Transfer-Encoding: chunked") + b"10000\r\n" + b"x" * 2**22)
        rest(long)
        assert client.get("/healthz").status_code == 200


def test_pipelined_requests_are_answered_in_order():
    slow = Slow(0.05)
    with serving({"demo": {"slow": slow.array()}}) as client, connected(client) as connection:
        connection.sendall(b"".join(get(CHUNK.format(n)) for n in range(5)) + get("/healthz", "Connection: close"))
        replies = rest(connection).split(b"HTTP/1.1 ")[1:]
        assert len(replies) == 6
        bodies = [reply.partition(b"\r\n\r\n")[2] for reply in replies]
        paths = [*(CHUNK.format(n) for n in range(5)), "/healthz"]
        assert bodies == [client.get(path, headers={"accept-encoding": "identity"}).content for path in paths]


def test_more_requests_ahead_than_are_taken_are_not_answered():
    slow = Slow(0.2)
    with serving({"demo": {"slow": slow.array()}}) as client, connected(client) as connection:
        connection.sendall(get(CHUNK.format(1)) + get("/healthz") * 100)
        replies = rest(connection).split(b"HTTP/1.1 ")[1:]
        assert len(replies) == protocol.MAX_AHEAD
        assert b"connection: close" in replies[-1].lower()


def test_pipelined_requests_of_clients_that_left_are_not_computed():
    slow = Slow(5.0)
    with serving({"demo": {"slow": slow.array()}}, threads=2) as client:
        for number in range(30):
            with connected(client) as connection:
                connection.sendall(get(CHUNK.format(2 * number)))
                connection.sendall(get(CHUNK.format(2 * number + 1)))
        assert until(lambda: len(client.handle._server.server_state.connections) <= 1)
        assert until(lambda: "mandeldask_chunks_running 0.0" in client.get("/metrics").text)
        slow.seconds = 0.01
        assert client.get(CHUNK.format(99)).status_code == 200
        assert slow.ended == 1


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_half_closed_client_gets_its_answer(version):
    with serving({"demo": {"slow": Slow(0.02).array()}}) as client, connected(client) as connection:
        connection.sendall(get(CHUNK.format(1), version=version))
        connection.shutdown(socket.SHUT_WR)
        assert rest(connection).startswith(b"HTTP/1.1 200 ")


def test_a_half_closed_client_that_waits_longer_gets_interim_replies_first():
    with serving({"demo": {"slow": Slow(1.0).array()}}) as client, connected(client) as connection:
        connection.sendall(get(CHUNK.format(1)))
        connection.shutdown(socket.SHUT_WR)
        interim, _, reply = rest(connection).partition(b"\r\n\r\n")
        assert interim == b"HTTP/1.1 100 Continue"
        assert reply.startswith(b"HTTP/1.1 200 ")


def test_a_client_that_reads_nothing_is_dropped(monkeypatch):
    monkeypatch.setattr(protocol, "STALLED_S", 0.2)
    data = np.random.default_rng(0).integers(0, 255, (5000, 5000), "u1")
    large = Array(data.shape, data.dtype, lambda window: data[window], data.shape, dims=("y", "x"), fingerprint="large")
    with serving({"demo": {"large": large}}) as client:
        path = "/zarr/v3/demo.zarr/large/c/0/0"
        client.get(path)
        with connected(client) as connection:
            connection.sendall(get(path))
            time.sleep(1.5)
            assert len(rest(connection)) < data.nbytes * 0.7


def test_idle_connections_go_for_new_ones():
    with serving() as client:
        connections = client.handle._server.config.http_protocol_class.keywords["connections"]
        connections.most = 10
        with contextlib.ExitStack() as stack:
            idle = [stack.enter_context(connected(client)) for _ in range(50)]
            assert client.get("/healthz").status_code == 200
            assert rest(idle[0]) == b""


def test_a_connection_is_refused_only_where_all_others_are_busy():
    with serving({"demo": {"slow": Slow(2.0).array()}}) as client:
        connections = client.handle._server.config.http_protocol_class.keywords["connections"]
        connections.most = 3
        with contextlib.ExitStack() as stack:
            busy = [stack.enter_context(connected(client)) for _ in range(3)]
            for number, connection in enumerate(busy):
                connection.sendall(get(CHUNK.format(number)))
            assert until(lambda: not connections._idle)
            with connected(client) as refused:
                assert rest(refused).startswith(b"HTTP/1.1 503 ")


def test_the_descriptors_of_a_process_are_enough():
    with process("ulimit -n 120") as (_, address), contextlib.ExitStack() as stack:
        host, port = address.removeprefix("http://").split(":")
        for _ in range(150):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=60))
        time.sleep(0.3)
        with socket.create_connection((host, int(port)), timeout=60) as visitor:
            visitor.sendall(get("/healthz", "Connection: close"))
            assert rest(visitor).startswith(b"HTTP/1.1 200 ")


def test_unless_told_the_system_bounds_connections():
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert Connections().most <= (soft if soft > 0 else 2**63)
    assert Connections(7).most == 7
