"""Every kind of tree: a client reads the values of the object from the store."""

from __future__ import annotations

import subprocess
import sys

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr

from mandeldask.zarrview.chunking import CHUNK_BYTES, default_chunks
from mandeldask.zarrview.nodes import Array, Group, as_node
from mandeldask.zarrview.store import to_store
from zarrview.opening import FORMATS, loaded, shown
from zarrview.patterns import Counted


@FORMATS
@pytest.mark.parametrize("scalar", [True, 3, 2.5, 1j, "text", b"bytes", np.float32(1.5), np.int8(-1)], ids=repr)
def test_scalars(zarr_format, scalar):
    got = shown(scalar, zarr_format)
    assert np.shape(got) == ()
    assert np.asarray(got) == np.asarray(scalar)


@FORMATS
@pytest.mark.parametrize("unit", ["D", "s", "ms", "us", "ns"])
def test_dates_and_durations_are_what_xarray_makes_of_them(zarr_format, unit):
    dates = np.array(["2000-01-01", "NaT", "1969-07-20"], f"M8[{unit}]")
    lengths = np.array([1, "NaT", -5], f"m8[{unit}]")
    tree = {"dates": dates, "lengths": lengths, "lazy": da.from_array(dates, chunks=2)}
    got = loaded(tree, zarr_format)
    np.testing.assert_array_equal(got["dates"], dates)
    np.testing.assert_array_equal(got["lazy"], dates)
    if unit != "D":  # xarray reads durations in days as numbers
        np.testing.assert_array_equal(got["lengths"], lengths)


def test_dask_arrays_are_computed_by_the_thread_that_reads():
    import threading

    threads = set()

    def block(block_id=None):
        threads.add(threading.current_thread().name)
        return np.full((2, 2), block_id[0])

    lazy = da.map_blocks(block, chunks=((2,) * 8, (2,) * 8), dtype=int)
    threads.clear()
    with dask.config.set(scheduler="processes"):
        assert shown(lazy, 3)[3, 3] == 1
    assert all(name.startswith("zarrview") for name in threads)


def test_a_dask_array_of_unknown_shape_is_refused_at_once():
    lazy = da.arange(10, chunks=3)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        to_store(lazy[lazy > 3])


@FORMATS
@pytest.mark.parametrize("source", [2, 3])
def test_zarr_groups_and_arrays(zarr_format, source):
    group = zarr.create_group(zarr.storage.MemoryStore(), zarr_format=source, attributes={"title": "source", "nan": 1})
    array = group.create_array("a", shape=(5, 7), chunks=(2, 3), dtype="i4", fill_value=7, attributes={"unit": "m"})
    array[1:4] = 3
    below = group.create_group("g", attributes={"level": 1})
    below.create_array("s", shape=(3,), dtype=str)[:] = ["a", "", "ü"]
    got = zarr.open_group(to_store(group, zarr_format), mode="r")
    np.testing.assert_array_equal(got["a"][...], array[...])
    assert got["a"].chunks == (2, 3)
    assert got.attrs["title"] == "source"
    assert dict(got["g"].attrs) == {"level": 1}
    assert list(got["g/s"][:]) == ["a", "", "ü"]
    assert got["a"].fill_value == (None if (source, zarr_format) == (3, 2) else 7)  # v2's would mean "missing"
    np.testing.assert_array_equal(shown(array, zarr_format), array[...])
    np.testing.assert_array_equal(shown(group.store, zarr_format)["a"], array[...])


@FORMATS
@pytest.mark.parametrize("source", [2, 3])
def test_zarr_stores_of_xarray_keep_what_they_mean(zarr_format, source):
    dataset = xr.Dataset(
        {
            "gaps": ("x", [1.0, np.nan, 3.0], {}, {"_FillValue": -1.0}),
            "packed": ("x", [0.5, np.nan, 1.0], {}, {"dtype": "i2", "scale_factor": 0.5, "_FillValue": -9}),
            "when": ("x", np.array(["2000-01-01", "2001-01-01", "NaT"], "M8[ns]")),
            "whole": ("x", np.arange(3)),
        },
        {"x": [10, 20, 30]},
        {"title": "t"},
    )
    memory = zarr.storage.MemoryStore()
    dataset.to_zarr(memory, zarr_format=source, consolidated=False)
    got = loaded(zarr.open_group(memory, mode="r"), zarr_format)
    want = xr.open_dataset(memory, engine="zarr", consolidated=False).load()
    xr.testing.assert_identical(got.to_dataset(), want)
    encodings = {name: got[name].encoding.get("_FillValue") for name in dataset}
    assert encodings["packed"] == -9
    assert encodings["gaps"] == -1


@FORMATS
@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({"g": {"a": np.zeros(2, np.longdouble)}}, "/g/a"),
        ({"g": {"a": np.zeros(2, [("x", "O")])}}, "/g/a"),
    ],
    ids=["longdouble", "objects in records"],
)
def test_what_a_format_cannot_hold_is_left_out_with_a_warning_and_named(zarr_format, tree, path):
    tree["g"]["ok"] = np.arange(3)
    with pytest.warns(UserWarning, match=f"{path} is left out: Zarr v{zarr_format} cannot store an array of dtype"):
        store = to_store(tree, zarr_format)
    group = zarr.open_group(store, mode="r")["g"]
    assert list(group.keys()) == ["ok"]
    assert group["ok"][:].tolist() == [0, 1, 2]
    assert "cannot store" in group.attrs["skipped"]["a"]
    keys = [f"{path[1:]}/{name}" for name in ("zarr.json", ".zarray", ".zattrs", "c/0", "0")]
    assert [store.get_sync(key) for key in keys] == [None] * 5
    with pytest.raises(ValueError, match=f"{path} is left out"):
        to_store(tree, zarr_format, strict=True)
    with pytest.raises(TypeError, match="cannot store"):
        to_store(tree["g"]["a"], zarr_format)


def test_objects_that_are_no_text_are_refused_by_name():
    with pytest.raises(TypeError, match="mixed types") as caught:
        to_store({"g": {"a": np.array([1, "x", {}], dtype=object)}})
    assert "'a'" in " ".join(caught.value.__notes__)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a\0", "zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata"]
)
def test_names_that_are_no_segment_of_a_path_are_refused(name):
    with pytest.raises(ValueError, match="cannot name a member"):
        to_store({name: np.zeros(1)})
    with pytest.raises(ValueError, match="cannot name a member"):
        Group({name: Group()})


def test_names_that_are_no_text_and_trees_of_no_kind_are_refused():
    with pytest.raises(TypeError, match="must be strings, not 3"):
        to_store({3: np.zeros(1)})
    with pytest.raises(TypeError, match=r"a builtins\.object cannot be shown"):
        to_store({"a": object()})


def test_attributes_that_are_no_json_are_refused_at_building():
    with pytest.warns(UserWarning, match=r"/g is left out: .*JSON"):
        to_store(Group({"g": Group({}, {"when": object()})}))
    with pytest.raises(TypeError, match="JSON"):
        to_store(Group({}, {"when": object()}))


def test_nodes_check_what_they_are_given():
    def of(chunks, dims=None):
        return Array((3, 4), np.dtype("u1"), Counted(np.zeros((3, 4), "u1")), chunks, dims)

    for chunks in ((3,), (0, 4), (3, -1)):
        with pytest.raises(ValueError, match="chunks"):
            of(chunks)
    with pytest.raises(ValueError, match="dims"):
        of((1, 1), ("x",))


def test_a_new_kind_is_one_registered_function():
    class Ramp:
        def __init__(self, size):
            self.size = size

    @as_node.register(Ramp)
    def _(ramp):
        return Counted(np.arange(ramp.size)).node((2,))

    np.testing.assert_array_equal(shown({"r": Ramp(5)}, 3)["r"], np.arange(5))


def test_default_chunks_are_bounded_at_any_size():
    for shape in [(2**59, 2**59), (5, 2**62), (2**40,), (100, 100, 100, 100), (1, 10**9, 3)]:
        chunks = default_chunks(shape, 8)
        assert all(1 <= chunk <= size for chunk, size in zip(chunks, shape, strict=True))
        assert CHUNK_BYTES / 4 <= np.prod([float(chunk) for chunk in chunks]) * 8 <= CHUNK_BYTES


def test_packages_are_imported_only_when_their_objects_are_seen():
    script = """
import sys
import numpy as np
from mandeldask.zarrview.store import to_store
to_store({"a": np.arange(3), "g": {"b": 2.5}}).get_sync("a/c/0")
print(*sorted({"xarray", "dask", "pandas", "pyarrow", "sparse", "scipy", "numba", "polars"} & sys.modules.keys()))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert run.stdout.strip() == ""
