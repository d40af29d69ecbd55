"""Files that change while they are read: nothing mixed, nothing stale past a second, no crash, no writer held up."""

import os
import subprocess
import sys
import threading
import time

import h5py
import nibabel
import nrrd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile
import zarr
from astropy.io import fits
from PIL import Image
from pyarrow import feather
from scipy.io import netcdf_file

from mandeldask.files.paths import open_path
from mandeldask.zarrview.mapping import to_mapping
from mandeldask.zarrview.nodes import Changed
from mandeldask.zarrview.store import to_store

SHAPE = 200, 150


def _hdf5(path, array):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=array, chunks=(50, 50), compression="gzip")


def _netcdf3(path, array):
    with netcdf_file(path, "w") as file:
        for name, size in zip("yx", array.shape, strict=True):
            file.createDimension(name, size)
        file.createVariable("x", "i2", ("y", "x"))[:] = array


def _column(path, array, write):
    write(pa.table({"x": array.ravel()}), path)


WRITERS = {
    "a.npy": ("", np.save),
    "a.npz": ("x", lambda path, array: np.savez_compressed(path, x=array)),
    "a.h5": ("x", _hdf5),
    "a.nc": ("x", _netcdf3),
    "a.tif": ("", lambda path, array: tifffile.imwrite(path, array, tile=(64, 64), compression="zlib")),
    "a.png": ("", lambda path, array: Image.fromarray(array.astype("u1")).save(path)),
    "a.csv": ("x", lambda path, array: np.savetxt(path, array.ravel(), "%d", header="x", comments="")),
    "a.parquet": ("x", lambda path, array: _column(path, array, pq.write_table)),
    "a.feather": ("x", lambda path, array: _column(path, array, feather.write_feather)),
    "a.fits": ("", lambda path, array: fits.PrimaryHDU(array).writeto(path, overwrite=True)),
    "a.nii": ("", lambda path, array: nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)),
    "a.nrrd": ("", lambda path, array: nrrd.write(str(path), array)),
}


def _filled(value, shape=SHAPE):
    return np.full(shape, value, "i2")


def _read(tree_of, inner):
    """Return all elements of an array as a client reads them now."""
    node = zarr.open(to_store(tree_of), mode="r", use_consolidated=False)
    return np.asarray((node[inner] if inner else node)[...])


class Reading:
    """Reads the first chunk of every file of a folder again and again, and remembers the values in each."""

    def __init__(self, folder):
        self.mapping = to_mapping(open_path(folder), 3, compressors=None)
        self.seen = {name: [] for name in WRITERS}
        self.errors = []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(3)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def chunk(self, name):
        """Return the values in the first chunk of a file's array."""
        inner = WRITERS[name][0]
        path = f"{name}/{inner}/" if inner else f"{name}/"
        document = self.mapping[f"{path}zarr.json"]
        dtype = next(each for each in ("int16", "uint8", "int64") if f'"{each}"'.encode() in document)
        key = next(key for key in (f"{path}c/0/0", f"{path}c/0") if key in self.mapping)
        return {int(value) for value in np.unique(np.frombuffer(self.mapping[key], dtype))} - {0}  # padding

    def _run(self):
        while not self.stop.is_set():
            for name in WRITERS:
                try:
                    self.seen[name].append(self.chunk(name))
                except (Changed, StopIteration, KeyError):  # 503, or 404 for a file that is gone
                    time.sleep(0.001)
                except Exception as error:  # noqa: BLE001  looked at below
                    self.errors.append(error)


def _replaced(write, path, value):
    """Write a file anew under another name, and put it in place."""
    other = path.with_name(f".other{path.suffix}")
    write(other, _filled(value))
    other.replace(path)


def test_rewritten_and_replaced_files_are_never_mixed_and_never_stale(tmp_path):
    for name, (_, write) in WRITERS.items():
        write(tmp_path / name, _filled(1))
    with Reading(tmp_path) as reading:
        for value in range(2, 9):
            for name, (_, write) in WRITERS.items():
                if value % 2:
                    write(tmp_path / name, _filled(value))
                else:
                    _replaced(write, tmp_path / name, value)
            time.sleep(0.15)
        time.sleep(1.1)
        last = {name: [reading.chunk(name) for _ in range(3)] for name in WRITERS}
    for name, seen in reading.seen.items():
        assert all(len(values) <= 1 for values in seen), name
        assert len({min(values) for values in seen if values}) > 1, name
    assert last == {name: [{8}] * 3 for name in WRITERS}
    assert not [error for error in reading.errors if not isinstance(error, (ValueError, EOFError, OSError))]


def test_a_truncated_file_is_an_error_and_no_crash_and_comes_back(tmp_path):
    for name, (_, write) in WRITERS.items():
        write(tmp_path / name, _filled(3))
    reading = Reading(tmp_path)
    for name in WRITERS:
        assert reading.chunk(name) == {3}
        os.truncate(tmp_path / name, (tmp_path / name).stat().st_size // 2)
    time.sleep(1.1)
    for name in WRITERS:
        try:
            seen = reading.chunk(name)
        except (Changed, StopIteration, KeyError, EOFError, OSError, ValueError):
            continue
        assert seen == {3}, name  # a CSV that was cut still has whole rows
    for name, (_, write) in WRITERS.items():
        write(tmp_path / name, _filled(4))
    time.sleep(1.1)
    assert {name: reading.chunk(name) for name in WRITERS} == {name: {4} for name in WRITERS}


def test_files_that_appear_and_go_are_seen_within_a_second(tmp_path):
    mapping = to_mapping(open_path(tmp_path), 3)
    np.save(tmp_path / "a.npy", _filled(1))
    time.sleep(1.1)
    assert "a.npy/zarr.json" in mapping
    assert "a.npy/c/0/0" in mapping
    (tmp_path / "a.npy").unlink()
    time.sleep(1.1)
    assert "a.npy/zarr.json" not in mapping
    assert "a.npy/c/0/0" not in mapping


def test_an_array_that_grows_has_new_chunks_and_one_that_shrinks_has_none_outside(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, _filled(1, (4096, 512)))
    mapping = to_mapping(open_path(path), 3)
    rows = len([key for key in (f"c/{row}/0" for row in range(40)) if key in mapping])
    np.save(path, _filled(2, (8192, 512)))
    time.sleep(1.1)
    assert f"c/{2 * rows - 1}/0" in mapping
    np.save(path, _filled(3, (10, 512)))
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
    _hdf5(path, _filled(1))
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
