"""Folders of very many files are listed and opened lazily."""

import os
import time
import tracemalloc

import h5py
import numpy as np
import pytest
import zarr
from obstore.store import HTTPStore
from zarr.storage import ObjectStore

import mandeldask as md
from mandeldask.app import create_app
from mandeldask.files import folder as folders
from mandeldask.files import opening
from mandeldask.files.handles import Handles
from mandeldask.files.paths import open_path
from mandeldask.files.stamps import Source, Stamp
from mandeldask.zarrview.mapping import to_mapping

COUNT = 20_000


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """A folder of very many names of few files."""
    folder = tmp_path_factory.mktemp("crowd")
    source = folder / "0.npy"
    np.save(source, np.arange(3))
    for number in range(1, COUNT):
        if number % 10_000 == 0:  # file systems bound the links to one file
            source = folder / f"{number}.npy"
            np.save(source, np.arange(3))
        else:
            os.link(source, folder / f"{number}.npy")
    return folder


def test_a_folder_of_many_files_opens_none_of_them(crowd, monkeypatch):
    opened = []
    real = opening.format_of
    monkeypatch.setattr(opening, "format_of", lambda source, name: opened.append(name) or real(source, name))
    tree = open_path(crowd)
    assert len(tree.members) == COUNT
    assert not opened
    mapping = to_mapping(tree, 3)
    assert "17777.npy/c/0" in mapping
    assert opened == ["17777.npy"]
    assert len(mapping["zarr.json"]) < 1000  # a folder's documents hold no others
    assert opened == ["17777.npy"]


def test_its_memory_is_that_of_its_names(crowd):
    folders._listed.cache_clear()
    tracemalloc.start()
    mapping = to_mapping(open_path(crowd), 3)
    for number in range(0, COUNT, 200):
        assert f"{number}.npy/zarr.json" in mapping
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 40 * 2**20


def test_clients_list_and_read_a_folder(tmp_path):
    for number in range(300):
        np.save(tmp_path / f"{number}.npy", np.full(3, number))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["below/x"], file["y"] = np.arange(3), np.arange(4)
    with md.serve({"t": tmp_path}, background=True) as server:
        url = server.url("v3", "t")
        group = zarr.open_group(url, mode="r")  # by our listing in HTML
        assert len(list(group.keys())) == 301
        assert group["299.npy"][...].tolist() == [299] * 3
        http = HTTPStore.from_url(f"{url}/a.h5", client_options={"allow_http": True})  # which lists nothing
        consolidated = zarr.open_group(ObjectStore(http, read_only=True), mode="r")
        assert sorted(consolidated.keys()) == ["below", "y"]
        assert consolidated["below/x"][...].tolist() == [0, 1, 2]


def test_bad_files_of_a_large_folder_are_found_when_asked_for(tmp_path):
    for number in range(folders.PROBED + 1):
        np.save(tmp_path / f"{number}.npy", np.arange(3))
    (tmp_path / "bad.npy").write_bytes(b"nothing")
    tree = open_path(tmp_path)
    assert not tree.skipped
    with pytest.raises(Exception, match="cannot be read now"):
        tree.members["bad.npy"]


def test_left_out_files_are_counted_in_the_metrics(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"nothing")
    app = create_app(open_path(tmp_path), places=False)
    (line,) = [each for each in app.metrics.reply().body.decode().splitlines() if each.startswith("mandeldask_files_s")]
    assert float(line.split()[-1]) >= 1


class Closing:
    """An open file that remembers whether it was closed."""

    def __init__(self, source):
        self.closed = False
        time.sleep(0)

    def close(self):
        self.closed = True


def test_files_kept_open_are_bounded_and_none_is_closed_in_use(tmp_path):
    sources = [Source(str(tmp_path / str(number)), Stamp(number, 0, 0), str(tmp_path)) for number in range(5)]
    kept = Handles(2)
    with kept.lease(sources[0], Closing) as first:
        others = []
        for source in sources[1:]:
            with kept.lease(source, Closing) as other:
                others.append(other)
        assert not first.closed
        assert len(kept) == 2
        assert [other.closed for other in others] == [True, True, False, False]
    assert first.closed
    with kept.lease(sources[4], Closing) as again:
        assert again is others[3]
    kept.clear()
    assert again.closed
