"""Where the location of a persistent cache fails, tiles are computed and the log says so once."""

from __future__ import annotations

import logging
import os
import threading
import time

import numpy as np
import pytest
import zarr

from mandeldask.zarrview import cache_eviction, cache_locations, persistent_cache
from mandeldask.zarrview.cache import TileCache
from mandeldask.zarrview.cache_eviction import Evictor
from mandeldask.zarrview.formats import V2, V3
from mandeldask.zarrview.nodes import Array, Group
from mandeldask.zarrview.view import ZarrView

DATA = np.random.default_rng(0).integers(0, 255, (64, 64), "u1")


def view_on(directory, form=None, cache_bytes=2**20, evictor=None):
    node = Array(DATA.shape, DATA.dtype, lambda window: DATA[window], (8, 8), dims=("y", "x"), fingerprint="data")
    return ZarrView(Group({"a": node}), form or V3(), cache=TileCache(cache_bytes, directory, evictor))


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
    reading.join(20)
    assert results == [EXPECTED]


class Failing(zarr.storage.MemoryStore):
    """A store that fails while it is told to."""

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


def used(folder):
    """Bytes on the disk, and files and folders."""
    found = list(folder.rglob("*"))
    return sum(path.stat().st_blocks * 512 for path in found if path.is_file()), len(found)


@pytest.mark.parametrize("form", [V2(), V3()], ids=["v2", "v3"])
@pytest.mark.parametrize(("max_bytes", "max_files"), [(40 * 4096, 10**6), (10**9, 30), (10**9, 10**6)])
def test_a_folder_stays_within_its_bounds_and_keeps_what_was_used_last(
    form, max_bytes, max_files, tmp_path, monkeypatch
):
    monkeypatch.setattr(cache_eviction, "_SHARE", 1e9)  # only when it is told to
    evictor = Evictor(tmp_path, max_bytes, max_files)
    view = view_on(tmp_path / "v" / "tree.zarr", form, evictor=evictor)
    old, *others = chunks(view)
    view.read(old)
    for number, path in enumerate(sorted(tmp_path.rglob("*"))):
        os.utime(path, (number, number))
    for chunk in others:
        view.read(chunk)
    evictor.evict()
    held, files = used(tmp_path)
    assert held <= max_bytes
    assert files <= max_files
    kept = [chunk for chunk in chunks(view) if (tmp_path / "v/tree.zarr" / chunk.key).exists()]
    assert chunks(view)[-1].key in [chunk.key for chunk in kept]
    is_wide = max_bytes == 10**9 and max_files == 10**6
    assert (len(kept) == 64) is is_wide
    assert (old.key in [chunk.key for chunk in kept]) is is_wide
    again = view_on(tmp_path / "v" / "tree.zarr", form, evictor=evictor)
    assert sorted(read_all(again)) == sorted(EXPECTED)
    assert again.cache.loads == len(kept)


def test_what_was_read_of_late_is_used(tmp_path):
    folder = cache_locations.Folder(tmp_path)
    folder.save("a", b"x")
    os.utime(tmp_path / "a", (1, 1))
    folder.load("a")
    assert time.time() - (tmp_path / "a").stat().st_mtime < 60


def test_what_killed_processes_and_former_trees_left_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_eviction, "_UNUSED_S", -1)
    former = tmp_path / "v3" / "former-0.zarr"
    view_on(former)
    part = former / "a" / "x.part"
    part.write_bytes(b"x" * 10_000)
    os.utime(part, (1, 1))
    Evictor(tmp_path, 0, 0).evict()
    assert not part.exists()
    assert not former.exists()


def test_threads_that_write_while_it_is_swept_lose_nothing(tmp_path):
    evictor = Evictor(tmp_path, 4096, 10)
    view = view_on(tmp_path / "v" / "tree.zarr", cache_bytes=0, evictor=evictor)
    errors = []

    def work():
        try:
            for _ in range(5):
                assert read_all(view) == EXPECTED
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        evictor.evict()
    assert not errors


def test_a_server_keeps_its_folder_within_bounds(tmp_path):
    evictor = Evictor(tmp_path, 10**9, 40)
    read_all(view_on(tmp_path / "v" / "tree.zarr", evictor=evictor))
    stop = time.monotonic() + 10
    while used(tmp_path)[1] > 40 and time.monotonic() < stop:
        time.sleep(0.01)
    assert used(tmp_path)[1] <= 40
