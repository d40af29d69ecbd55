import time

import httpx
import numpy as np
import pytest
import xarray as xr
import zarr
from ome_zarr_models.v04.image import Image as Image04
from ome_zarr_models.v05.image import Image as Image05

import mandeldask as md
from mandeldask.files.opening import opened_file
from mandeldask.web.application import create_app
from mandeldask.web.serving import serve_in_background
from mandeldask.web.settings import Settings
from mandeldask.zarrview.nodes import Array
from web_server import serving

PHOTO = np.random.default_rng(0).integers(0, 2**16, (1500, 1100), np.uint16)
FIELD = xr.Dataset(
    {
        "height": (("lat", "lon"), np.random.default_rng(1).random((1300, 1200), np.float32)),
        "n": ("lat", np.arange(1300)),
    },
    {"lat": ("lat", np.arange(1300) * 0.5, {"units": "meter"}), "lon": np.arange(1200) * 0.25},
)
TREES = {"photo": PHOTO, "deep": {"field": FIELD, "names": np.array(["a", "b"]), "small": np.eye(5)}}


@pytest.fixture(scope="module")
def client():
    with serving(TREES, pyramid="auto") as client:
        yield client


@pytest.mark.parametrize(("number", "image"), [(2, Image04), (3, Image05)])
@pytest.mark.parametrize(
    "path", ["photo", "photo.zarr", "deep/field/height", "deep.zarr/field/height.zarr", "deep/small"]
)
def test_every_image_is_a_group_of_levels(client, number, image, path):
    group = zarr.open_group(f"{client.handle.address}/zarr/v{number}/images/{path}", mode="r")
    image.from_zarr(group)
    source = PHOTO if "photo" in path else np.eye(5) if "small" in path else FIELD.height.values
    np.testing.assert_array_equal(group["0/image"][:], source)


def test_coordinates_are_the_scale(client):
    group = zarr.open_group(f"{client.handle.address}/zarr/v3/images/deep/field/height", mode="r")
    multiscale = group.attrs["ome"]["multiscales"][0]
    assert multiscale["axes"][0] == {"name": "y", "type": "space", "unit": "meter"}
    assert group["1/image"].metadata.dimension_names == ("y", "x")  # by which vizarr finds rows and columns
    assert group.attrs["dimensions"] == ["lat", "lon"]
    assert multiscale["datasets"][1]["coordinateTransformations"][0]["scale"] == [1.0, 0.5]


def test_the_tree_itself_stays_as_it_is(client):
    np.testing.assert_array_equal(zarr.open_array(f"{client.handle.address}/zarr/v3/photo.zarr", mode="r")[:], PHOTO)
    assert "images" not in zarr.open_group(f"{client.handle.address}/zarr/v3", mode="r")


def test_what_is_no_image_is_an_empty_group(client):
    assert not list(zarr.open_group(f"{client.handle.address}/zarr/v3/images/deep/names", mode="r"))
    assert client.get("/zarr/v3/images/deep/none/zarr.json").status_code == 404
    assert client.get("/zarr/v3/images/none/zarr.json").status_code == 404


def test_keys_open_the_images_of_their_trees_only():
    with serving(TREES, pyramid="mean", api_keys=["all", "one:photo"]) as client:
        assert client.get("/zarr/v3/images/photo/zarr.json", headers={"x-api-key": "one"}).status_code == 200
        assert client.get("/zarr/v3/images/deep/small/zarr.json", headers={"x-api-key": "one"}).status_code == 403
        assert client.get("/zarr/v3/images/photo/zarr.json").status_code == 401


def test_levels_of_their_own_stay():
    with serving({"levels": md.pyramid(PHOTO)}, pyramid="auto") as client:
        group = zarr.open_group(f"{client.handle.address}/zarr/v3/images/levels", mode="r")
        assert list(group) == ["0", "1", "2"]


def test_a_file_says_sizes_units_and_channels(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    stack = np.random.default_rng(2).integers(0, 900, (2, 1200, 300), np.uint16)
    metadata = {
        "axes": "CYX",
        "PhysicalSizeX": 0.25,
        "PhysicalSizeY": 0.5,
        "PhysicalSizeXUnit": "nm",
        "Channel": {"Name": ["DAPI", "GFP"], "Color": [65535, -16776961]},
    }
    tifffile.imwrite(tmp_path / "scan.ome.tif", stack, photometric="minisblack", tile=(256, 256), metadata=metadata)
    with serving({"scan": opened_file(str(tmp_path / "scan.ome.tif"), str(tmp_path))}, pyramid="auto") as client:
        group = zarr.open_group(f"{client.handle.address}/zarr/v3/images/scan", mode="r")
        (multiscale,) = group.attrs["ome"]["multiscales"]
        assert [axis.get("unit") for axis in multiscale["axes"]] == [None, "micrometer", "nanometer"]
        assert multiscale["datasets"][1]["coordinateTransformations"][0]["scale"] == [1.0, 1.0, 0.5]
        channels = group.attrs["ome"]["omero"]["channels"]
        assert [(each["label"], each["color"]) for each in channels] == [("DAPI", "0000FF"), ("GFP", "FF0000")]
        np.testing.assert_array_equal(group["0/image"][:], stack)


def test_there_are_none_unless_asked_for():
    with serving(TREES) as client:
        assert client.get("/zarr/v3/images/photo/zarr.json").status_code == 404
    with pytest.raises(ValueError, match="auto, none, mean, stride, mode"):
        serving(TREES, pyramid="median").__enter__()


def test_a_coarse_chunk_that_takes_too_long_goes_on_when_it_is_asked_for_again():
    array = np.random.default_rng(3).integers(0, 9, (2100, 2100), np.uint8)

    def slow(window):
        time.sleep(0.05)
        return array[window]

    tree = {"slow": Array(array.shape, array.dtype, slow, (512, 512))}
    app = create_app(tree, settings=Settings(pyramid="mean"), level_seconds=0.01)
    with serve_in_background(app, "127.0.0.1", 0) as handle, httpx.Client(base_url=handle.address) as client:
        statuses = []
        while not statuses or statuses[-1] == 503:
            reply = client.get("/zarr/v3/images/slow/3/image/c/0/0")
            statuses.append(reply.status_code)
            assert reply.headers.get("retry-after") == ("1" if reply.status_code == 503 else None)
        assert statuses[-1] == 200
        assert 5 < len(statuses) < 12  # a window each
        got = zarr.open_array(f"{handle.address}/zarr/v3/images/slow/3/image", mode="r")[:262, :262]
        np.testing.assert_array_equal(got, array[:2096, :2096].reshape(262, 8, 262, 8).mean((1, 3)).round())


def test_a_volume_of_nifti_is_a_stack_of_planes_with_its_sizes(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    volume = np.random.default_rng(4).integers(0, 900, (40, 30, 5)).astype(np.int16)
    image = nibabel.Nifti1Image(volume, np.diag([0.5, 0.75, 3, 1]))
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, tmp_path / "brain.nii")
    with serving({"brain": opened_file(str(tmp_path / "brain.nii"), str(tmp_path))}, pyramid="auto") as client:
        group = zarr.open_group(f"{client.handle.address}/zarr/v3/images/brain", mode="r")
        (multiscale,) = group.attrs["ome"]["multiscales"]
        assert [(axis["name"], axis["type"], axis["unit"]) for axis in multiscale["axes"]] == [
            (name, "space", "millimeter") for name in "zyx"
        ]
        assert multiscale["datasets"][0]["coordinateTransformations"][0]["scale"] == [3.0, 0.75, 0.5]
        np.testing.assert_array_equal(group["0/image"][:], volume.transpose(2, 1, 0))


def test_own_levels_of_a_slide_come_in_the_order_of_ome_zarr_with_windows(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    slide = np.random.default_rng(5).integers(0, 255, (600, 400, 3), np.uint8)
    with tifffile.TiffWriter(tmp_path / "slide.tif") as file:
        file.write(slide, subifds=1, tile=(256, 256), photometric="rgb", metadata={"axes": "YXS"})
        file.write(slide[::4, ::4], subfiletype=1, tile=(256, 256), photometric="rgb")
    with serving({"slide": opened_file(str(tmp_path / "slide.tif"), str(tmp_path))}, pyramid="auto") as client:
        for number, image in ((2, Image04), (3, Image05)):
            group = zarr.open_group(f"{client.handle.address}/zarr/v{number}/images/slide", mode="r")
            image.from_zarr(group)
            np.testing.assert_array_equal(group["1/image"][:], slide[::4, ::4].transpose(2, 0, 1))
        described = group.attrs["ome"]
        assert [axis["name"] for axis in described["multiscales"][0]["axes"]] == ["c", "y", "x"]
        scale = described["multiscales"][0]["datasets"][1]["coordinateTransformations"][0]["scale"]
        assert scale == [1.0, 4.0, 4.0]
        assert [each["color"] for each in described["omero"]["channels"]] == ["FF0000", "00FF00", "0000FF"]
