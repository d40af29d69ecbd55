"""Random requests, and a mixture of well and badly behaved clients for a while."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from slow_array import Slow
from web_raw import Raw, request
from web_server import abandon, process, serving, until


def rss(pid):
    """MiB that a process has in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


@pytest.mark.parametrize("count", [3000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_random_requests_are_answered_without_faults_and_in_flat_memory(count):
    source, statuses = random.Random(1), Counter()
    with process(allow_origins=["*"], max_places=8) as (running, address):
        client = Raw(address)
        for number in range(count):
            method, raw = request(source)
            statuses[client.ask(method, raw)] += 1
            if number == count // 3:
                warm = rss(running.pid)
        client.close()
        grown = rss(running.pid) - warm
        assert httpx.get(address + "/healthz").status_code == 200
        running.errors.seek(0)
        assert "Traceback" not in running.errors.read()
    assert set(statuses) <= {200, 204, 206, 304, 308, 400, 403, 404, 405, 412, 416, 421}, statuses
    assert min(statuses[status] for status in (200, 206, 304, 404, 405)) > 0, statuses
    assert grown < 20


def counters(text):
    """Every sample of the metrics, by name and labels."""
    samples = re.findall(r"^(mandeldask_\S+?)(\{.*?\})? (\S+)$", text, re.MULTILINE)
    return {name + labels: float(value) for name, labels, value in samples}


class Clients:
    """Threads that ask in every way until they are asked to stop."""

    def __init__(self, address):
        self.address = address
        self.statuses = Counter()
        self.sent = self.abandoned = 0
        self.stop = threading.Event()
        self.lock = threading.Lock()

    def run(self, seed):
        source = random.Random(seed)
        with httpx.Client(base_url=self.address, timeout=60) as client:
            while not self.stop.is_set():
                path = f"/zarr/v3/demo.zarr/slow/c/{source.randrange(200)}/0"
                kind = source.choice(["get", "get", "head", "range", "conditional", "bad", "abandon"])
                if kind == "abandon":
                    abandon(self.address, path, after=source.random() / 50)
                else:
                    self.ask(client, kind, path)
                with self.lock:
                    self.sent += 1
                    self.abandoned += kind == "abandon"

    def ask(self, client, kind, path):
        if kind == "bad":
            path += "/x"
        headers = {"range": {"range": "bytes=0-9"}, "conditional": {"if-none-match": "*"}}
        reply = client.request("HEAD" if kind == "head" else "GET", path, headers=headers.get(kind, {}))
        with self.lock:
            self.statuses[reply.status_code] += 1
        expected = {"bad": 404, "range": 206, "conditional": 304}.get(kind, 200)
        assert reply.status_code in {expected, 503}, (kind, reply.status_code)


@pytest.mark.parametrize("seconds", [4, pytest.param(120, marks=pytest.mark.slow)])
def test_after_a_soak_every_counter_is_consistent(seconds):
    slow = Slow(0.02)
    with serving({"demo": {"slow": slow.array()}}, threads=2, queue=3, cache_bytes=2000) as client:
        clients = Clients(client.handle.address)
        threads = [threading.Thread(target=clients.run, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        clients.stop.set()
        for thread in threads:
            thread.join()
        idle = "mandeldask_requests_in_flight 1.0"  # the one that asks
        assert until(lambda: idle in client.get("/metrics").text)
        counted = counters(client.get("/metrics").text)
        view = client.handle.app.catalog._views[3, "demo"]
    answered = {name: value for name, value in counted.items() if name.startswith("mandeldask_requests_total")}
    by_status = Counter()
    for name, value in answered.items():
        if 'route="health"' not in name:
            by_status[int(re.search(r'status="(\d+)"', name)[1])] += int(value)
    assert sum(by_status.values()) == clients.sent
    gone = by_status.pop(499, 0)
    assert clients.statuses.keys() >= {200, 206, 304, 404}
    assert sum(by_status.values()) + gone == sum(clients.statuses.values()) + clients.abandoned
    assert all(by_status[status] >= count for status, count in clients.statuses.items())
    given_up = slow.ended - counted["mandeldask_chunks_computed_total"]  # between its last row and its encoding
    assert 0 <= given_up <= clients.abandoned
    assert slow.began >= slow.ended
    assert counted["mandeldask_chunks_running"] == counted["mandeldask_chunks_waiting"] == 0
    assert counted["mandeldask_cache_bytes"] == view.cache.size <= 2000
    assert len(view.cache.flights) == len(view._flights) == 0
