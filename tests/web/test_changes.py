"""Trees that change while they are served."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
import zarr

from mandeldask.zarrview.nodes import Array, Group
from web_server import serving


@dataclass
class Vector:
    """A vector that somebody writes to, also between the two halves of a read."""

    length: int = 4
    stamp: int = 0
    restless: bool = False

    def node(self):
        stamp, shape = self.stamp, (self.length,)

        def read(window):
            if self.restless:
                self.stamp += 1
            out = np.full(window[0].stop - window[0].start, self.stamp % 251, "u1")
            time.sleep(0.001)
            out[1:] = self.stamp % 251
            return out

        return Array(
            shape, np.dtype("u1"), read, (4,), ("x",), version=lambda: self.stamp, as_of=stamp, reopen=self.node
        )

    def write(self, length):
        self.length = length
        self.stamp += 1


def soon(ask, want, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ask() == want:
            return True
        time.sleep(0.05)
    return ask() == want


def test_what_is_written_is_seen_soon_and_its_old_tag_is_not_current_any_more():
    vector = Vector()
    with serving({"live": Group({"a": vector.node()})}) as client:
        chunk = client.get("/zarr/v3/live/a/c/0")
        document = client.get("/zarr/v3/live/a/zarr.json")
        assert chunk.headers["cache-control"] == document.headers["cache-control"] == "public, no-cache"
        assert client.get("/zarr/v3/live/a/c/1").status_code == 404
        vector.write(8)
        root = "/zarr/v3/zarr.json"
        shape = lambda: client.get(root).json()["consolidated_metadata"]["metadata"]["live/a"]["shape"]
        assert soon(shape, [8])
        assert soon(lambda: client.get("/zarr/v3/live/a/c/1").status_code, 200)
        asked = {"if-none-match": chunk.headers["etag"]}
        assert client.get("/zarr/v3/live/a/c/0", headers=asked).status_code == 200
        assert zarr.open_array(f"{client.handle.address}/zarr/v3/live/a", mode="r")[:].tolist() == [1] * 8
        vector.write(2)
        assert soon(lambda: client.get("/zarr/v3/live/a/c/1").status_code, 404)
        assert soon(lambda: client.get("/zarr/v2/live/a/.zarray").json()["shape"], [2])


def test_what_changes_at_every_read_is_busy_and_never_wrong():
    vector = Vector(restless=True)
    with serving({"live": Group({"a": vector.node()})}) as client:
        reply = client.get("/zarr/v3/live/a/c/0")
        assert reply.status_code == 503
        assert reply.headers["retry-after"] == "1"
        assert "changed while it was read" in reply.json()["detail"]
        vector.restless = False
        assert client.get("/zarr/v3/live/a/c/0").status_code == 200


def test_readers_never_see_two_versions_in_one_reply():
    vector = Vector(length=4)
    stop = threading.Event()

    def write():
        while not stop.is_set():
            vector.write(4)
            time.sleep(0.003)

    writer = threading.Thread(target=write)
    with serving({"live": Group({"a": vector.node()})}, codecs="none") as client:
        writer.start()
        seen, tags = [], {}
        for _ in range(300):
            reply = client.get("/zarr/v3/live/a/c/0")
            if reply.status_code == 200:
                seen.append(reply.content)
                assert tags.setdefault(reply.headers["etag"], reply.content) == reply.content
        stop.set()
        writer.join()
    assert seen
    assert all(len(set(content)) == 1 for content in seen)


def test_documents_of_many_arrays_leave_the_event_loop_to_others():
    tree = {f"a{index}": np.arange(4) for index in range(3000)}
    with serving({"many": tree}) as client:
        beats, stop = [], threading.Event()

        def beat():
            while not stop.is_set():
                beats.append(client.get("/healthz").status_code)

        pulse = threading.Thread(target=beat)
        pulse.start()
        document = client.get("/zarr/v2/many/.zgroup")
        stop.set()
        pulse.join()
        assert document.status_code == 200
        assert client.get("/zarr/v2/many/.zmetadata").status_code == 404  # too many to be in one document
        assert set(beats) == {200}
        group = zarr.open_group(client.handle.url("v2"), mode="r")
        assert group["a2999"][:].tolist() == [0, 1, 2, 3]
