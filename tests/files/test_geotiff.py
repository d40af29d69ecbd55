"""The positions of GeoTIFFs in the metadata of levels.

The numbers are those of rasterio 1.4.4 (GDAL 3.10) for the same files.
"""

import numpy as np
import pytest
import tifffile
import zarr
import zarr_cm

import mandeldask as md
from mandeldask.files.paths import open_path
from mandeldask.zarrview.imaged import images_of

SCALE, TIE = (33550, "d", 3, (10.0, 20.0, 0.0)), (33922, "d", 6, (0.0, 0.0, 0.0, 500_000.0, 4_600_000.0, 0.0))
INNER_TIE = (33922, "d", 6, (100.0, 50.0, 0.0, 501_000.0, 4_599_000.0, 0.0))
MATRIX = (34264, "d", 16, (8.0, 6.0, 0.0, 1e5, 6.0, -8.0, 0.0, 2e6, *[0.0] * 7, 1.0))


def keys(raster, projected=32633):
    """Return the tag of keys: model, raster type and code of the projected system."""
    return 34735, "H", 16, (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, raster, 3072, 0, 1, projected)


CASES = {
    "area": ([SCALE, TIE, keys(1)], [10.0, 0.0, 500_000.0, 0.0, -20.0, 4_600_000.0]),
    "point": ([SCALE, TIE, keys(2)], [10.0, 0.0, 499_995.0, 0.0, -20.0, 4_600_010.0]),
    "inner": ([SCALE, INNER_TIE, keys(1)], [10.0, 0.0, 500_000.0, 0.0, -20.0, 4_600_000.0]),
    "turned": ([MATRIX, keys(1)], [8.0, 6.0, 1e5, 6.0, -8.0, 2e6]),
    "turned-point": ([MATRIX, keys(2)], [8.0, 6.0, 99_993.0, 6.0, -8.0, 2_000_001.0]),
}


@pytest.mark.parametrize("case", CASES)
def test_levels_lie_where_the_tags_say(case, tmp_path):
    tags, transform = CASES[case]
    elements = np.random.default_rng(0).integers(0, 255, (1300, 2100), np.uint8)
    tifffile.imwrite(tmp_path / "map.tif", elements, tile=(256, 256), extratags=[(*tag, True) for tag in tags])
    opened = open_path(tmp_path / "map.tif")
    plain = zarr.open_array(md.to_store(opened), mode="r")
    _valid(plain, "array")
    assert plain.attrs["spatial:transform"] == transform
    assert plain.attrs["proj:code"] == "EPSG:32633"
    group = zarr.open_group(md.to_store(images_of(opened)), mode="r")
    _valid(group, "group")
    layout = group.attrs["multiscales"]["layout"]
    assert len(layout) == 4
    for level, each in enumerate(layout):
        linear = [number * 2**level if at not in (2, 5) else number for at, number in enumerate(transform)]
        own = group[f"{level}/image"]
        _valid(own, "array")
        assert each["spatial:transform"] == own.attrs["spatial:transform"] == linear
        assert tuple(each["spatial:shape"]) == tuple(own.attrs["spatial:shape"]) == own.shape
    sizes = None if case.startswith("turned") else {"x": 40.0, "y": 80.0}
    assert group["2/image"].attrs.get("pixel_size") == sizes
    assert group.attrs["proj:code"] == "EPSG:32633"
    assert max(group.attrs["spatial:bbox"]) == _farthest(transform, elements.shape)


def test_levels_of_the_file_itself_lie_there_too(tmp_path):
    elements = np.zeros((1025, 2050), np.uint8)
    with tifffile.TiffWriter(tmp_path / "cog.tif") as file:
        tags = [(*tag, True) for tag in (SCALE, TIE, keys(1))]
        file.write(elements, tile=(256, 256), subifds=1, extratags=tags)
        file.write(elements[::2, ::2], tile=(256, 256), subfiletype=1)
    group = zarr.open_group(md.to_store(images_of(open_path(tmp_path / "cog.tif"))), mode="r")
    _valid(group, "group")
    finest, coarse = group.attrs["multiscales"]["layout"]
    assert finest["spatial:transform"] == [10.0, 0.0, 500_000.0, 0.0, -20.0, 4_600_000.0]
    assert coarse["spatial:transform"] == [20.0, 0.0, 500_000.0, 0.0, -20.0 * 1025 / 513, 4_600_000.0]
    assert coarse["transform"]["scale"] == [1025 / 513, 2.0]


def test_what_tags_leave_open_is_not_made_up(tmp_path):
    two = (33922, "d", 12, (*TIE[3], 100.0, 100.0, 0.0, 501_000.0, 4_598_000.0, 0.0))
    tags = [(*tag, True) for tag in (two, keys(1))]
    tifffile.imwrite(tmp_path / "map.tif", np.zeros((64, 64), np.uint8), extratags=tags)
    assert "spatial:transform" not in open_path(tmp_path / "map.tif").attrs  # points of control, no transformation
    tags = [(*tag, True) for tag in (SCALE, two, keys(1, 32767))]
    tifffile.imwrite(tmp_path / "map.tif", np.zeros((64, 64), np.uint8), extratags=tags)
    attrs = open_path(tmp_path / "map.tif").attrs
    assert attrs["spatial:transform"] == CASES["area"][1]
    assert "proj:code" not in attrs  # a system of the file's own


def _farthest(transform, shape):
    a, b, c, d, e, f = transform
    corners = [(col, row) for row in (0, shape[0]) for col in (0, shape[1])]
    return max(max(a * col + b * row + c, d * col + e * row + f) for col, row in corners)


def _valid(node, kind):
    document = {"zarr_format": 3, "node_type": kind, "attributes": node.attrs.asdict()}
    validate = f"validate_{kind}_metadata"
    getattr(zarr_cm.spatial, validate)(document)
    getattr(zarr_cm.proj, validate)(document)
    if kind == "group":
        zarr_cm.multiscales.validate_group_metadata(document)
