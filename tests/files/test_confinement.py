"""Nothing outside the folder is read, whatever names, links and files contain."""

import os

import h5py
import nrrd
import numpy as np
import pytest
import tifffile
import zarr

from mandeldask.files.paths import open_path
from mandeldask.zarrview.mapping import to_mapping
from mandeldask.zarrview.store import to_store

SECRET = b"secret of the machine"


@pytest.fixture
def places(tmp_path):
    """Return a folder to serve, and one next to it that must not be read."""
    inside, outside = tmp_path / "served", tmp_path / "private"
    inside.mkdir()
    outside.mkdir()
    np.save(outside / "x.npy", np.frombuffer(SECRET, "u1"))
    (outside / "secret.bin").write_bytes(SECRET)
    with h5py.File(outside / "x.h5", "w") as file:
        file["x"] = np.frombuffer(SECRET, "u1")
    return inside, outside


def skipped(path, name):
    return open_path(path).skipped[name]


def test_links_out_of_the_folder_are_refused_unless_asked_for(places):
    inside, outside = places
    (inside / "link.npy").symlink_to(outside / "x.npy")
    (inside / "folder").symlink_to(outside)
    (inside / "chain.npy").symlink_to(inside / "link.npy")
    tree = open_path(inside)
    assert list(tree.members) == []
    assert set(tree.skipped) == {"link.npy", "folder", "chain.npy"}
    assert "link.npy/zarr.json" not in to_mapping(tree, 3)
    followed = open_path(inside, follow_symlinks=True)
    assert set(followed.members) == {"link.npy", "folder", "chain.npy"}
    assert followed.members["link.npy"].shape == (len(SECRET),)


def test_links_within_the_folder_are_followed_and_loops_end(places):
    inside, _ = places
    (inside / "sub").mkdir()
    np.save(inside / "sub" / "a.npy", np.arange(3))
    (inside / "again.npy").symlink_to(inside / "sub" / "a.npy")
    (inside / "sub" / "up").symlink_to(inside)
    tree = open_path(inside)
    assert tree.members["again.npy"].shape == (3,)
    assert "its own parent" in tree.members["sub"].skipped["up"]


def test_a_link_that_is_turned_to_the_outside_later_is_not_followed(places):
    inside, outside = places
    np.save(inside / "a.npy", np.zeros(len(SECRET), "u1"))
    link = inside / "link.npy"
    link.symlink_to(inside / "a.npy")
    node = open_path(inside).members["link.npy"]
    link.unlink()
    link.symlink_to(outside / "x.npy")
    assert not node.read((slice(0, 5),)).any()
    assert node.version() != node.as_of
    assert "link.npy" in open_path(inside).skipped


@pytest.mark.parametrize("name", ["../private/x.npy", "..", "%2e%2e", "/etc/hostname", "a.npy\0", ".hidden.npy"])
def test_names_are_looked_up_and_never_joined(places, name):
    inside, _ = places
    np.save(inside / ".hidden.npy", np.arange(3))
    tree = open_path(inside)
    assert name not in tree.members
    with pytest.raises(KeyError):
        tree.members[name]
    assert f"{name}/zarr.json" not in to_mapping(tree, 3)


def test_hidden_names_are_shown_on_request(places):
    inside, _ = places
    np.save(inside / ".hidden.npy", np.arange(3))
    assert list(open_path(inside, hidden=True).members) == [".hidden.npy"]


def test_hdf5_takes_nothing_from_outside(places):
    inside, outside = places
    with h5py.File(inside / "a.h5", "w") as file:
        file.create_dataset("raw", (len(SECRET),), "u1", external=[(str(outside / "secret.bin"), 0, len(SECRET))])
        file["link"] = h5py.ExternalLink(str(outside / "x.h5"), "/x")
        file["soft"] = h5py.SoftLink("/link")
        layout = h5py.VirtualLayout((len(SECRET),), "u1")
        layout[:] = h5py.VirtualSource(str(outside / "x.h5"), "x", (len(SECRET),))
        file.create_virtual_dataset("virtual", layout)
        file["fine"] = 1
    tree = open_path(inside / "a.h5")
    assert list(tree.members) == ["fine"]
    assert set(tree.skipped) == {"raw", "link", "soft", "virtual"}
    assert all("outside" in reason for reason in tree.skipped.values())
    allowed = zarr.open_group(to_store(open_path(inside / "a.h5", follow_symlinks=True)), mode="r")
    for name in ("raw", "link", "soft", "virtual"):
        assert allowed[name][...].tobytes() == SECRET, name


def test_hdf5_takes_nothing_from_outside_through_a_file_inside(places):
    inside, outside = places
    with h5py.File(inside / "between.h5", "w") as file:
        file["link"] = h5py.ExternalLink(str(outside / "x.h5"), "/x")
        file.create_dataset("raw", (len(SECRET),), "u1", external=[(str(outside / "secret.bin"), 0, len(SECRET))])
    with h5py.File(inside / "a.h5", "w") as file:
        for name in ("link", "raw"):
            layout = h5py.VirtualLayout((len(SECRET),), "u1")
            layout[:] = h5py.VirtualSource("between.h5", name, (len(SECRET),))
            file.create_virtual_dataset(name, layout)
        file["through"] = h5py.ExternalLink("between.h5", "/raw")
    assert set(open_path(inside).members["a.h5"].skipped) == {"link", "raw", "through"}


def test_hdf5_takes_what_it_needs_from_files_inside_and_follows_them(places):
    inside, _ = places
    with h5py.File(inside / "part.h5", "w") as file:
        file["x"] = np.arange(5)
    with h5py.File(inside / "a.h5", "w") as file:
        layout = h5py.VirtualLayout((5,), "i8")
        layout[:] = h5py.VirtualSource("part.h5", "x", (5,))
        file.create_virtual_dataset("virtual", layout)
        file["link"] = h5py.ExternalLink("part.h5", "/x")
    tree = open_path(inside).members["a.h5"]
    for name in ("virtual", "link"):
        node = tree.members[name]
        assert node.read((slice(0, 5),)).tolist() == [0, 1, 2, 3, 4]
        with h5py.File(inside / "part.h5", "r+") as file:
            file["x"][...] = 7
        assert node.version() != node.as_of
        assert tree.members[name].read((slice(0, 5),)).tolist() == [7] * 5
        with h5py.File(inside / "part.h5", "r+") as file:
            file["x"][...] = np.arange(5)


def test_chunks_of_a_zarr_store_that_are_links_out_are_not_read(places):
    inside, outside = places
    array = zarr.create_array(inside / "a.zarr", shape=(21,), chunks=(21,), dtype="u1", compressors=None)
    array[...] = 1
    chunk = inside / "a.zarr" / "c" / "0"
    chunk.unlink()
    chunk.symlink_to(outside / "secret.bin")
    node = open_path(inside).members["a.zarr"]
    with pytest.raises(PermissionError, match="outside"):
        node.read((slice(0, 21),))


def test_an_nrrd_header_that_names_another_file_is_refused(places):
    inside, outside = places
    nrrd.write(str(inside / "a.nhdr"), np.arange(3, dtype="u1"), {"encoding": "raw"})
    text = (inside / "a.nhdr").read_text().replace("a.raw", str(outside / "secret.bin"))
    (inside / "a.nrrd").write_text(text)
    assert "another file" in skipped(inside, "a.nrrd")


def test_ome_metadata_opens_no_other_file(places, monkeypatch):
    inside, _ = places
    tifffile.imwrite(inside / "a.ome.tif", np.zeros((2, 8, 8), "u1"), metadata={"axes": "ZYX"})
    raw = (inside / "a.ome.tif").read_bytes()
    (inside / "a.ome.tif").write_bytes(raw.replace(b"a.ome.tif", b"b.ome.tif"))
    opened = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *more, **named: opened.append(path) or real(path, *more, **named))
    open_path(inside)
    assert not [path for path in opened if "b.ome" in str(path)]
