"""Inputs from public bug reports of similar projects, each with its right value. Names and mounting: tests/web."""

from __future__ import annotations

import warnings

import dask.array as da
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xarray as xr
import zarr

import mandeldask as md
from mandeldask.zarrview.cache import TileCache
from mandeldask.zarrview.identity import is_lasting
from zarrview.independent import strict
from zarrview.opening import FORMATS, array, group, opened

TEXT = np.dtypes.StringDType()
pytestmark = pytest.mark.filterwarnings("ignore:The data type", "ignore:.*is left out", "ignore:Consolidated metadata")


def stored(dataset, **options):
    memory = zarr.storage.MemoryStore()
    dataset.to_zarr(memory, consolidated=False, **options)
    return xr.open_zarr(memory, consolidated=False, chunks=None)


WINDOWS = {
    "isel": lambda data: data.isel(t=0),
    "squeeze": lambda data: data.isel(t=[1]).squeeze(),
    "expand_dims": lambda data: data.expand_dims("new"),
    "stack": lambda data: data.stack(both=("t", "y")).reset_index("both"),  # noqa: PD013
    "transpose": lambda data: data.transpose(),
    "chunk": lambda data: data.chunk(t=1, y=2),
}


@FORMATS
@pytest.mark.parametrize("source", [2, 3], ids=["from v2", "from v3"])
@pytest.mark.parametrize("name", WINDOWS)
def test_encodings_do_not_go_stale(zarr_format, source, name):  # xarray#2278, #11028
    data = xr.Dataset({"v": (("t", "y"), np.arange(6.0).reshape(2, 3), {}, {"chunks": (1, 3)})})
    data["text"] = ("y", np.array(["a", "bb", "ccc"], dtype=object))
    window = WINDOWS[name](stored(data, zarr_format=source))
    got = opened({"d": window}, zarr_format)["d"]
    np.testing.assert_array_equal(got["v"], window["v"])
    assert list(got["text"].to_numpy().ravel()) == list(window["text"].to_numpy().ravel())


def test_a_row_of_a_level_and_blocks_of_another_size():
    level = md.open_pyramid(levels=4, maxiter=20, chunks=None)["3"].to_dataset()
    row = level.isel(y=5)
    np.testing.assert_array_equal(group({"d": row})["d/iterations"], row.iterations)
    window = md.open_pyramid(levels=4, maxiter=20, chunks=None)["2"].to_dataset().isel(x=slice(3, 203), y=slice(0, 77))
    memory = zarr.storage.MemoryStore()
    window.chunk(y=10, x=100).to_zarr(memory, consolidated=False)
    np.testing.assert_array_equal(zarr.open_group(memory)["iterations"], window.iterations)


@FORMATS
@pytest.mark.parametrize(
    "structs",
    [
        np.array([(1, 2.5)], [("i", ">i4"), ("f", ">f8")]),
        np.array([(1, 2.5), (3, 4.5)], np.dtype([("i", "i1"), ("f", "f8")], align=True)),
        np.array([(1, 2.5, 3)], [("i", "i4"), ("f", "f8"), ("j", "u1")])[["j", "i"]],
    ],
    ids=["big-endian", "padded", "selected"],
)
def test_structs_of_any_layout(zarr_format, structs):  # zarr-python#4141, #4147, VirtualiZarr#1047
    assert array(structs, zarr_format).tolist() == structs.tolist()


@FORMATS
def test_nested_structs_take_no_sibling_down(zarr_format):  # zarr-python#2874
    nested = np.array([(1, (2,)), (3, (4,))], [("i", "i4"), ("n", [("x", ">i2")])])
    got = group({"n": nested, "ok": np.arange(3)}, zarr_format)
    assert got["ok"][:].tolist() == [0, 1, 2]
    assert ("n" in got) == (zarr_format == 3)
    assert got["n"][:].tolist() == nested.tolist() if zarr_format == 3 else "its field 'n'" in got.attrs["skipped"]["n"]


@FORMATS
def test_text_in_any_order_has_the_tags_of_its_bytes(zarr_format):  # zarr-python#3558, numcodecs#850
    text = np.array([["a", "bb", "ccc"], ["d", "ee", "fff"]], TEXT)
    assert array(text.T, zarr_format).tolist() == text.T.tolist()
    got = group({"f": np.asfortranarray(text), "c": text, "s": text[:, ::-2]}, zarr_format)
    assert got["f"][...].tolist() == got["c"][...].tolist() == text.tolist()
    assert got["s"][...].tolist() == text[:, ::-2].tolist()


@FORMATS
def test_masked_elements_are_missing(zarr_format):  # zarr-python#3744
    masked = {
        "float": np.ma.masked_array([1.0, -9999.0, 3.0], [0, 1, 0]),
        "lazy": da.ma.masked_array(da.from_array(np.array([1.0, -9999.0, 3.0])), [0, 1, 0]),
        "whole": np.ma.masked_array([1, -9999, 3], [0, 1, 0]),
        "truth": np.ma.masked_array([True, True, False], [0, 1, 0]),
        "when": np.ma.masked_array(np.array(["2020-01-01", "1999-09-09", "2020-01-03"], "M8[s]"), [0, 1, 0]),
    }
    got = opened(masked, zarr_format)
    for name in masked:
        assert got[name].isnull().to_numpy().tolist() == [False, True, False], name
    assert array(np.ma.masked_array(["a", "secret", "c"], [0, 1, 0]), zarr_format).tolist() == ["a", "", "c"]
    with pytest.raises(TypeError, match="masked elements of dtype"):
        array(np.ma.masked_array(np.zeros(2, [("i", "i4")]), [(0,), (1,)]), zarr_format)


@FORMATS
def test_whole_numbers_with_gaps_keep_their_digits(zarr_format):  # datasets#8365, pandas#30268, TileDB-Py#1438
    wide = 2**53 + 1
    for table in (
        pd.DataFrame({"id": pd.array([wide, None], dtype="Int64")}),
        pa.table({"id": pa.array([wide, None])}),
    ):
        got = group(table, zarr_format)["id"]
        missing = got.attrs["_FillValue"] if zarr_format == 3 else got.fill_value
        assert got[:].tolist() == [wide, missing]
        assert opened(table, zarr_format)["id"].isnull().to_numpy().tolist() == [False, True]
    lazy = da.ma.masked_array(da.from_array(np.array([wide, 5])), [0, 1])
    assert array(lazy, zarr_format)[0] == wide


def test_a_number_that_stands_for_missing_ones_is_no_element():
    least = np.iinfo(np.int64).min
    lazy = da.ma.masked_array(da.from_array(np.array([least, 5])), [0, 1])
    with pytest.raises(ValueError, match="declared missing value"):
        array(lazy)


def _zarr(path):
    return zarr.open_group(path, mode="r")


def _memmap(path):
    return {"v": np.memmap(path / "v.bin", "f8", "r", shape=(4,))}


@pytest.mark.parametrize("source", [xr.open_zarr, _zarr, zarr.storage.LocalStore, _memmap])
def test_a_source_made_anew_shows_what_changed(tmp_path, source):  # zarr-python#202, titiler-eopf#118
    path, kept = tmp_path / "s.zarr", tmp_path / "cache"
    xr.Dataset({"v": ("x", np.full(4, 1.0))}).to_zarr(path)
    np.full(4, 1.0).tofile(path / "v.bin")
    store = md.to_store(source(path), cache=TileCache(directory=kept))
    assert zarr.open_group(store, mode="r")["v"][0] == 1
    tag = store.view.etag(store.view.find("v/c/0"))
    zarr.open_group(path, mode="r+")["v"][...] = 2.0
    np.full(4, 2.0).tofile(path / "v.bin")
    store = md.to_store(source(path), cache=TileCache(directory=kept))
    assert zarr.open_group(store, mode="r")["v"][0] == 2
    assert store.view.etag(store.view.find("v/c/0")) != tag
    assert not is_lasting(store.view.fingerprint)


def test_equal_names_and_no_names_are_no_identity():
    one, two = (da.from_array(np.full(4, value), name="same") for value in (1, 2))
    got = group({"one": one, "two": two}, cache=TileCache())
    assert (got["one"][0], got["two"][0]) == (1, 2)


@FORMATS
@pytest.mark.parametrize("chunk_bytes", [1, 2**16])
def test_short_blocks_are_errors(zarr_format, chunk_bytes, monkeypatch):  # ngio#26, dask#451, tiled#1509
    monkeypatch.setattr("mandeldask.zarrview.chunking.LEAST_BYTES", chunk_bytes)
    short = da.map_blocks(lambda block: block[:3], da.arange(8, chunks=4), dtype="i8", meta=np.empty(0, "i8"))
    with pytest.raises(ValueError, match="the source returned a block of shape"):
        array(short, zarr_format)


@FORMATS
def test_blocks_of_another_kind_are_errors_and_lossless_casts_are_made(zarr_format):  # sgkit#71
    def of(function, dtype):
        return da.map_blocks(function, da.arange(4, chunks=4), dtype=dtype, meta=np.empty(0, dtype))

    for function, dtype in [
        (lambda block: block + 0.5, "i8"),
        (lambda block: block * 1.0, "i8"),
        (lambda b: b - 2, "u1"),
    ]:
        with pytest.raises(TypeError, match="not all elements of the declared"):
            array(of(function, dtype), zarr_format)
    np.testing.assert_array_equal(array(of(lambda block: block.astype(">i2"), "f4"), zarr_format), np.arange(4))


@FORMATS
def test_scalars_of_text_and_long_integers(zarr_format):  # pizzarr#65, zarr-python#3282, #3796
    assert array(np.array("abc", "U10"), zarr_format).item() == "abc"
    assert array(np.array("abc", TEXT), zarr_format) == "abc"
    assert array(np.arange(3, dtype=np.longlong), zarr_format).tolist() == [0, 1, 2]
    assert int(array(2**63, zarr_format)) == 2**63


def test_shards_of_text():  # zarr-python#3546
    text = xr.Variable("x", np.array(["a", "bb", "c", "d"], TEXT), {}, {"chunks": (2,)})
    assert array(text, shards=4).tolist() == ["a", "bb", "c", "d"]


@FORMATS
def test_text_with_encoding_s1(zarr_format):  # xarray#2789
    dataset = xr.Dataset({"v": ("x", np.array(["ab", "c"]), {}, {"dtype": "S1"})})
    assert list(opened(dataset, zarr_format)["v"].to_numpy()) == ["ab", "c"]


def test_a_v2_array_of_bytes_opens_as_v3():  # xarray#11332
    source = zarr.create_group(zarr.storage.MemoryStore(), zarr_format=2)
    made = source.create_array("a", shape=(2,), dtype="S2", attributes={"_ARRAY_DIMENSIONS": ["x"]})
    made[:] = np.array([b"ab", b"c"])
    assert opened(source)["a"].to_numpy().tolist() == [b"ab", b"c"]


@pytest.mark.parametrize("name", ["a\\b", "a/b", "...", "zarrview.json"])
def test_names_that_no_client_can_ask_for_are_left_out(name):  # anndata#321, #1834
    got = group({name: np.arange(2), "ok": np.arange(3)})
    assert list(got) == ["ok"]
    assert "cannot name a member" in got.attrs["skipped"][name]


@FORMATS
def test_documents_are_json_to_every_parser(zarr_format):  # zarr-python#412, esdl-core#75
    attrs = {"valid_max": np.nan, "range": [-np.inf, np.float32(np.inf)], "n": {"deep": (1.5, np.nan)}}
    store = md.to_store({"a": xr.Variable("x", [1.0], attrs), "b": np.arange(2)}, zarr_format)
    for key in store:
        strict(store[key])
    found = zarr.open_group(store, mode="r")["a"].attrs
    assert found["valid_max"] == "NaN"
    assert found["range"] == ["-Infinity", "Infinity"]
    assert found["n"] == {"deep": [1.5, "NaN"]}


def test_coordinates_with_indexes_of_their_own():
    index = xr.indexes.RangeIndex.arange(0.0, 1.0, 0.1, dim="x")
    dataset = xr.Dataset({"v": ("x", np.arange(10))}, coords=xr.Coordinates.from_xindex(index))
    np.testing.assert_allclose(opened(dataset)["x"], dataset["x"])
    rng = np.random.default_rng(1)
    points = xr.Dataset(coords={"lon": (("y", "x"), rng.random((3, 4))), "lat": (("y", "x"), rng.random((3, 4)))})
    pytest.importorskip("scipy")
    points = points.set_xindex(("lon", "lat"), xr.indexes.NDPointIndex)
    np.testing.assert_array_equal(opened(points)["lat"], points["lat"])
    level = md.open_pyramid(levels=12, maxiter=20, chunks=None)
    got = opened(level)
    np.testing.assert_array_equal(got["11/x"], level["11/x"])
    assert "x" not in got["0"]
    assert "readers would load all of them" in got["0"].attrs["skipped"]["x"]


@FORMATS
def test_a_member_that_zarr_cannot_read_takes_no_other_down(tmp_path, zarr_format):  # zarr-python#2874
    source = zarr.open_group(tmp_path, mode="w", zarr_format=zarr_format)
    below = source.create_group("below")
    for name in ("bad", "ok"):
        below.create_array(name, shape=(3,), dtype="i4")[:] = [1, 2, 3]
    path = tmp_path / "below" / "bad" / ("zarr.json" if zarr_format == 3 else ".zarray")
    path.write_text(path.read_text().replace('"int32"', '"int5"').replace('"<i4"', '"<i5"'))
    got = group(zarr.open_group(tmp_path, mode="r"), zarr_format)["below"]
    assert list(got) == ["ok"]
    assert got["ok"][:].tolist() == [1, 2, 3]
    assert "i5" in got.attrs["skipped"]["bad"] or "int5" in got.attrs["skipped"]["bad"]


def test_encodings_of_variables_choose_codecs_and_shards():
    from zarr.codecs import ZstdCodec

    encoding = {"compressors": (ZstdCodec(level=3),), "shards": (4, 4), "chunks": (2, 2)}
    variable = xr.Variable(("y", "x"), np.arange(64).reshape(8, 8), {}, encoding)
    got = group({"a": variable})["a"]
    assert (got.compressors, got.shards, got.chunks) == ((ZstdCodec(level=3),), (4, 4), (2, 2))
    np.testing.assert_array_equal(got, variable)
    assert group({"a": variable}, compressors=None)["a"].compressors == ()
    assert group({"a": variable}, 2)["a"].compressors != ()
    with warnings.catch_warnings():
        np.testing.assert_array_equal(group({"a": variable[0]})["a"], variable[0])


def test_the_blocks_of_a_file_become_chunks():
    variable = xr.Variable(("t", "y", "x"), np.zeros((8, 361, 720), "f4"), {}, {"preferred_chunks": {"t": 1, "y": 361}})
    assert group({"a": variable})["a"].chunks == (1, 361, 720)
    assert group({"a": variable.transpose("x", "y", "t")})["a"].chunks == (720, 361, 1)


def test_a_store_is_a_mapping_for_clients_that_want_one():
    store = md.to_store({"a": np.arange(3, dtype="u1")}, compressors=None)
    assert store["a/c/0"] == bytes([0, 1, 2])
    assert "a/c/0" in store
    assert "a/c/1" not in store
    assert set(store) == {"zarr.json", "a/zarr.json"}
    with pytest.raises(KeyError):
        store["a/c/1"]
