"""A store shows the same content that `DataTree.to_zarr` writes."""

from __future__ import annotations

import warnings

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from mandeldask.zarrview.dtypes import plain
from mandeldask.zarrview.store import to_store

FORMATS = pytest.mark.parametrize("zarr_format", [2, 3], ids=["v2", "v3"])


def written(tree, zarr_format):
    """Return what a client reads after xarray itself wrote the tree."""
    memory = zarr.storage.MemoryStore()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree.to_zarr(memory, zarr_format=zarr_format)
        return xr.open_datatree(memory, engine="zarr").load()


def shown(tree, zarr_format, **options):
    """Return what a client reads from our store."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr's, of data types without a v3 specification
        return xr.open_datatree(to_store(tree, zarr_format, **options), engine="zarr").load()


ATTRIBUTES = {
    "float32": np.float32(0.5),
    "array": np.arange(3),
    "text": "ü",
    "nested": {"a": [1, None, {"b": True}]},
}
DATES = pd.date_range("2020-01-01", periods=5, freq="h").to_numpy()
VARIABLES = {
    "uint8": ("x", np.arange(5, dtype="u1")),
    "int64": ("x", np.array([-(2**62), -1, 0, 1, 2**62])),
    "big-endian": ("x", np.arange(5, dtype=">i4")),
    "float16": ("x", np.arange(5, dtype="f2")),
    "nan": ("x", np.array([np.nan, np.inf, -np.inf, -0.0, 1.5])),
    "complex": ("x", np.array([1j, np.nan, 3, 4, 5], "c16")),
    "bool": ("x", np.array([True, False, True, True, False])),
    "bytes": ("x", np.array([b"a", b"bc", b"", b"d", b"e"])),
    "text": ("x", np.array(["a", "bcd", "", "ü", "e"])),
    "objects": ("x", np.array(["a", "bcd", "", "ü", "e"], dtype=object)),
    "datetime": ("x", DATES),
    "timedelta": ("x", np.array([1, 2, 3, 4, 5], "m8[s]")),
    "missing": ("x", np.array([1, np.nan, 3, 4, 5]), {}, {"_FillValue": -1.0}),
    "integers with a fill value": ("x", np.arange(5, dtype="i2"), {}, {"_FillValue": 3}),
    "packed": ("x", np.array([0.0, 0.5, np.nan, 1, 2]), {}, {"dtype": "i2", "scale_factor": 0.5, "_FillValue": -9}),
    "missing value": ("x", np.array([1, np.nan, 3, 4, 5]), {}, {"missing_value": -1.0}),
    "offset": ("x", np.arange(5.0), {}, {"dtype": "i2", "scale_factor": 0.1, "add_offset": 5.0, "_FillValue": -1}),
    "unsigned": ("x", np.array([0.0, 200, np.nan, 1, 2]), {}, {"dtype": "i1", "_Unsigned": "true", "_FillValue": -1}),
    "narrower": ("x", np.arange(5.0), {}, {"dtype": "f4"}),
    "zarr fill value": ("x", np.arange(5), {}, {"fill_value": 7}),
    "variable-length text": ("x", np.array(["a", "bcd", "", "ü", "e"], np.dtypes.StringDType())),
    "objects with gaps": ("x", np.array(["a", None, "", "ü", np.nan], dtype=object)),
    "objects that are bytes": ("x", np.array([b"a", b"bc", b"", b"d", b"e"], dtype=object)),
    "objects that are numbers": ("x", np.array([1, 2, 3, 4, 5], dtype=object)),
    "datetime in its own units": (
        "x",
        DATES,
        {},
        {"units": "days since 2000-01-01", "dtype": "f8", "calendar": "standard"},
    ),
    "datetime with gaps": ("x", np.array(["2020-01-01", "NaT", "1900-01-01", "2100-01-01", "NaT"], "M8[ns]")),
    "timedelta with gaps": ("x", np.array([1, "NaT", 3, 4, 5], "m8[ms]")),
    "text in UTF-8": ("x", np.array(["a", "bcd", "", "ü", "e"]), {}, {"_Encoding": "utf-8"}),
    "zero-dimensional": ((), np.float32(2.5)),
    "empty": (("y", "x"), np.zeros((0, 5))),
    "two-dimensional": (("z", "x"), np.arange(15.0).reshape(3, 5), {"units": "m"}, {"chunks": (2, 2)}),
    "attributes": ("x", np.zeros(5), ATTRIBUTES),
}
ENCODINGS = ("scale_factor", "add_offset", "_FillValue", "units", "calendar", "dtype")


@FORMATS
@pytest.mark.parametrize("name", VARIABLES)
def test_variables_are_as_xarray_writes_them(zarr_format, name):
    variable = xr.Variable(*VARIABLES[name])
    tree = xr.DataTree.from_dict({"/": xr.Dataset({"v": variable})})
    got, want = shown(tree, zarr_format), written(tree, zarr_format)
    if name == "variable-length text" and zarr_format == 2:
        assert list(got["v"]) == list(want["v"])  # xarray makes it as wide as the longest, we leave it variable
        return
    xr.testing.assert_identical(got, want)
    if want["v"].dtype.kind == "U":
        assert got["v"].dtype.kind in "UT"  # v3's `string` in place of a type that zarr-python alone reads
    else:
        assert got["v"].dtype == want["v"].dtype
    keep = ENCODINGS + (("chunks",) if "chunks" in variable.encoding else ())
    mine, theirs = ({key: node["v"].encoding.get(key) for key in keep} for node in (got, want))
    if want["v"].dtype.kind != "U":
        mine["dtype"], theirs["dtype"] = (plain(np.dtype(each["dtype"])) for each in (mine, theirs))
        assert str(mine) == str(theirs)


@FORMATS
def test_trees_with_coordinates_and_dask_are_as_xarray_writes_them(zarr_format):
    when = da.from_array(np.arange(3).astype("M8[ns]"), chunks=2)
    base = xr.Dataset(
        {"t": (("y", "x"), da.arange(12.0).reshape(3, 4).rechunk(2)), "when": ("y", when)},
        {"x": np.arange(4), "lat": (("y", "x"), np.ones((3, 4)))},
        {"title": "tree"},
    )
    only = xr.Dataset(attrs={"only": "attributes"})
    tree = xr.DataTree.from_dict({"/": base, "/a/b": base, "/a/c": only})
    xr.testing.assert_identical(shown(tree, zarr_format), written(tree, zarr_format))


@FORMATS
def test_a_branch_of_a_tree_is_a_tree_with_what_it_inherits(zarr_format):
    base = xr.Dataset({"a": ("x", [1, 2])}, {"x": [10, 20]})
    tree = xr.DataTree.from_dict({"/": base, "/b": xr.Dataset({"c": ("x", [3, 4])}), "/b/d": xr.Dataset()})
    xr.testing.assert_identical(shown(tree["b"], zarr_format), written(tree["b"], zarr_format))


@FORMATS
def test_data_arrays_and_datasets_are_the_arrays_and_groups_that_they_are(zarr_format):
    dataset = xr.Dataset({"a": (("y", "x"), np.eye(3))}, {"x": [1, 2, 3]}, {"title": "t"})
    got = shown({"set": dataset, "array": dataset["a"]}, zarr_format)
    want = written(
        xr.DataTree.from_dict({"set": dataset, "/": xr.Dataset({"array": dataset["a"].variable})}), zarr_format
    )
    xr.testing.assert_identical(got, want)
