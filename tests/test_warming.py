import sqlite3
import threading
import time

import numpy as np
import pytest
import tifffile
import zarr

import mandeldask as md
from mandeldask.app import create_app
from mandeldask.cancellation import Cancelled
from mandeldask.images import states
from mandeldask.warming import Warmed, Warming
from mandeldask.zarrview import blocked
from mandeldask.zarrview.blocked import BlockCache
from mandeldask.zarrview.cache_file import NAME
from mandeldask.zarrview.imaged import images_of
from mandeldask.zarrview.nodes import Array, Changed, Group
from servers import serving

SCAN = np.random.default_rng(0).integers(0, 2**16, (2300, 3100), np.uint16)


@pytest.fixture(autouse=True)
def _another_process():
    states.states_of_level.cache_clear()


def counted(array, calls, pause=0.0, error=None):
    def read(window):
        calls.append(window)
        time.sleep(pause)
        if error is not None:
            raise error
        return array[window]

    return Array(array.shape, array.dtype, read, (512, 512))


def test_all_levels_are_made_once_and_told():
    calls, reported = [], []
    tree = images_of(Group({"scan": counted(SCAN, calls), "row": counted(SCAN[:1], calls)}))
    warmed = Warming([tree], progress=lambda done, total: reported.append((done, total))).run()
    assert (warmed.images, warmed.failed) == (1, ())  # a row is no image
    assert sorted(reported) == [(n, reported[0][1]) for n in range(1, reported[0][1] + 1)]
    made = len(calls)
    coarsest = tree.members["scan"].members["3"].members["image"]
    mean = coarsest.read((slice(0, 4), slice(0, 4)))
    np.testing.assert_array_equal(mean, SCAN[:32, :32].reshape(4, 8, 4, 8).mean((1, 3)).round())
    assert len(calls) == made


@pytest.mark.parametrize("chunks", [(800, 800), (1200, 1600), (900, 3100)])
def test_blocks_too_large_to_be_kept_are_read_once(chunks, monkeypatch):
    monkeypatch.setattr("mandeldask.zarrview.pyramid._CHUNK_BYTES", 2**20)
    monkeypatch.setattr("mandeldask.images.tiling.WINDOW_BYTES", 2**19)
    monkeypatch.setattr("mandeldask.images.tiling._WINDOW_LEAST", 2**14)
    monkeypatch.setattr(blocked, "_blocks", BlockCache(2**20))  # which keeps the last one
    calls = []
    array = Array(SCAN.shape, SCAN.dtype, lambda window: (calls.append(window), SCAN[window])[1], chunks)
    tree = images_of(Group({"scan": array}))
    warmed = Warming([tree], progress=False, threads=4).run()
    assert warmed.images == 1
    grid = [-(-size // side) for size, side in zip(SCAN.shape, chunks, strict=True)]
    assert len(calls) == len({str(call) for call in calls}) == grid[0] * grid[1]
    made = tree.members["scan"].members["2"].members["image"].read((slice(0, 575), slice(0, 775)))
    np.testing.assert_array_equal(made, SCAN[:2300, :3100].reshape(575, 4, 775, 4).mean((1, 3)).round())


def test_what_cannot_be_read_stops_no_other():
    calls = []
    bad = counted(SCAN, [], error=Changed("it moved"))
    tree = images_of(Group({"bad": bad, "good": counted(SCAN, calls)}))
    warmed = Warming([tree], progress=False).run()
    assert (warmed.images, warmed.failed) == (1, ("bad",))
    assert calls


def test_it_stops_between_two_reads():
    calls, done = [], []
    warming = Warming([images_of(counted(SCAN, calls, 0.05))], progress=False, done=done.append, threads=1)
    warming.begin()
    while not calls:
        time.sleep(0.001)
    warming.stop()
    made = len(calls)
    assert made < 6
    assert not done
    assert not any(thread.name == "mandeldask-warming" for thread in threading.enumerate())
    with pytest.raises(Cancelled):
        warming.run()
    assert len(calls) == made


def test_a_server_warms_up_and_the_next_one_finds_it_warm(tmp_path):
    tifffile.imwrite(tmp_path / "scan.tif", SCAN, tile=(256, 256), compression="zlib")
    first = _served(tmp_path)
    states.states_of_level.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mandeldask.files.kinds.tiff.pread", pytest.fail)  # which reads tiles
        np.testing.assert_array_equal(_served(tmp_path), first)
    tifffile.imwrite(tmp_path / "scan.tif", SCAN // 2, tile=(256, 256), compression="zlib")
    changed = _served(tmp_path)
    np.testing.assert_array_equal(changed, (SCAN // 2)[:2296, :3096].reshape(287, 8, 387, 8).mean((1, 3)).round())


def _served(folder):
    """Return the coarsest level, all of whose cells are whole, as a server that has warmed up shows it."""
    warmed = threading.Event()
    tree = {"files": folder / "scan.tif"}
    with md.serve(
        tree, pyramid="auto", cache_dir=folder / "cache", warm=True, warmed=lambda _: warmed.set(), background=True
    ) as server:
        assert warmed.wait(60)
        return zarr.open_array(f"{server.address}/zarr/v3/images/files/3/image", mode="r")[:287, :387]


def test_the_command_warms_up_for_several_processes(tmp_path):
    tifffile.imwrite(tmp_path / "scan.tif", SCAN, tile=(256, 256), compression="zlib")
    options = ["--workers", "2", "--warm", "--cache-dir", str(tmp_path / "cache")]
    with serving(str(tmp_path / "scan.tif"), *options) as server:
        assert any(line.startswith("Made the levels of 1 image in") for line in server.process.stdout)
        database = sqlite3.connect(tmp_path / "cache" / NAME)
        [(kept,)] = database.execute("SELECT count(*) FROM tiles WHERE key LIKE 'levels/%'")
        database.close()
        address = server.lines[0].split()[-1].partition("/zarr")[0].rstrip("/")
        coarsest = zarr.open_array(f"{address}/zarr/v3/images/scan.tif/3/image", mode="r")[:287, :387]
    assert kept > 12
    np.testing.assert_array_equal(coarsest, SCAN[:2296, :3096].reshape(287, 8, 387, 8).mean((1, 3)).round())


def test_what_cannot_be_warmed_is_refused():
    with pytest.raises(ValueError, match="pyramid='none'"):
        md.serve({"scan": SCAN}, warm=True)
    with pytest.raises(ValueError, match="needs cache_dir"):
        md.serve({"scan": SCAN}, warm=True, workers=2, pyramid="auto")


def test_the_set_has_levels_of_its_own():
    app = create_app(None, pyramid="auto")
    assert Warming(app.catalog.images.values(), progress=False).run() == Warmed(0, (), pytest.approx(0, abs=5))
