"""Inputs from public bug reports of similar projects: columns of tables, each with its right values."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xarray as xr
import zarr

import mandeldask as md
from zarrview.opening import FORMATS, group, opened

pytestmark = pytest.mark.filterwarnings("ignore:The data type", "ignore:.*is left out", "ignore:Consolidated metadata")


BERLIN = dt.timezone(dt.timedelta(hours=2))
NOON = dt.datetime(2020, 1, 2, 12, tzinfo=BERLIN)
ARROW = {
    "date32": (pa.array([dt.date(2020, 1, 2), None], pa.date32()), ["2020-01-02", "NaT"]),
    "date64": (pa.array([dt.date(2020, 1, 2), None], pa.date64()), ["2020-01-02", "NaT"]),
    "time": (pa.array([dt.time(1, 2, 3), None], pa.time64("us")), ["01:02:03", ""]),
    "decimal": (pa.array([decimal.Decimal("1.10"), None]), ["1.10", ""]),
    "zoned": (pa.array([NOON, None], pa.timestamp("us", "Europe/Berlin")), ["2020-01-02T10:00", "NaT"]),
    "bytes": (pa.array([b"a\x00", b"bcd"]), [b"a\x00", b"bcd"]),
    "lists": (pa.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    "fixed lists": (pa.array([[1.0], [3.0]], pa.list_(pa.float32(), 1)), [[1.0], [3.0]]),
    "dictionary": (pa.array(["x", None, "x"]).dictionary_encode(), ["x", "", "x"]),
    "nothing": (pa.nulls(2), ["nan", "nan"]),
}


@FORMATS
@pytest.mark.parametrize("name", ARROW)
@pytest.mark.parametrize("library", ["pyarrow", "pandas"])
def test_columns_of_arrow(zarr_format, name, library):  # arrow#47464, pandas#62262, dask#9247
    column, want = ARROW[name]
    table = pa.table({"c": column})
    tree = table if library == "pyarrow" else table.to_pandas(types_mapper=pd.ArrowDtype)
    got = opened(tree, zarr_format)["c"].to_numpy()
    if got.dtype.kind == "M":
        assert [str(each)[: len(wanted)] for each, wanted in zip(got, want, strict=True)] == want
    else:
        assert (got.tolist() if name != "nothing" else [str(each) for each in got]) == want


def test_dates_that_nanoseconds_do_not_reach():
    store = md.to_store(pa.table({"day": pa.array([dt.date(1583, 1, 1), dt.date(9999, 12, 31)])}))
    got = xr.open_dataset(store, engine="zarr", decode_times=xr.coders.CFDatetimeCoder(time_unit="s"))["day"]
    assert got.to_numpy().astype("M8[D]").tolist() == [dt.date(1583, 1, 1), dt.date(9999, 12, 31)]


def test_nanoseconds_that_span_more_than_their_first_can_count():
    times = np.array(["1900-01-01", "2200-01-01T00:00:00.000000001", "NaT"], "M8[ns]")
    np.testing.assert_array_equal(opened({"a": times})["a"].to_numpy(), times)


def test_columns_of_polars():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {
            "day": [dt.date(2020, 1, 2), None],
            "amount": [decimal.Decimal("2.50"), decimal.Decimal("-1.00")],
            "pairs": polars.Series([[1, 2], [3, 4]], dtype=polars.Array(polars.Int16, 2)),
            "ragged": [[1], [2, 3]],
            "kind": polars.Series(["a", None], dtype=polars.Categorical),
        }
    )
    got = group(frame)
    assert got["pairs"][...].tolist() == [[1, 2], [3, 4]]
    assert got["amount"][...].tolist() == ["2.50", "-1.00"]
    assert got["kind"][...].tolist() == ["a", ""]
    assert "lists of different lengths" in got.attrs["skipped"]["ragged"]
    assert str(opened(frame)["day"].to_numpy()[0])[:10] == "2020-01-02"


PANDAS = {
    "intervals": (pd.cut([1, 5, 9], 3), ["(0.992, 3.667]", "(3.667, 6.333]", "(6.333, 9.0]"]),
    "periods of categories": (pd.Categorical(pd.period_range("2020-01", periods=2, freq="M")), ["2020-01", "2020-02"]),
    "objects of dates": (np.array([dt.date(2020, 1, 2), None], object), ["2020-01-02", "NaT"]),
    "objects in a zone": (np.array([NOON, None], object), ["2020-01-02T10:00", "NaT"]),
    "zone": (pd.DatetimeIndex(["2020-01-02 12:00"]).tz_localize("Asia/Tokyo"), ["2020-01-02T03:00"]),
    "zoned categories": (pd.Categorical(pd.to_datetime(["2020-01-02"], utc=True)), ["2020-01-02"]),
    "lists": (pd.Series([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    "huge": (np.array([2**64 - 1, 0], object), [2**64 - 1, 0]),
    "missing among text": (np.array(["ab", None, "cdef"], np.dtypes.StringDType(na_object=None)), ["ab", "", "cdef"]),
    "empty as missing": (np.array(["ab", "cdef"], np.dtypes.StringDType(na_object="")), ["ab", "cdef"]),
    "empty text": (np.array(["", ""], "U0"), ["", ""]),
    "UUIDs and such": (np.array([decimal.Decimal("0.1")], object), ["0.1"]),
}


@FORMATS
@pytest.mark.parametrize("name", PANDAS)
def test_columns_of_objects(zarr_format, name):
    values, want = PANDAS[name]
    trees = [{"c": values}] if isinstance(values, np.ndarray) else [pd.DataFrame({"c": values})]
    trees += [{"c": xr.Variable("x", values)}] if isinstance(values, np.ndarray) else []
    for tree in trees:
        got = opened(tree, zarr_format)["c"].to_numpy()
        if got.dtype.kind == "M":
            assert [str(each)[: len(wanted)] for each, wanted in zip(got, want, strict=True)] == want
        else:
            assert got.tolist() == want


def test_what_cannot_be_a_column_is_named_and_strictness_makes_it_an_error():
    table = pa.table({"ok": [1, 2], "struct": [{"a": 1}, {"a": 2}], "ragged": [[1], [2, 3]]})
    with pytest.warns(UserWarning, match="is left out") as caught:
        store = md.to_store(table)
    assert {str(each.message).split()[0] for each in caught} == {"/struct", "/ragged"}
    got = zarr.open_group(store, mode="r")
    assert list(got) == ["ok"]
    assert set(got.attrs["skipped"]) == {"struct", "ragged"}
    with pytest.raises(ValueError, match="is left out"):
        md.to_store(table, strict=True)
    with pytest.raises(TypeError, match="need more than 64 bits"):
        md.to_store({"a": np.array([2**64], object)})
