"""Tables of pandas, pyarrow and polars: a client reads the values of their columns from the store."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mandeldask.zarrview.nodes import as_node
from mandeldask.zarrview.store import to_store
from zarrview.opening import FORMATS, loaded, shown

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
    got = loaded(FRAME.set_index(pd.Index(["p", "q", "r"], name="key")), zarr_format).to_dataset()
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
    assert loaded(dated, zarr_format)["day"].to_index().equals(dated.index)
    several = frame.set_index(pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["letter", None]))
    got = shown(several, zarr_format)
    assert {name: list(column) for name, column in got.items()} == {
        "letter": ["x", "y"],
        "level_1": [1, 2],
        "a": [1, 2],
    }
    assert loaded(several, zarr_format)["a"].dims == ("index",)


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
    assert dict(loaded(both, zarr_format).sizes) == {"short_0": 2, "long_0": 3}


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
