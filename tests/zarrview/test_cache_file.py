"""Tiles in one file: within its size limit, undamaged after a kill, and no request fails because of the file."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mandeldask.zarrview import cache_file
from mandeldask.zarrview.cache import TileCache
from mandeldask.zarrview.cache_file import NAME, CacheFile
from mandeldask.zarrview.formats import V3
from mandeldask.zarrview.nodes import Array, Group
from mandeldask.zarrview.view import ZarrView

DATA = np.random.default_rng(0).integers(0, 255, (64, 64), "u1")
BOUND = 2**21
TILE = 20_000


def tile(number, size=TILE):
    return number.to_bytes(4, "little") * (size // 4)


def on_disk(folder):
    return sum(path.stat().st_blocks * 512 for path in folder.iterdir()), len(list(folder.rglob("*")))


def view_on(folder, cache_bytes=0):
    node = Array(DATA.shape, DATA.dtype, lambda window: DATA[window], (8, 8), dims=("y", "x"), fingerprint="data")
    return ZarrView(
        Group({"a": node}), V3(), cache=TileCache(cache_bytes), directory=CacheFile(folder, BOUND).below("v3/x")
    )


def read_all(view):
    return [view.read(view.find(f"a/c/{row}/{col}")) for row in range(8) for col in range(8)]


def test_it_stays_within_its_bound_and_drops_what_was_not_used_for_longest(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_file, "_TOUCH_S", 0)
    pack = CacheFile(tmp_path, BOUND)
    for number in range(200):
        pack.save(str(number), tile(number))
        assert pack.load("0") == tile(0)  # it is used all the time
        held, files = on_disk(tmp_path)
        assert held <= BOUND
        assert files <= 3
    kept = [number for number in range(200) if pack.load(str(number)) == tile(number)]
    assert kept == [0, *range(kept[1], 200)]
    assert len(kept) * TILE > BOUND / 2


def test_what_grew_under_a_wider_bound_is_made_smaller(tmp_path):
    wide = CacheFile(tmp_path, 8 * BOUND)
    for number in range(400):
        wide.save(str(number), tile(number))
    assert on_disk(tmp_path)[0] > 2 * BOUND
    narrow = CacheFile(tmp_path, BOUND)
    narrow.save("new", b"x")
    del wide
    narrow.save("new", b"y")
    assert on_disk(tmp_path)[0] <= BOUND
    assert narrow.load("new") == b"y"
    assert narrow.load("399") == tile(399)
    assert narrow.load("0") is None


def test_tiles_of_any_size_come_back_and_those_that_are_too_large_are_not_kept(tmp_path):
    pack = CacheFile(tmp_path, BOUND)
    for size in (0, 4, 20_000, BOUND // 16, BOUND // 8):
        pack.save(str(size), tile(7, size))
        assert pack.load(str(size)) == (tile(7, size) if size <= BOUND // 16 else None)
    CacheFile(tmp_path / "none", 0).save("a", b"x")
    assert not (tmp_path / "none").exists()


WRITER = """
import sys
from pathlib import Path
from mandeldask.zarrview.cache_file import CacheFile
pack = CacheFile(Path(sys.argv[1]), {bound})
print("ready", flush=True)
for number in range(10**9):
    pack.save(f"{{sys.argv[2]}}/{{number % 900}}", (number % 900).to_bytes(4, "little") * {count})
"""


def test_processes_share_it_and_one_that_is_killed_leaves_it_whole(tmp_path):
    program = WRITER.format(bound=8 * BOUND, count=TILE // 4)
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), name], stdout=subprocess.PIPE) for name in "ab"
    ]
    assert [writer.stdout.readline() for writer in writers] == [b"ready\n"] * 2
    pack, stop, found = CacheFile(tmp_path, 8 * BOUND), time.monotonic() + 1, 0
    while time.monotonic() < stop:
        for name in "ab":
            for number in (0, 20, 49):
                kept = pack.load(f"{name}/{number}")
                found += kept is not None
                assert kept in {None, tile(number)}
        assert on_disk(tmp_path)[0] <= 8 * BOUND
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    assert found
    with sqlite3.connect(tmp_path / NAME) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    pack.save("c", b"x")
    assert pack.load("c") == b"x"


def damaged(path):
    path.write_bytes(b"SQLite format 3\0" + os.urandom(50_000))


def cut_off(path):
    path.write_bytes(path.read_bytes()[:20_000])


def foreign(path):
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (a)")
    database.close()


def folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("harm", [damaged, cut_off, foreign, folder, pipe])
def test_whatever_is_in_its_place_tiles_are_computed_and_the_log_says_so_once(harm, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    expected = read_all(view_on(tmp_path))
    for path in tmp_path.glob(NAME + "-*"):
        path.unlink()
    harm(tmp_path / NAME)
    before = (tmp_path / NAME).read_bytes() if harm is foreign else None
    assert read_all(view_on(tmp_path)) == expected
    assert len(caplog.records) == 1
    assert NAME in caplog.text
    assert before is None or (tmp_path / NAME).read_bytes() == before


@pytest.mark.parametrize("harm", ["folder removed", "file emptied", "file in place of the folder"])
def test_what_becomes_of_the_folder_while_it_is_used_fails_nothing(harm, tmp_path):
    import shutil

    place = tmp_path / "cache"
    view = view_on(place)
    expected = read_all(view)
    if harm == "file emptied":
        empty(place / NAME)
    else:
        shutil.rmtree(place)
    if harm == "file in place of the folder":
        place.write_text("x")
    assert read_all(view) == expected
    if harm == "folder removed":
        assert read_all(view) == expected
        assert view.cache.loads >= 64  # it is used again


def test_a_writer_that_stalls_is_waited_for_once(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_file, "WAIT_S", 1.0)
    view = view_on(tmp_path)
    other = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    view.read(view.find("a/c/0/0"))
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    assert len(read_all(view)) == 64
    assert time.monotonic() - began < 30  # a wait for each would take a minute
    other.close()


def test_threads_share_it(tmp_path):
    view = view_on(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        assert len(set(map(tuple, threads.map(lambda _: read_all(view), range(8))))) == 1
    assert read_all(view_on(tmp_path)) == read_all(view)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_forked_child_leaves_it_alone(tmp_path):
    program = f"""
import os, sys
from pathlib import Path
from mandeldask.zarrview.cache_file import CacheFile
pack = CacheFile(Path({str(tmp_path)!r}), {BOUND})
pack.save("a", b"x")
child = os.fork()
if child == 0:
    try:
        pack.load("a")
    except OSError:
        os._exit(0)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert pack.load("a") == b"x"
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_connections_are_closed_when_the_cache_goes(tmp_path):
    file = CacheFile(tmp_path, 2**24)
    file.save("key", b"tile")
    database = file._writer._database
    del file
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        database.execute("SELECT 1")
