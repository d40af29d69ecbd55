"""A client's share of the CPUs, and turns between clients: over real sockets, behind a proxy's headers."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mandeldask.cancellation import current
from mandeldask.web import shares
from mandeldask.web.shares import LOCAL, Shares, client_of
from mandeldask.zarrview.nodes import Array
from slow_array import Slow
from web_server import serving, until

CHUNK = "/zarr/v3/demo.zarr/busy/c/{}/0"


class Busy:
    """An array whose chunks take so many seconds of CPU each."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.rows = []

    def __call__(self, window):
        self.rows.append(window[0].start)
        stop = time.thread_time() + self.seconds
        while time.thread_time() < stop:
            current().check()
        return np.zeros([part.stop - part.start for part in window], "u1")

    def array(self):
        return Array((1000, 4), np.dtype("u1"), self, (1, 4), dims=("y", "x"), fingerprint=f"busy-{id(self)}")


def of(client):
    return {"x-forwarded-for": client}  # uvicorn takes it from a proxy on this machine


def test_a_client_that_has_used_its_share_waits_and_others_do_not():
    with serving({"demo": {"busy": Busy(0.4).array()}}, client_seconds=0.5, allow_origins="*") as client:
        first = [client.get(CHUNK.format(row), headers=of("10.0.0.1")).status_code for row in range(2)]
        refused = client.get(CHUNK.format(9), headers=of("10.0.0.1"))
        assert first == [200, 200]
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["access-control-allow-origin"] == "*"
        assert client.get(CHUNK.format(0), headers=of("10.0.0.1")).status_code == 200  # in memory
        assert client.get("/zarr/v3/demo.zarr/zarr.json", headers=of("10.0.0.1")).status_code == 200
        assert client.get(CHUNK.format(5), headers=of("10.0.0.2")).status_code == 200


def test_keys_have_shares_of_their_own():
    with serving({"demo": {"busy": Busy(0.3).array()}}, client_seconds=0.2, api_keys=["one", "two"]) as client:
        codes = [
            client.get(f"/key/{key}" + CHUNK.format(row)).status_code for row, key in enumerate(["one", "one", "two"])
        ]
        assert codes == [200, 429, 200]


def test_the_people_of_this_machine_have_no_share():
    with serving({"demo": {"busy": Busy(0.2).array()}}, client_seconds=0.1) as client:
        assert {client.get(CHUNK.format(row)).status_code for row in range(4)} == {200}


def test_what_was_used_comes_back():
    kept = Shares(30)
    kept.charge("a", 31)
    assert 1.5 < kept.wait_s("a") <= 2
    assert kept.wait_s("b") == 0
    kept.charge(LOCAL, 1000)
    assert kept.wait_s(LOCAL) == 0
    assert Shares(0).wait_s("a") == 0


def test_clients_are_forgotten(monkeypatch):
    monkeypatch.setattr(shares, "_MOST_KNOWN", 100)
    kept = Shares(1e9)
    for number in range(1000):
        kept.charge(number, 1e-9)
    assert len(kept._used) <= 101


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("127.0.0.1", LOCAL),
        ("::1", LOCAL),
        (None, LOCAL),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_a_client_is_an_address_or_a_network(host, client):
    assert client_of({"client": host and (host, 1)}, None) == client
    assert client_of({"client": host and (host, 1)}, "abc") == "key abc"


def test_clients_take_turns():
    busy = Busy(0.1)
    with serving({"demo": {"busy": busy.array()}}, threads=1) as client, ThreadPoolExecutor(30) as threads:
        many = [threads.submit(client.get, CHUNK.format(row), headers=of("10.0.0.1")) for row in range(20)]
        assert until(lambda: re.search(r"mandeldask_chunks_waiting 1[5-9]\.0", client.get("/metrics").text))
        client.get(CHUNK.format(900), headers=of("10.0.0.2"))
        assert len(busy.rows) < 15
        assert {reply.result().status_code for reply in many} == {200}


def test_places_never_take_all_threads():
    heavy, fast = Slow(100.0), Slow(0.01)
    places = {"heavy": {"slow": heavy.array()}}.__getitem__
    with (
        serving({"demo": {"slow": fast.array()}}, places=places, threads=2) as client,
        ThreadPoolExecutor(12) as threads,
    ):
        asked = [threads.submit(client.get, f"/zarr/v3/at/heavy.zarr/slow/c/{row}/0") for row in range(10)]
        assert until(lambda: heavy.began == 2)
        assert client.get("/zarr/v3/demo.zarr/slow/c/0/0", timeout=60).status_code == 200
        assert heavy.ended == 0
        for one in asked:
            one.cancel()
        heavy.seconds = 0


def test_retry_after_is_estimated_from_what_waits():
    slow = Slow(1.2)
    with serving({"demo": {"slow": slow.array()}}, threads=1, queue=4) as client, ThreadPoolExecutor(8) as threads:
        client.get("/zarr/v3/demo.zarr/slow/c/900/0")
        waiting = [threads.submit(client.get, f"/zarr/v3/demo.zarr/slow/c/{row}/0") for row in range(5)]
        assert until(lambda: "mandeldask_chunks_waiting 4.0" in client.get("/metrics").text)
        refused = client.get("/zarr/v3/demo.zarr/slow/c/800/0")
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        slow.seconds = 0
        assert {one.result().status_code for one in waiting} == {200}


def test_many_places_are_opened_at_a_time():
    def place(spec):
        time.sleep(0.02)
        return {"a": np.arange(3)}

    with serving(places=place) as client, ThreadPoolExecutor(200) as threads:
        replies = list(threads.map(lambda n: client.get(f"/zarr/v3/at/p{n}.zarr/zarr.json"), range(200)))
        assert {reply.status_code for reply in replies} == {200}


def test_a_share_is_charged_from_many_threads():
    kept = Shares(1e6)
    threads = [threading.Thread(target=lambda: [kept.charge("a", 1.0) for _ in range(1000)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept._used["a"][0] > 7000


def test_a_bound_that_is_none_is_refused():
    with pytest.raises(ValueError, match="client_seconds"):
        serving(client_seconds=-1).__enter__()
