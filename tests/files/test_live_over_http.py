"""Files of every format that are rewritten, replaced, cut, extended and removed while a server is asked for them."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import time
from collections import Counter

import numpy as np
import pytest

from files.live_writers import SHAPE, WRITERS, Writer
from servers import serving

READERS = 3
OLD_S = 1.3
"""Seconds after which what is served is what the file holds: one, and what a busy machine takes."""


class Client:
    """Reads arrays of a served folder, chunk by chunk, over one connection."""

    def __init__(self, url):
        _, _, rest = url.partition("//")
        self.host, _, self.root = rest.partition("/")
        self.connection = http.client.HTTPConnection(self.host, timeout=60)
        self.statuses = Counter()

    def get(self, path):
        """Return the status and content of a path below the folder."""
        self.connection.request("GET", f"/{self.root}/{path}")
        reply = self.connection.getresponse()
        body = reply.read()
        self.statuses[reply.status] += 1
        return reply.status, body

    def chunks(self, name):
        """Return the shape of a file's array and the values of each chunk; None if it is not there to be read."""
        inner, _ = WRITERS[name]
        path = f"{name}/{inner}/" if inner else f"{name}/"
        status, body = self.get(f"{path}zarr.json")
        document = json.loads(body) if status == 200 else {}
        if document.get("node_type") != "array":
            return None
        shape, sides = document["shape"], document["chunk_grid"]["configuration"]["chunk_shape"]
        grid = [-(-size // side) for size, side in zip(shape, sides, strict=True)]
        seen = [self.values(path, document, coords) for coords in np.ndindex(*grid)]
        return None if None in seen else (tuple(shape), seen)

    def values(self, path, document, coords):
        """Return the values in a chunk, its padding left out."""
        status, body = self.get(f"{path}c/{'/'.join(map(str, coords))}")
        if status != 200:
            return None
        codecs = [codec["name"] for codec in document["codecs"]]
        raw = gzip.decompress(body) if "gzip" in codecs else body
        return {int(value) for value in np.unique(np.frombuffer(raw, document["data_type"]))} - {0}


class Readers:
    """Threads that read every file again and again until they are stopped."""

    def __init__(self, url):
        self.mixed, self.reads, self.failures = [], Counter(), []
        self.clients = [Client(url) for _ in range(READERS)]
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(client,)) for client in self.clients]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread, client in zip(self.threads, self.clients, strict=True):
            thread.join()
            client.connection.close()

    def _run(self, client):
        while not self.stop.is_set():
            for name in WRITERS:
                try:
                    found = client.chunks(name)
                except (OSError, http.client.HTTPException, ValueError) as error:
                    self.failures.append((name, error))
                    return
                if found is not None:
                    self.reads[name] += 1
                    self.mixed += [(name, values) for values in found[1] if len(values) > 1]


def shown(client, want, seconds=OLD_S):
    """Wait for all files to be what they are, at most for `seconds`; return those that are not."""
    end = time.monotonic() + seconds
    while True:
        last = time.monotonic() > end
        old = {name: found for name in WRITERS if not want(name, found := client.chunks(name))}
        if not old or last:
            return old


def _is(value, shape=SHAPE):
    def right(name, found):
        if found is None:
            return False
        elements = int(np.prod(shape))
        return int(np.prod(found[0])) == elements and set().union(*found[1]) == {value}

    return right


def changes(writers, client, value):
    """Change every file in every way, and look at what is shown a second later."""
    for each in writers:
        each(value)
    yield "rewritten", shown(client, _is(value))
    for each in writers:
        each.replace(value + 1)
    yield "replaced", shown(client, _is(value + 1))
    for each in writers:
        each.append(value + 1)
    yield "extended", shown(client, _is(value + 1, (2 * SHAPE[0], SHAPE[1])))
    for each in writers:
        each.truncate()
    time.sleep(OLD_S)
    cut = {name: client.chunks(name) for name in WRITERS}
    yield "truncated", {name: found for name, found in cut.items() if found and set().union(*found[1]) - {value + 1}}
    for each in writers:
        each.delete()
    yield "deleted", shown(client, lambda _, found: found is None)
    for each in writers:
        each(value + 2)
    yield "back", shown(client, _is(value + 2))


@pytest.mark.parametrize("rounds", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_nothing_is_mixed_or_stale_and_the_server_lives(tmp_path, rounds):
    writers = [Writer(tmp_path / name) for name in WRITERS]
    for each in writers:
        each(1)
    with serving(str(tmp_path)) as server:
        url = next(line.split()[-1] for line in server.lines if "Zarr v3" in line)
        said = threading.Thread(target=server.process.stdout.read)  # what it logs must go somewhere
        said.start()
        client = Client(url)
        assert not shown(client, _is(1), 10)
        stale = {}
        with Readers(url) as readers:
            for number in range(rounds):
                for what, old in changes(writers, client, 2 + 3 * number):
                    stale |= {what: old} if old else {}
        assert server.process.poll() is None
        client.connection.close()
        server.process.terminate()
        said.join()
    assert not stale
    assert not readers.mixed
    assert not readers.failures
    assert readers.reads.keys() == WRITERS.keys()
    statuses = sum((each.statuses for each in readers.clients), Counter())
    assert statuses.keys() <= {200, 404, 500, 503}
