"""xarray reads times, missing values and packed numbers as they are in the source, or an error names them."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xarray as xr
import zarr

import mandeldask as md

FORMATS = pytest.mark.parametrize("zarr_format", [2, 3], ids=["v2", "v3"])
SECONDS = xr.coders.CFDatetimeCoder(time_unit="s")
pytestmark = pytest.mark.filterwarnings("ignore:.*is left out", "ignore:Consolidated metadata")


def opened(source, zarr_format, **options):
    return xr.open_datatree(md.to_store({"a": source}, zarr_format), engine="zarr", **options)["a"]


with warnings.catch_warnings():  # numpy is about to refuse times without a unit
    warnings.simplefilter("ignore", DeprecationWarning)
    NO_TIME, TWO = np.array(["NaT"], "M8"), np.array([2], "m8")

TIMES = {
    "years beyond Python's": np.array([2**40, "NaT", 5], "M8[s]"),
    "big-endian": np.array(["NaT", 2**41], ">M8[s]"),
    "units of ten seconds": np.array([1, 2], "M8[10s]"),
    "years": np.array([50, "NaT"], "M8[Y]"),
    "a generic NaT": NO_TIME,
    "femtoseconds that are nanoseconds": np.array([5_000_000], "M8[fs]"),
    "weeks": np.array([2, "NaT"], "m8[W]"),
    "quarters of an hour": np.array([3], "m8[15m]"),
}


@FORMATS
@pytest.mark.parametrize("name", TIMES)
def test_times_in_units_that_xarray_does_not_count_in(zarr_format, name):
    times = TIMES[name]
    got = opened(times, zarr_format, decode_times=SECONDS, decode_timedelta=True).to_numpy()
    unit = "ns" if "femto" in name else "s"
    np.testing.assert_array_equal(got.astype(f"{times.dtype.kind}8[{unit}]"), times.astype(got.dtype))


@pytest.mark.parametrize("times", [np.array([5], "M8[fs]"), np.array([10**12], "M8[Y]"), np.array([2], "m8[M]"), TWO])
def test_times_that_would_lose_something_are_refused(times):
    with pytest.raises(TypeError, match="cannot be converted exactly"):
        md.to_store({"a": times})


def test_times_of_arrow_beyond_the_years_of_python():
    column = pa.array([2**40, None], pa.timestamp("s"))
    got = opened(pa.table({"c": column}), 3, decode_times=SECONDS)["c"].to_numpy()
    np.testing.assert_array_equal(got, np.array([2**40, "NaT"], "M8[s]"))


@FORMATS
@pytest.mark.parametrize(
    "numbers", [[2**64 - 1, None, 2**64 - 2], [-(2**63), None, 2**63 - 1, 5 - 2**63], [None, 2**63 - 1]], ids=str
)
def test_no_number_is_missing_to_readers_that_compare_floats(zarr_format, numbers):
    kind = "UInt64" if max(number or 0 for number in numbers) >= 2**63 else "Int64"
    for table in (pd.DataFrame({"c": pd.array(numbers, dtype=kind)}), pa.table({"c": pa.array(numbers, kind.lower())})):
        missing = [number is None for number in numbers]
        assert opened(table, zarr_format)["c"].isnull().to_numpy().tolist() == missing
        kept = zarr.open_group(md.to_store({"a": table}, zarr_format), mode="r")["a/c"][:].tolist()
        assert [number for number, gap in zip(kept, missing, strict=True) if not gap] == [
            number for number in numbers if number is not None
        ]


@FORMATS
def test_text_of_another_byte_order(zarr_format):
    text = np.array(["aé", "b", "😀"], ">U3")
    assert opened(text, zarr_format).to_numpy().tolist() == text.tolist()


@FORMATS
def test_arrays_of_pandas_in_a_dataset(zarr_format):
    columns = {
        "numbers": pd.array([1, None], "Int64"),
        "truths": pd.array([True, False], "boolean"),
        "fractions": pd.array([1.5, None], "Float32"),
    }
    data = xr.Dataset({name: ("row", column) for name, column in columns.items()})
    got = opened(data, zarr_format)
    for name, column in columns.items():
        np.testing.assert_array_equal(got[name], np.array([np.nan if each is pd.NA else each for each in column]))


FROM_FILES = {
    "coarsen": lambda data: data.coarsen(t=2).mean(),
    "shift": lambda data: data.shift(t=1),
    "copy": lambda data: data.copy(data={"i": np.arange(6) / 4}),
}


@FORMATS
@pytest.mark.parametrize("name", FROM_FILES)
def test_fractions_made_of_whole_numbers_stay_fractions(zarr_format, name):
    memory = zarr.storage.MemoryStore()
    xr.Dataset({"i": ("t", np.arange(6, dtype="i2"))}).to_zarr(memory, consolidated=False)
    made = FROM_FILES[name](xr.open_zarr(memory, consolidated=False, chunks=None))
    assert made["i"].encoding["dtype"] == np.int16  # xarray itself would write these
    np.testing.assert_array_equal(opened(made, zarr_format)["i"], made["i"])


PACKED = {"dtype": "i2", "scale_factor": 0.01, "add_offset": 273.15, "_FillValue": -32768}


@FORMATS
def test_what_packing_would_change_is_an_error(zarr_format):
    good = xr.Dataset({"v": ("x", np.array([np.nan, 270.12, 300.456], "f4"), {}, PACKED)})
    np.testing.assert_allclose(opened(good, zarr_format)["v"], [np.nan, 270.12, 300.46], rtol=1e-6)
    whole = {"dtype": "u1", "_FillValue": 255}
    for element, encoding in ((900.0, PACKED), (np.inf, PACKED), (400.0, whole), (4.5, whole), (255.0, whole)):
        array = zarr.open_array(md.to_store(xr.Variable("x", [element], {}, encoding), zarr_format), mode="r")
        with pytest.raises(ValueError, match="cannot be packed"):
            array[:]


@pytest.mark.parametrize(("maxiter", "fill"), [(20, 255), (255, 0), (256, 65535), (65535, 0), (70_000, 2**32 - 1)])
def test_counts_have_a_fill_value_that_is_no_count_where_one_is_free(maxiter, fill):
    level = md.open_pyramid(levels=2, maxiter=maxiter, tilesize=64, width="64")["1"].to_dataset()
    store = md.to_store(level)
    array = zarr.open_group(store, mode="r")["iterations"]
    assert array.fill_value == fill
    read = xr.open_dataset(store, engine="zarr")["iterations"]
    assert read.dtype == array.dtype  # not masked, not made a float
    assert read.to_numpy().min() == 0  # shown as a count
    np.testing.assert_array_equal(read, level["iterations"])
    other = level["iterations"].copy(data=np.full(level["iterations"].shape, -1, "i1"))
    assert zarr.open_array(md.to_store(other), mode="r").fill_value == 0  # not that of the counts
