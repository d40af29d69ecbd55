"""If the location of a persistent cache fails, tiles are computed, and this is logged once."""

from __future__ import annotations

import logging
import os
import threading
import time

import numpy as np
import pytest
import zarr

from mandeldask.zarrview import cache_locations, persistent_cache
from mandeldask.zarrview.cache import TileCache
from mandeldask.zarrview.formats import V3
from mandeldask.zarrview.nodes import Array, Group
from mandeldask.zarrview.view import ZarrView

DATA = np.random.default_rng(0).integers(0, 255, (64, 64), "u1")


def view_on(directory, form=None, cache_bytes=2**20):
    node = Array(DATA.shape, DATA.dtype, lambda window: DATA[window], (8, 8), dims=("y", "x"), fingerprint="data")
    return ZarrView(Group({"a": node}), form or V3(), cache=TileCache(cache_bytes, directory))


def chunks(view):
    separator = "a/c/{}/{}" if isinstance(view.format, V3) else "a/{}/{}"
    return [view.find(separator.format(row, col)) for row in range(8) for col in range(8)]


def read_all(view):
    return [view.read(chunk) for chunk in chunks(view)]


EXPECTED = read_all(view_on(None))


def loop_of_links(folder):
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    return folder / "a"


def a_file(folder):
    (folder / "file").write_text("not a folder")
    return folder / "file"


def below_a_file(folder):
    return a_file(folder) / "below"


def a_pipe_in_place_of_the_mark(folder):
    os.mkfifo(folder / "zarrview.json")
    return folder


def a_device(folder):
    return "/dev/null/cache"


def without_a_server(folder):
    pytest.importorskip("aiohttp")
    return "http://127.0.0.1:9/nothing"


@pytest.mark.parametrize(
    "place", [loop_of_links, a_file, below_a_file, a_pipe_in_place_of_the_mark, a_device, without_a_server]
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_place_that_cannot_be_used_is_said_once(place, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    view = view_on(place(tmp_path))
    assert read_all(view) == EXPECTED
    assert [record.name for record in caplog.records].count("mandeldask.zarrview.persistent_cache") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_may_only_be_read_is_read(tmp_path):
    read_all(view_on(tmp_path))
    tmp_path.chmod(0o500)
    assert read_all(view_on(tmp_path)) == EXPECTED


def test_an_empty_mark_is_written_again(tmp_path):
    assert read_all(view_on(tmp_path)) == EXPECTED
    (tmp_path / "zarrview.json").write_bytes(b"")
    assert read_all(view_on(tmp_path)) == EXPECTED
    assert b"content" in (tmp_path / "zarrview.json").read_bytes()


def test_a_pipe_in_place_of_a_tile_does_not_stall(tmp_path):
    view_on(tmp_path)
    (tmp_path / "a/c/0").mkdir(parents=True)
    os.mkfifo(tmp_path / "a/c/0/0")
    view, results = view_on(tmp_path), []
    reading = threading.Thread(target=lambda: results.append(read_all(view)), daemon=True)
    reading.start()
    reading.join(60)
    assert results == [EXPECTED]


class Failing(zarr.storage.MemoryStore):
    """A store that fails while it is asked to."""

    broken = False
    slow = 0.0

    async def get(self, *arguments, **keywords):
        await self.fail()
        return await super().get(*arguments, **keywords)

    async def set(self, *arguments, **keywords):
        await self.fail()
        return await super().set(*arguments, **keywords)

    async def fail(self):
        import asyncio

        await asyncio.sleep(self.slow)
        if self.broken:
            msg = "no connection"
            raise ConnectionError(msg)


def test_a_store_that_fails_is_left_alone_for_a_while_and_then_used_again(monkeypatch, caplog):
    monkeypatch.setattr(persistent_cache, "ASIDE_S", 0.2)
    caplog.set_level(logging.WARNING)
    store = Failing()
    store.broken = True
    view = view_on(store)
    assert read_all(view) == EXPECTED
    store.broken = False
    time.sleep(0.25)
    assert read_all(view_on(store, cache_bytes=0)) == EXPECTED
    assert len(store._store_dict) > 64
    assert len(caplog.records) == 1


def test_a_store_that_stalls_is_given_up(monkeypatch):
    monkeypatch.setattr(cache_locations, "WAIT_S", 0.1)
    store = Failing()
    view = view_on(store)
    store.slow = 2
    assert read_all(view) == EXPECTED
