"""The meaning of values reaches clients: CF conventions, nulls and times in tables, levels and pixel sizes."""

import datetime as dt
import decimal

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile
import xarray as xr
import zarr
from astropy.io import fits
from pyarrow import feather

from file_samples import dataset
from mandeldask.files.paths import open_path
from mandeldask.zarrview.store import to_store


@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")  # S1 in v3
@pytest.mark.parametrize("how", [{"engine": "h5netcdf"}, {"engine": "netcdf4"}, {"format": "NETCDF3_64BIT"}], ids=str)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_xarray_decodes_what_it_decodes_of_the_file(how, zarr_format, tmp_path):
    path = tmp_path / "a.nc"
    dataset().to_netcdf(path, unlimited_dims=["time"], **how)
    shown = xr.open_dataset(to_store(open_path(path), zarr_format), engine="zarr")
    with xr.open_dataset(path) as expected:
        xr.testing.assert_equal(shown, expected.load())
        assert shown.attrs == expected.attrs
        assert shown.t.attrs == expected.t.attrs
        assert shown.t.encoding["scale_factor"] == expected.t.encoding["scale_factor"]


def _table(rows=1000):
    count = range(rows)
    return pa.table(
        {
            "whole": np.arange(rows),
            "gaps": pa.array([None if k % 7 == 0 else k for k in count], pa.int32()),
            "real": np.arange(rows) / 3,
            "holes": pa.array([None if k % 5 == 0 else k / 2 for k in count], pa.float64()),
            "truth": [k % 2 == 0 for k in count],
            "text": [f"é{k}" for k in count],
            "day": pa.array([dt.date(2020, 1, 1) + dt.timedelta(k % 9) for k in count]),
            "time": pa.array(np.arange(rows).astype("M8[us]")),
            "zoned": pa.array(np.arange(rows), pa.timestamp("ms", "Europe/Berlin")),
            "money": pa.array([decimal.Decimal(k) / 4 for k in count], pa.decimal128(10, 2)),
            "kind": pa.array(["x", "y"] * (rows // 2)).dictionary_encode(),
            "pair": pa.array([[k, k + 1] for k in count], pa.list_(pa.int16(), 2)),
        }
    )


def _arrow(table, path):
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=256)


WRITE = {
    "a.parquet": lambda table, path: pq.write_table(table, path, row_group_size=300),
    "a.arrow": _arrow,
    "a.feather": lambda table, path: feather.write_feather(table, path, compression="zstd"),
}


@pytest.mark.parametrize("name", WRITE)
def test_columns_mean_what_pandas_reads(name, tmp_path):
    WRITE[name](_table(), tmp_path / name)
    expected = _table().to_pandas()
    shown = xr.open_dataset(to_store(open_path(tmp_path / name)), engine="zarr")
    assert not open_path(tmp_path / name).skipped
    for column in ("whole", "gaps", "real", "holes", "truth", "text", "time"):
        np.testing.assert_array_equal(shown[column].values, expected[column].to_numpy(), column)
    np.testing.assert_array_equal(shown.day.values, pd.to_datetime(expected.day).to_numpy())
    np.testing.assert_array_equal(shown.zoned.values, expected.zoned.dt.tz_convert("UTC").dt.tz_localize(None))
    assert shown.zoned.attrs["timezone"] == "Europe/Berlin"
    np.testing.assert_array_equal(shown.money.values, expected.money.astype(float))
    np.testing.assert_array_equal(shown.kind.values, expected.kind.astype(str))
    np.testing.assert_array_equal(shown["pair"].values, np.stack(expected["pair"]))


def test_csv_is_what_pandas_reads_also_where_types_change_late(tmp_path, monkeypatch):
    from mandeldask.files.kinds import csv

    monkeypatch.setattr(csv, "BLOCK_BYTES", 5000)
    path = tmp_path / "a.csv"
    frame = pd.DataFrame(
        {
            "whole": np.arange(3000),
            "late": [str(k) if k < 2900 else f"{k}.5" for k in range(3000)],
            "text": [f'a "quoted"\nline, {k}' for k in range(3000)],
            "mixed": [str(k) if k < 2900 else "none" for k in range(3000)],
        }
    )
    frame.to_csv(path, index=False)
    expected = pd.read_csv(path, dtype={"mixed": str}, keep_default_na=False)
    shown = zarr.open_group(to_store(open_path(path)), mode="r")
    for column in expected:
        np.testing.assert_array_equal(shown[column][...], expected[column].to_numpy(), column)
    assert shown["whole"][1234:1240].tolist() == list(range(1234, 1240))


def test_own_levels_of_a_file_have_ome_metadata_of_both_formats(tmp_path):
    path = tmp_path / "a.ome.tif"
    image = np.arange(300 * 400, dtype="u2").reshape(300, 400)
    with tifffile.TiffWriter(path) as file:
        metadata = {"axes": "YX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5, "PhysicalSizeXUnit": "µm"}
        file.write(image, subifds=1, tile=(64, 64), metadata=metadata)
        file.write(image[::2, ::2], subfiletype=1, tile=(64, 64))
    tree = open_path(path)
    v3 = dict(zarr.open_group(to_store(tree, 3), mode="r").attrs)["ome"]["multiscales"][0]
    v2 = dict(zarr.open_group(to_store(tree, 2), mode="r").attrs)["multiscales"][0]
    assert [axis["name"] for axis in v3["axes"]] == ["y", "x"]
    assert {axis.get("unit") for axis in v3["axes"]} == {"micrometer"}
    scales = [each["coordinateTransformations"][0]["scale"] for each in v3["datasets"]]
    assert scales == [[0.5, 0.25], [1.0, 0.5]]
    assert v2["version"] == "0.4"
    assert v2["datasets"] == v3["datasets"]


def test_a_block_that_serves_many_chunks_is_read_once(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.arange(4000 * 1000.0).reshape(4000, 1000), chunks=(4000, 500))
    array = open_path(path).members["x"]
    reads = []
    real = type(array.read.read).__call__
    monkeypatch.setattr(
        type(array.read.read), "__call__", lambda self, window: reads.append(window) or real(self, window)
    )
    for row in range(0, 4000, array.chunks[0]):
        window = slice(row, row + array.chunks[0]), slice(0, array.chunks[1])
        assert array.read(window)[0, 0] == row * 1000.0
    assert len(reads) == 1
    assert 4000 // array.chunks[0] > 1


@pytest.mark.parametrize(
    "opened", [open_path, lambda path: xr.open_dataset(path, engine="h5netcdf")], ids=["path", "xarray"]
)
def test_a_time_step_of_a_netcdf_file_reads_that_step_only(opened, tmp_path, monkeypatch):
    path, steps = tmp_path / "a.nc", np.arange(12 * 128 * 160, dtype="f4").reshape(12, 128, 160)
    encoding = {"v": {"chunksizes": (1, 128, 160), "zlib": True}}
    xr.Dataset({"v": (("t", "y", "x"), steps)}).to_netcdf(path, engine="h5netcdf", encoding=encoding)
    array = zarr.open_group(to_store(opened(path)), mode="r")["v"]
    read, real = [], h5py.Dataset.__getitem__
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda self, key: read.append(real(self, key)) or read[-1])
    np.testing.assert_array_equal(array[3], steps[3])
    assert sum(np.size(each) for each in read) == steps[3].size


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_images_of_several_sizes_in_one_file_open_together(zarr_format, tmp_path):
    images = [np.full((6, 8), 1, "i2"), np.full((5, 8), 2, "i2"), np.full((2, 6, 8), 3, "i2")]
    hdus = [fits.PrimaryHDU(images[0]), *(fits.ImageHDU(image, name=f"E{image.min()}") for image in images[1:])]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for image in images:
            file.write(image, photometric="minisblack")
    for name in ("a.fits", "a.tif"):
        tree = xr.open_datatree(to_store(open_path(tmp_path / name), zarr_format), engine="zarr")
        for got, want in zip(tree.data_vars.values(), images, strict=True):
            np.testing.assert_array_equal(got, want)
