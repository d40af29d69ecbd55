import httpx
import numpy as np
import pytest
import tifffile
import xarray as xr
import zarr

import mandeldask as md
from mandeldask.cli import commands
from mandeldask.images import states

SCAN = np.random.default_rng(0).integers(0, 2**16, (1500, 1301), np.uint16)


def export(*arguments):
    assert commands.run(["export", *map(str, arguments), "--quiet"]) == 0


def keys_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("number", [2, 3])
def test_a_file_is_written_as_it_is_served(tmp_path, number):
    path, target = tmp_path / "scan.ome.tif", tmp_path / "out.zarr"
    metadata = {"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP"]}, "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    tifffile.imwrite(path, np.stack([SCAN, SCAN // 2]), tile=(256, 256), photometric="minisblack", metadata=metadata)
    export(path, target, "--zarr-format", number, "--cache-dir", tmp_path / "kept")
    states.states_of_level.cache_clear()
    with pytest.MonkeyPatch.context() as patch:  # the server finds what the levels are made of
        patch.setattr("mandeldask.files.kinds.tiff.Segments.__call__", pytest.fail)
        with (
            md.serve(
                {"scan": path}, pyramid="auto", cache_dir=tmp_path / "kept", places=False, background=True
            ) as server,
            httpx.Client(base_url=f"{server.address}/zarr/v{number}/images/scan/", timeout=60) as client,
        ):
            keys = [key for key in keys_of(target) if ".export" not in key and "zarrview.json" not in key]
            coarse = [key for key in keys if not key.startswith(("0/image/c", "0/image/0", "0/image/1"))]
            assert len(coarse) > 20
            for key in coarse:
                assert client.get(key).content == (target / key).read_bytes(), key
    group = zarr.open_group(target, mode="r")
    np.testing.assert_array_equal(group["0/image"][1], SCAN // 2)
    means = SCAN[:, :1300].reshape(750, 2, 650, 2).mean((1, 3)).round()
    np.testing.assert_array_equal(group["1/image"][0, :, :650], means)


def test_what_is_no_image_is_written_as_it_is(tmp_path):
    field = xr.Dataset(
        {"height": (("y", "x"), SCAN), "note": ((), "text"), "small": (("t", "z"), SCAN[:9, :9])},
        {"y": ("y", np.arange(1500) * 0.5, {"units": "meter"})},
    )
    field.to_netcdf(tmp_path / "field.nc")
    np.save(tmp_path / "scan.npy", SCAN)
    export(tmp_path / "field.nc", tmp_path / "plain.zarr")
    xr.testing.assert_equal(xr.open_zarr(tmp_path / "plain.zarr").load(), field)
    export(tmp_path / "field.nc", tmp_path / "levels.zarr", "--pyramid", "auto")
    group = zarr.open_group(tmp_path / "levels.zarr", mode="r")
    multiscale = group["height"].attrs["ome"]["multiscales"][0]
    assert multiscale["axes"][0] == {"name": "y", "type": "space", "unit": "meter"}
    np.testing.assert_array_equal(group["small"][:], SCAN[:9, :9])
    export(tmp_path / "field.nc", tmp_path / "scan.npy", tmp_path / "both.zarr")
    both = zarr.open_group(tmp_path / "both.zarr", mode="r")
    np.testing.assert_array_equal(both["field.nc/height"][:], SCAN)
    assert both["scan.npy/1/image"].shape == (750, 651)


def test_levels_of_any_tree(tmp_path):
    written = md.export({"scan": SCAN, "few": SCAN[:9, :9]}, tmp_path / "a.zarr", pyramid="mode", progress=False)
    assert set(written.arrays) == {"scan/0/image", "scan/1/image", "scan/2/image", "few/0/image"}
    again = md.export({"scan": SCAN, "few": SCAN[:9, :9]}, tmp_path / "a.zarr", pyramid="mode", progress=False)
    assert (again.written, again.chunks) == (0, written.chunks)
    with pytest.raises(ValueError, match="auto, none, mean, stride, mode"):
        md.export(SCAN, tmp_path / "b.zarr", pyramid="median")
