"""Files that cannot be read are left out and named, and do not affect the others."""

import gzip
import logging
import os
import time
import zipfile
from contextlib import suppress

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from file_samples import SAMPLES
from mandeldask.files import formats, opening
from mandeldask.files.kinds import npz, pictures
from mandeldask.files.paths import open_path
from mandeldask.zarrview import blocked
from mandeldask.zarrview.mapping import to_mapping
from mandeldask.zarrview.nodes import Changed, Group
from mandeldask.zarrview.store import to_store

FILES = [sample for sample in SAMPLES if not sample.name.endswith(".zarr")]


def reason(folder, name):
    return open_path(folder).skipped[name]


@pytest.mark.parametrize("sample", FILES, ids=lambda sample: sample.name)
def test_damaged_files_of_every_format_take_nothing_down(sample, tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    sample.write(whole / sample.name)
    raw = (whole / sample.name).read_bytes()
    folder = tmp_path / "damaged"
    folder.mkdir()
    np.save(folder / "good.npy", np.arange(3))
    for place, content in enumerate((b"", raw[:7], raw[: len(raw) // 3], b"\xff" * 600, raw[:20] + b"\0" * 500)):
        (folder / f"{place}{sample.name}").write_bytes(content)
    tree = open_path(folder)
    assert tree.members["good.npy"].shape == (3,)
    assert f"0{sample.name}" in tree.skipped
    shown = zarr.open_group(to_store(tree), mode="r")
    assert shown["good.npy"][...].tolist() == [0, 1, 2]
    for name in tree.members:
        _read_all(tree.members[name])


def _read_all(node):
    """Read everything; what is damaged behind a good header may raise, and nothing worse."""
    if isinstance(node, Group):
        for name in node.members:
            _read_all(node.members[name])
        return
    with suppress(Exception):  # every library has errors of its own
        node.read(tuple(slice(0, size) for size in node.shape))


def test_a_file_that_went_bad_is_an_error_and_never_absent(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(1, 4))
    mapping = to_mapping(open_path(tmp_path), 3)
    assert "a.npy/c/0" in mapping
    (tmp_path / "a.npy").write_bytes(b"nothing")
    np.save(tmp_path / "b.npy", np.arange(3))  # the folder is listed again
    time.sleep(1.1)
    with pytest.raises(Changed, match="cannot be read"):
        mapping["a.npy/c/0"]
    assert "b.npy/c/0" in mapping


def test_what_is_left_out_is_logged_once(tmp_path, caplog):
    (tmp_path / "a.tif").write_bytes(b"nothing")
    with caplog.at_level(logging.WARNING, "mandeldask.files"):
        for _ in range(3):
            open_path(tmp_path)
    assert len([record for record in caplog.records if "a.tif" in record.getMessage()]) == 1


def test_a_wrong_suffix_is_no_matter_if_the_content_is_of_a_known_format(tmp_path):
    Image.new("L", (5, 4), 7).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.tif")
    assert open_path(tmp_path).members["a.tif"].shape == (4, 5)


def test_objects_are_never_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([1, "a"], object), allow_pickle=True)
    np.savez(tmp_path / "b.npz", good=np.arange(3), bad=np.array([{}], object))
    tree = open_path(tmp_path)
    assert "run any code" in tree.skipped["a.npy"]
    assert list(tree.members["b.npz"].members) == ["good"]


def test_password_protected_archives_are_named(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    raw = bytearray((tmp_path / "a.npz").read_bytes())
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        at = raw.index(mark) + (6 if mark == b"PK\x03\x04" else 8)
        raw[at] |= 1
    (tmp_path / "a.npz").write_bytes(raw)
    tree = open_path(tmp_path)
    assert "x" in tree.members["a.npz"].skipped


def test_hard_links_of_hdf5_that_never_end_are_named(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["g/x"] = np.arange(3)
        file["g/up"] = file["/"]
        file["g/soft"] = h5py.SoftLink("/g")
    group = open_path(tmp_path / "a.h5").members["g"]
    assert list(group.members) == ["x"]
    assert set(group.skipped) == {"up", "soft"}


def test_types_that_zarr_has_not_are_named_and_their_siblings_stay(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.arange(3)
        file["ref"] = file["x"].ref
        file.create_dataset("lists", (2,), h5py.vlen_dtype("i4"))
        file["nothing"] = h5py.Empty("f4")
    tree = open_path(tmp_path / "a.h5")
    assert list(tree.members) == ["x"]
    assert set(tree.skipped) == {"ref", "lists", "nothing"}


def test_bombs_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    for module in (npz, pictures):
        monkeypatch.setattr(module, "BLOCK_LIMIT", 10_000)
    Image.new("L", (500, 400)).save(tmp_path / "a.png")
    np.savez_compressed(tmp_path / "b.npz", x=np.zeros(10_000))
    tree = open_path(tmp_path)
    assert "200000 bytes" in tree.skipped["a.png"]
    assert "80000 bytes" in tree.members["b.npz"].skipped["x"]


def test_a_header_that_promises_more_than_the_file_has_is_refused(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"shape": (10**12,), "fortran_order": False, "descr": "<f8"})
        file.write(b"\0" * 100)
    assert "8000000000128" in reason(tmp_path, "a.npy")


def test_huge_sparse_files_are_read_in_bounded_memory(tmp_path):
    path = tmp_path / "a.npy"
    rows, columns = 2**17, 2**17
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"shape": (rows, columns), "fortran_order": False, "descr": "<f8"})
        start = file.tell()
        file.seek(start + 8 * rows * columns - 8)
        file.write(np.float64(7).tobytes())
    assert path.stat().st_size > 100 * 2**30
    array = zarr.open_array(to_store(open_path(path)), mode="r")
    assert array[-1, -1] == 7
    assert not array[1000:1010, 5000:5010].any()
    assert np.prod(array.chunks) * 8 <= 4 * 2**20


def test_names_that_zarr_reserves_or_that_are_devices_are_no_members(tmp_path):
    (tmp_path / "sub").mkdir()
    np.save(tmp_path / "sub" / "zarr.json.npy", np.arange(3))
    os.mkfifo(tmp_path / "pipe.npy")
    tree = open_path(tmp_path)
    assert list(tree.members) == ["sub"]
    assert "neither a file nor a folder" in tree.skipped["pipe.npy"]


def test_a_bad_file_that_is_mended_appears(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"")
    tree = open_path(tmp_path)
    before = tree.version()
    np.save(tmp_path / "a.npy", np.arange(3))
    assert tree.version() != before
    assert tree.reopen().members["a.npy"].shape == (3,)


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 3), "u1"))

    def missing(_):
        raise ModuleNotFoundError(name="tifffile")

    tiff = formats.Format("TIFF", (".tif",), missing, formats.Starts((b"II*\0",)))
    monkeypatch.setattr(opening, "format_of", lambda *_: tiff)
    assert reason(tmp_path, "a.tif") == "TIFF needs tifffile: pip install 'mandeldask[files]'"


def test_a_format_of_another_package_comes_first(tmp_path, monkeypatch):
    own = formats.Format("RAW", (".raw1",), lambda source: np.arange(source.stamp.size), None)

    class Entry:
        name = "raw"

        def load(self):
            return own

    class Broken(Entry):
        def load(self):
            raise ImportError

    monkeypatch.setattr(formats, "entry_points", lambda group: [Broken(), Entry()])
    formats.formats.cache_clear()
    formats._suffixes.cache_clear()
    try:
        (tmp_path / "a.raw1").write_bytes(b"12345")
        assert open_path(tmp_path).members["a.raw1"].shape == (5,)
    finally:
        formats.formats.cache_clear()
        formats._suffixes.cache_clear()


def test_gzip_is_unpacked_within_a_bound(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(b"\0" * 10**7))
    assert "a.nii.gz" in open_path(tmp_path).skipped


def test_a_zip_of_other_things_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    assert "does not contain" in reason(tmp_path, "a.zip")


def test_block_limits_are_one_gib():
    assert blocked.BLOCK_LIMIT == 2**30
