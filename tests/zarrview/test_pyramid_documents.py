"""Documents of pyramids are valid by independent models of OME-Zarr and zarr-conventions."""

import json

import ngff_zarr
import numpy as np
import pytest
import zarr
import zarr_cm
from ome_zarr_models.v04.image import Image as Image04
from ome_zarr_models.v05.image import Image as Image05

import mandeldask as md
from mandeldask.images.levels import image_levels
from mandeldask.zarrview.imaged import images_of
from mandeldask.zarrview.nodes import Array, as_node
from mandeldask.zarrview.pyramid import pyramid


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("shape", "dims"),
    [
        ((1100, 1200), None),
        ((2, 1100, 1200), ("z", "y", "x")),
        ((3, 1100, 64), ("c", "y", "x")),
        ((2, 3, 2, 1100, 64), ("t", "c", "z", "y", "x")),
        ((1100, 64, 3), ("y", "x", "c")),
        ((1100, 64, 4), ("y", "x", "s")),
    ],
)
def test_documents_are_valid(zarr_format, shape, dims):
    array = np.random.default_rng(8).integers(0, 900, shape, np.uint16)
    levels = image_levels(shape, dims, scale={"y": 0.5, "x": 0.25}, units={"y": "micrometer", "x": "micrometer"})
    served = zarr.open_group(md.to_store(pyramid(as_node(array), levels), zarr_format=zarr_format), mode="r")
    (Image04 if zarr_format == 2 else Image05).from_zarr(served)
    attrs = json.loads(json.dumps(served.attrs.asdict()))
    ngff_zarr.validate(attrs, version="0.4" if zarr_format == 2 else "0.5", strict=True)
    described = attrs if zarr_format == 2 else attrs["ome"]
    scale, translation = described["multiscales"][0]["datasets"][1]["coordinateTransformations"]
    assert scale["scale"][-2:] == [1.0, 0.5]
    assert translation["translation"][-2:] == [0.25, 0.125]
    for channel in described["omero"]["channels"]:
        assert 0 <= channel["window"]["start"] < channel["window"]["end"] <= 900
    if zarr_format == 3:
        root = {"zarr_format": 3, "node_type": "group", "attributes": attrs}
        zarr_cm.multiscales.validate_group_metadata(root)
        zarr_cm.spatial.validate_group_metadata(root)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_documents_of_labels_are_valid(zarr_format):
    labels = Array(
        (1100, 64), np.dtype("u4"), np.ones((1100, 64), "u4").__getitem__, (512, 64), attrs={"flag_values": [1]}
    )
    served = zarr.open_group(md.to_store(images_of(labels), zarr_format=zarr_format), mode="r")
    (Image04 if zarr_format == 2 else Image05).from_zarr(served)
    attrs = json.loads(json.dumps(served.attrs.asdict()))
    ngff_zarr.validate(attrs, version="0.4" if zarr_format == 2 else "0.5", strict=True)
    assert (attrs if zarr_format == 2 else attrs["ome"])["multiscales"][0]["type"] == "mode"
