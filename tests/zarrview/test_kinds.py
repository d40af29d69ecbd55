"""Every kind of tree: what a client reads from the store is what the object holds."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
import warnings
from math import prod

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from mandeldask.zarrview.chunking import CHUNK_BYTES, default_chunks
from mandeldask.zarrview.kinds.sparse_arrays import sparse_node
from mandeldask.zarrview.nodes import Array, Group, as_node
from mandeldask.zarrview.store import to_store
from zarrview.patterns import Counted

FORMATS = pytest.mark.parametrize("zarr_format", [2, 3], ids=["v2", "v3"])
RNG = np.random.default_rng(5)


def shown(tree, zarr_format):
    """Return what zarr-python reads of a tree, whole."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr's, of data types without a v3 specification
        group = zarr.open_group(to_store({"a": tree}, zarr_format), mode="r")["a"]
        if isinstance(group, zarr.Array):
            return group[...]
        return {path: array[...] for path, array in group.arrays()}


def opened(tree, zarr_format):
    """Return what xarray reads of a tree."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return xr.open_datatree(to_store(tree, zarr_format), engine="zarr").load()


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
    got = opened(tree, zarr_format)
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
    got = opened(zarr.open_group(memory, mode="r"), zarr_format)
    want = xr.open_dataset(memory, engine="zarr", consolidated=False).load()
    xr.testing.assert_identical(got.to_dataset(), want)
    encodings = {name: got[name].encoding.get("_FillValue") for name in dataset}
    assert encodings["packed"] == -9
    assert encodings["gaps"] == -1


SPARSE_SHAPES = [(40,), (30, 41), (7, 11, 13)]


@FORMATS
@pytest.mark.parametrize("shape", SPARSE_SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["COO", "GCXS", "DOK"])
def test_sparse_arrays(zarr_format, shape, kind):
    sparse = pytest.importorskip("sparse")
    coo = sparse.random(shape, density=0.1, random_state=3, fill_value=2.5)
    np.testing.assert_array_equal(shown(coo.asformat(kind.lower()), zarr_format), coo.todense())


def test_sparse_blocks_and_variables_are_made_dense_by_windows():
    sparse = pytest.importorskip("sparse")
    coo = sparse.random((20, 30), density=0.2, random_state=1)
    blocks = da.from_array(coo, chunks=7, asarray=False)
    for tree in (blocks, xr.DataArray(coo), xr.DataArray(blocks)):
        np.testing.assert_array_equal(shown(tree, 3), coo.todense())


@pytest.mark.parametrize("form", ["coo", "csr", "csc", "bsr", "dia", "dok", "lil"])
@pytest.mark.parametrize("make", ["array", "matrix"])
def test_scipy_sparse(form, make):
    scipy_sparse = pytest.importorskip("scipy.sparse")
    dense = RNG.integers(0, 3, (20, 33)) * RNG.integers(0, 2, (20, 33))
    tree = getattr(scipy_sparse, f"{form}_{make}")(dense)
    np.testing.assert_array_equal(shown(tree, 3), dense)


def test_scipy_duplicates_are_summed_and_the_original_left_alone():
    scipy_sparse = pytest.importorskip("scipy.sparse")
    coo = scipy_sparse.coo_array(([1, 2, 3], ([0, 0, 2], [1, 1, 0])), shape=(3, 2))
    np.testing.assert_array_equal(shown(coo, 3), [[0, 3], [0, 0], [3, 0]])
    assert coo.nnz == 3


@pytest.mark.parametrize("shape", [(10**6, 10**6), (3, 10**12), (10**12, 3), (10**6, 10**3, 10**3)], ids=str)
def test_a_huge_sparse_array_is_served_in_bounded_memory(shape):
    flat = np.unique(RNG.integers(0, prod(shape), 10**6))
    coords = np.unravel_index(flat, shape)
    node = sparse_node(shape, coords, np.ones(len(flat)), 0.0)
    assert prod(node.chunks) * 8 <= CHUNK_BYTES
    tracemalloc.start()
    for place in (0, len(flat) // 2, len(flat) - 1):
        window = tuple(
            slice(at[place] // chunk * chunk, min(at[place] // chunk * chunk + chunk, size))
            for at, chunk, size in zip(coords, node.chunks, shape, strict=True)
        )
        inside = np.logical_and.reduce(
            [(at >= span.start) & (at < span.stop) for at, span in zip(coords, window, strict=True)]
        )
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        block = node.read(window)
        assert tracemalloc.get_traced_memory()[1] - before < 24 * CHUNK_BYTES
        assert block.sum() == inside.sum() > 0
    tracemalloc.stop()


FRAME = pd.DataFrame(
    {
        "whole": [1, 2, 3],
        "real": [1.5, np.nan, 3.0],
        "text": ["x", None, "ü"],
        "objects": np.array(["x", None, "ü"], dtype=object),
        "true": [True, False, True],
        "day": pd.to_datetime(["2020-01-01", None, "1969-07-20"]),
        "zoned": pd.date_range("2020-06-01", periods=3, tz="Europe/Berlin"),
        "length": pd.to_timedelta([1, 2, None], unit="s"),
        "kind": pd.Categorical(["a", "b", None]),
        "code": pd.Categorical([1, 2, 2]),
        "nullable": pd.array([1, None, 3], dtype="Int64"),
        "full": pd.array([1, 2, 3], dtype="Int8"),
        "maybe": pd.array([True, None, False], dtype="boolean"),
        "sure": pd.array([True, True, False], dtype="boolean"),
        "month": pd.period_range("2020-01", periods=3, freq="M"),
        "thin": pd.arrays.SparseArray([0, 1, 0]),
    }
)
COLUMNS = {
    "whole": np.array([1, 2, 3]),
    "real": np.array([1.5, np.nan, 3.0]),
    "text": np.array(["x", "", "ü"]),
    "objects": np.array(["x", "", "ü"]),
    "true": np.array([True, False, True]),
    "day": np.array(["2020-01-01", "NaT", "1969-07-20"], "M8[ns]"),
    "zoned": np.array(["2020-05-31T22", "2020-06-01T22", "2020-06-02T22"], "M8[ns]"),
    "length": np.array([1, 2, "NaT"], "m8[s]"),
    "kind": np.array(["a", "b", ""]),
    "code": np.array([1, 2, 2]),
    "nullable": np.array([1.0, np.nan, 3.0]),
    "full": np.array([1, 2, 3], "i1"),
    "maybe": np.array([1.0, np.nan, 0.0]),
    "sure": np.array([True, True, False]),
    "month": np.array(["2020-01", "2020-02", "2020-03"]),
    "thin": np.array([0, 1, 0]),
}


@FORMATS
def test_data_frames_are_groups_of_columns(zarr_format):
    got = opened(FRAME.set_index(pd.Index(["p", "q", "r"], name="key")), zarr_format).to_dataset()
    assert set(got) == set(COLUMNS)
    assert list(got.xindexes["key"].index) == ["p", "q", "r"]
    for name, want in COLUMNS.items():
        assert got[name].dims == ("key",)
        np.testing.assert_array_equal(got[name].to_numpy().astype(want.dtype), want, err_msg=name)
        if want.dtype.kind in "iufb":
            assert got[name].dtype == want.dtype, name
    assert got["zoned"].attrs["timezone"] == "Europe/Berlin"


@FORMATS
def test_the_index_of_a_frame_is_a_column(zarr_format):
    frame = pd.DataFrame({"a": [1, 2]})
    assert set(shown(frame, zarr_format)) == {"index", "a"}
    dated = frame.set_index(pd.date_range("2020", periods=2, name="day"))
    assert opened(dated, zarr_format)["day"].to_index().equals(dated.index)
    several = frame.set_index(pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["letter", None]))
    got = shown(several, zarr_format)
    assert {name: list(column) for name, column in got.items()} == {
        "letter": ["x", "y"],
        "level_1": [1, 2],
        "a": [1, 2],
    }
    assert opened(several, zarr_format)["a"].dims == ("index",)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame({"index": [1]}),
        pd.DataFrame([[1, 2]], columns=[1, "1"]),
    ],
    ids=["twice", "index", "number and text"],
)
def test_columns_that_cannot_have_a_name_of_their_own_are_refused(frame):
    with pytest.raises(ValueError, match="more than once"):
        to_store(frame)


@FORMATS
def test_series_and_indexes_are_arrays(zarr_format):
    np.testing.assert_array_equal(shown(FRAME["real"], zarr_format), COLUMNS["real"])
    assert list(shown(FRAME["text"], zarr_format)) == ["x", "", "ü"]
    np.testing.assert_array_equal(shown(pd.RangeIndex(4), zarr_format), np.arange(4))
    both = {"short": FRAME["whole"][:2], "long": FRAME["whole"]}
    assert dict(opened(both, zarr_format).sizes) == {"short_0": 2, "long_0": 3}


@FORMATS
@pytest.mark.parametrize("library", ["pyarrow", "polars"])
def test_arrow_tables_are_groups_of_columns(zarr_format, library):
    package = pytest.importorskip(library)
    columns = {"whole": [1, 2, 3], "gaps": [1, None, 3], "text": ["x", None, "ü"], "true": [True, False, None]}
    table = package.table(columns) if library == "pyarrow" else package.DataFrame(columns)
    got = shown(table, zarr_format)
    assert got["whole"].dtype == np.int64
    np.testing.assert_array_equal(got["whole"], [1, 2, 3])
    np.testing.assert_array_equal(got["gaps"], [1, np.nan, 3])
    assert list(got["text"]) == ["x", "", "ü"]
    np.testing.assert_array_equal(got["true"], [1.0, 0.0, np.nan])
    column = package.chunked_array([[1, 2], [3]]) if library == "pyarrow" else package.Series([1, 2, 3])
    np.testing.assert_array_equal(shown(column, zarr_format), [1, 2, 3])


def test_columns_of_numbers_of_an_arrow_table_are_read_by_slices():
    pyarrow = pytest.importorskip("pyarrow")
    column = pyarrow.chunked_array([np.arange(10**6), np.arange(5)])
    node = as_node(pyarrow.table({"a": column})).members["a"]
    np.testing.assert_array_equal(node.read((slice(999_998, 1_000_003),)), [999_998, 999_999, 0, 1, 2])


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
    with pytest.warns(UserWarning, match=f"{path} is left out: Zarr v{zarr_format} cannot hold an array of dtype"):
        store = to_store(tree, zarr_format)
    group = zarr.open_group(store, mode="r")["g"]
    assert list(group.keys()) == ["ok"]
    assert group["ok"][:].tolist() == [0, 1, 2]
    assert "cannot hold" in group.attrs["skipped"]["a"]
    keys = [f"{path[1:]}/{name}" for name in ("zarr.json", ".zarray", ".zattrs", "c/0", "0")]
    assert [store.get_sync(key) for key in keys] == [None] * 5
    with pytest.raises(ValueError, match=f"{path} is left out"):
        to_store(tree, zarr_format, strict=True)
    with pytest.raises(TypeError, match="cannot hold"):
        to_store(tree["g"]["a"], zarr_format)


def test_objects_that_are_no_text_are_refused_by_name():
    with pytest.raises(TypeError, match="mixed native types") as caught:
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
    with pytest.raises(TypeError, match=r"a builtins\.object is no tree"):
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
