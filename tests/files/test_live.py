"""Files that change while they are read, one kind of change at a time; all formats under load: test_live_over_http."""

import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import zarr

from files.live_writers import filled
from mandeldask.files.paths import open_path
from mandeldask.zarrview.mapping import to_mapping
from mandeldask.zarrview.nodes import Changed
from mandeldask.zarrview.store import to_store


def _hdf5(path, array):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=array, chunks=(50, 50), compression="gzip")


def _read(tree_of, inner):
    """Return all elements of an array as a client reads them now."""
    node = zarr.open(to_store(tree_of), mode="r", use_consolidated=False)
    return np.asarray((node[inner] if inner else node)[...])


def test_files_that_appear_and_go_are_seen_within_a_second(tmp_path):
    mapping = to_mapping(open_path(tmp_path), 3)
    np.save(tmp_path / "a.npy", filled(1))
    time.sleep(1.1)
    assert "a.npy/zarr.json" in mapping
    assert "a.npy/c/0/0" in mapping
    (tmp_path / "a.npy").unlink()
    time.sleep(1.1)
    assert "a.npy/zarr.json" not in mapping
    assert "a.npy/c/0/0" not in mapping


def test_an_array_that_grows_has_new_chunks_and_one_that_shrinks_has_none_outside(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, filled(1, (4096, 512)))
    mapping = to_mapping(open_path(path), 3)
    rows = len([key for key in (f"c/{row}/0" for row in range(40)) if key in mapping])
    np.save(path, filled(2, (8192, 512)))
    time.sleep(1.1)
    assert f"c/{2 * rows - 1}/0" in mapping
    np.save(path, filled(3, (10, 512)))
    time.sleep(1.1)
    assert "c/0/0" in mapping
    assert "c/1/0" not in mapping


def test_rows_appended_to_a_csv_appear(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y\n1,a\n2,b\n")
    tree = open_path(path)
    assert _read(tree, "x").tolist() == [1, 2]
    with path.open("a") as file:
        file.write("3,c\n")
    time.sleep(0.1)
    assert _read(open_path(path), "x").tolist() == [1, 2, 3]
    store = to_store(tree)
    time.sleep(1.1)
    assert zarr.open_group(store, mode="r", use_consolidated=False)["x"][:].tolist() == [1, 2, 3]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_zarr_store_that_is_written_to_is_followed(zarr_format, tmp_path):
    group = zarr.open_group(tmp_path / "s.zarr", mode="w", zarr_format=zarr_format)
    array = group.create_array("a", shape=(40, 40), chunks=(10, 10), dtype="i4", fill_value=0)
    shown = zarr.open_group(to_store(open_path(tmp_path)), mode="r", use_consolidated=False)
    assert not shown["s.zarr/a"][...].any()
    array[...] = 7
    time.sleep(1.1)
    assert (shown["s.zarr/a"][...] == 7).all()
    array.resize((60, 40))
    group.create_array("b", data=np.arange(3))
    time.sleep(1.1)
    assert shown["s.zarr/a"].shape == (60, 40)
    assert shown["s.zarr/b"][...].tolist() == [0, 1, 2]


def test_an_hdf5_file_being_read_does_not_lock_out_its_writer(tmp_path):
    path = tmp_path / "a.h5"
    _hdf5(path, filled(1))
    tree = open_path(path)
    assert (_read(tree, "x") == 1).all()
    with h5py.File(path, "r+", locking=True) as file:  # the handle of the reader is open
        file["x"][...] = 2
    store = to_store(tree)
    time.sleep(1.1)
    assert (zarr.open_group(store, mode="r", use_consolidated=False)["x"][...] == 2).all()


SWMR_WRITER = """
import sys, time, h5py
with h5py.File(sys.argv[1], "w", libver="latest") as file:
    rows = file.create_dataset("x", shape=(0, 8), maxshape=(None, 8), dtype="i2", chunks=(16, 8))
    file.swmr_mode = True
    print("ready", flush=True)
    for count in range(1, 40):
        rows.resize((16 * count, 8))
        rows[16 * (count - 1) :] = count
        rows.flush()
        time.sleep(0.1)
"""


def test_a_swmr_file_is_read_while_it_grows(tmp_path):
    path = tmp_path / "a.h5"
    with subprocess.Popen([sys.executable, "-c", SWMR_WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        writer.stdout.readline()
        store, lengths = to_store(open_path(path)), []
        while writer.poll() is None:
            try:
                shown = zarr.open_group(store, mode="r", use_consolidated=False)["x"]
                count = shown.shape[0] // 16
                np.testing.assert_array_equal(shown[:, 0], np.repeat(np.arange(1, count + 1), 16))
                lengths.append(count)
            except Changed:  # the server answers 503, and the client asks again
                continue
            time.sleep(0.2)
        assert writer.wait() == 0
    assert lengths == sorted(lengths)
    assert len(set(lengths)) > 3
    time.sleep(1.1)
    assert zarr.open_group(store, mode="r", use_consolidated=False)["x"].shape[0] == 16 * 39
