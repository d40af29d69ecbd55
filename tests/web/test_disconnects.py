"""Many concurrent clients, some of which disconnect early."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

from mandeldask.cancellation import current
from mandeldask.zarrview.nodes import Array
from slow_array import Slow
from web_server import abandon, serving, until

CHUNK = "/zarr/v3/demo.zarr/slow/c/{}/0"


def test_identical_requests_compute_once():
    slow = Slow(0.3)
    with serving({"demo": {"slow": slow.array()}}) as client:
        with ThreadPoolExecutor(32) as threads:
            replies = list(threads.map(client.get, [CHUNK.format(7)] * 32))
        assert {reply.status_code for reply in replies} == {200}
        assert len({reply.content for reply in replies}) == 1
        assert (slow.began, slow.ended) == (1, 1)


def test_abandoned_requests_stop_computing():
    slow, threads = Slow(0.6), 2
    with serving({"demo": {"slow": slow.array()}}, threads=threads) as client:
        address = client.handle.address
        with ThreadPoolExecutor(60) as clients:
            list(clients.map(lambda n: abandon(address, CHUNK.format(n)), range(60)))
        assert client.get(CHUNK.format(100)).status_code == 200
        assert slow.ended <= threads + 1
        metrics = client.get("/metrics").text
        assert 'mandeldask_requests_total{route="chunk",status="499"} 60.0' in metrics
        assert "mandeldask_chunks_running 0.0" in metrics
        assert f"mandeldask_chunks_computed_total {slow.ended}.0" in metrics


def test_one_of_two_waiters_leaving_stops_nothing():
    slow = Slow(0.5)
    with serving({"demo": {"slow": slow.array()}}) as client:
        address = client.handle.address
        with ThreadPoolExecutor(2) as threads:
            staying = threads.submit(client.get, CHUNK.format(3))
            assert until(lambda: slow.began)
            threads.submit(abandon, address, CHUNK.format(3))
        assert staying.result().status_code == 200
        assert (slow.began, slow.ended) == (1, 1)


def test_conditional_requests_compute_nothing_on_a_cold_server():
    slow = Slow(0.01)
    tree = {"demo": {"slow": slow.array()}}
    with serving(tree) as client:
        etag = client.head(CHUNK.format(0)).headers["etag"]
    assert slow.began == 1
    with serving(tree) as cold:
        assert cold.get(CHUNK.format(0), headers={"if-none-match": etag}).status_code == 304
        assert cold.head(CHUNK.format(0), headers={"if-none-match": etag}).status_code == 304
        assert cold.get(CHUNK.format(0), headers={"if-match": '"other"'}).status_code == 412
    assert slow.began == 1


def test_head_computes_and_the_get_that_follows_finds_it():
    slow = Slow(0.01)
    with serving({"demo": {"slow": slow.array()}}) as client:
        length = int(client.head(CHUNK.format(5)).headers["content-length"])
        reply = client.get(CHUNK.format(5), headers={"range": f"bytes=0-{length - 1}"})
        assert reply.status_code == 206
        assert len(reply.content) == length
        assert slow.began == 1


def test_a_full_queue_is_503_with_retry_after_and_cached_chunks_pass():
    slow = Slow(1.0)
    with serving({"demo": {"slow": slow.array()}}, threads=1, queue=2, allow_origins=("*",)) as client:
        slow.seconds = 0.01
        client.get(CHUNK.format(9))
        slow.seconds = 100
        with ThreadPoolExecutor(8) as threads:
            waiting = [threads.submit(client.get, CHUNK.format(n)) for n in range(3)]
            assert until(lambda: "mandeldask_chunks_waiting 2.0" in client.get("/metrics").text)
            refused = client.get(CHUNK.format(50))
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) >= 1
            assert refused.headers["access-control-allow-origin"] == "*"
            assert "detail" in refused.json()
            assert client.get(CHUNK.format(9)).status_code == 200  # the pool would have refused it
            joined = threads.submit(client.get, CHUNK.format(1))  # joins one that waits
            time.sleep(0.2)
            slow.seconds = 0
            assert {reply.result().status_code for reply in [*waiting, joined]} == {200}
        assert client.get(CHUNK.format(50)).status_code == 200


def test_kept_chunks_pass_a_busy_pool(tmp_path):
    slow = Slow(0.01)
    tree = {"demo": {"slow": slow.array()}}
    with serving(tree, cache_dir=tmp_path) as client:
        kept = client.get(CHUNK.format(9)).content
    slow.seconds = 100
    with serving(tree, cache_dir=tmp_path, threads=1, queue=0) as client, ThreadPoolExecutor(1) as threads:
        computing = threads.submit(client.get, CHUNK.format(1))
        assert until(lambda: slow.began == 2)
        assert client.get(CHUNK.format(9)).content == kept
        assert client.get(CHUNK.format(2)).status_code == 503
        slow.seconds = 0
        assert computing.result().status_code == 200


def test_a_failed_computation_is_500_and_not_remembered(caplog):
    failing = threading.Event()
    failing.set()

    def read(window):
        if failing.is_set():
            msg = "the kernel broke"
            raise ValueError(msg)
        return np.zeros((4, 4), "u1")

    tree = {"demo": {"slow": Array((8, 4), np.dtype("u1"), read, (4, 4), dims=("y", "x"), fingerprint="failing")}}
    with serving(tree) as client:
        reply = client.get(CHUNK.format(1))
        assert reply.status_code == 500
        assert set(reply.json()) == {"detail"}
        assert "the kernel broke" not in reply.text
        assert "the kernel broke" in caplog.text
        failing.clear()
        assert client.get(CHUNK.format(1)).status_code == 200


@numba.njit(nogil=True)
def spin(flag, out):
    """Keep a CPU busy as a kernel does: without the GIL, looking at the flag between rows that it writes."""
    for row in range(out.size):  # what it writes might be the flag, so the compiler must read that again
        x = 0.5
        for _ in range(100_000):
            x = x * x - 0.75
        out[row] = x > 0
        if flag[0]:
            return


def test_a_source_that_may_not_be_read_is_500_and_names_no_file():
    def read(window):
        msg = "[Errno 13] Permission denied: '/home/secret'"
        raise PermissionError(msg)

    tree = {"demo": {"slow": Array((8, 4), np.dtype("u1"), read, (4, 4), dims=("y", "x"), fingerprint="denied")}}
    with serving(tree) as client:
        reply = client.get(CHUNK.format(1))
    assert reply.status_code == 500
    assert "secret" not in reply.text


@pytest.mark.slow  # compares times, and fills every CPU
def test_health_is_answered_under_eight_heavy_tiles():
    spin(np.zeros(1, np.uint8), np.zeros(1, np.uint8))  # compiled now

    def read(window):
        spin(current().flag, np.zeros(50_000, np.uint8))  # some 10 s
        return np.zeros((4, 4), "u1")

    tree = {"demo": {"slow": Array((64, 4), np.dtype("u1"), read, (4, 4), dims=("y", "x"), fingerprint="spin")}}
    with serving(tree, threads=2) as client, ThreadPoolExecutor(8) as threads:
        idle = percentile_of_health(client, 0.99)  # what the machine allows: others may use it too
        leave = threading.Event()
        tiles = [threads.submit(hold, client.handle.address, CHUNK.format(n), leave) for n in range(8)]
        assert until(lambda: "mandeldask_chunks_waiting 6.0" in client.get("/metrics").text)
        best = min(percentile_of_health(client, 0.99) for _ in range(5))
        assert not any(tile.done() for tile in tiles)
        leave.set()
        assert until(lambda: "mandeldask_chunks_running 0.0" in client.get("/metrics").text)
    assert best < max(0.1, 4 * idle)


def hold(address, path, leave):
    """Ask for `path` and hang up when asked to."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        leave.wait(60)


def percentile_of_health(client, share):
    seconds = []
    for _ in range(200):
        began = time.perf_counter()
        assert client.get("/healthz").status_code == 200
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)[int(len(seconds) * share)]
