import copy
import doctest
import json

import ngff_zarr
import numpy as np
import pytest
import zarr
import zarr_cm
from ome_zarr_models.v04.image import Image as Image04
from ome_zarr_models.v04.labels import Labels as Labels04
from ome_zarr_models.v05.image import Image as Image05
from ome_zarr_models.v05.labels import Labels as Labels05

import mandeldask as md
from mandeldask import multiscales
from mandeldask.conventions import Placed, spatial
from mandeldask.multiscales import Axis, Channel, Dataset, Image, in_format, ome

AXES = (Axis("t", "time", "second"), Axis("c", "channel"), Axis("y", unit="micrometer"), Axis("x", unit="micrometer"))
CELLS = Image(
    "cells",
    AXES,
    tuple(Dataset(str(n), (1.0, 1.0, 0.5 * 2**n, 0.5 * 2**n), (0.0, 0.0, 0.25 * n, 0.25 * n)) for n in range(2)),
    method="mean",
    description="means of 2 x 2 elements",
)
CHANNELS = (Channel("DAPI", (0, 40), (0, 255), "0000FF"), Channel("GFP", (1, 9), (0, 255), "00FF00", active=False))
V5 = {"title": "two channels", "ome": ome([CELLS], CHANNELS, "cells")}
V4 = in_format(V5, 2)


def image_group(zarr_format, attrs):
    """Return a group with the two levels of CELLS and a label image, as another library would have written them."""
    store = zarr.storage.MemoryStore()
    root = zarr.create_group(store, attributes=attrs, zarr_format=zarr_format)
    names = [axis.name for axis in AXES]
    for level in range(2):
        shape = (2, 2, 8 >> level, 6 >> level)
        dims = {"dimension_names": names} if zarr_format == 3 else {}
        root.create_array(str(level), shape=shape, dtype="u1", **dims)[:] = level + 1
    return root


def test_the_documents_of_version_0_5_are_plain_json():
    assert json.loads(json.dumps(V5)) == V5
    multiscale = V5["ome"]["multiscales"][0]
    assert multiscale["axes"][2] == {"name": "y", "type": "space", "unit": "micrometer"}
    assert multiscale["datasets"][1]["coordinateTransformations"] == [
        {"type": "scale", "scale": [1.0, 1.0, 1.0, 1.0]},
        {"type": "translation", "translation": [0.0, 0.0, 0.25, 0.25]},
    ]
    assert V5["ome"]["omero"]["rdefs"] == {"model": "color"}
    assert V5["ome"]["omero"]["channels"][1]["window"] == {"start": 1, "end": 9, "min": 0, "max": 255}


def test_0_4_has_its_keys_among_the_others_and_versions():
    assert "ome" not in V4
    assert V4["multiscales"][0]["version"] == "0.4"
    assert V4["omero"] == V5["ome"]["omero"]


def test_ngff_zarrs_schemas_accept_both_versions():
    ngff_zarr.validate(V5, version="0.5", strict=True)
    ngff_zarr.validate(V4, version="0.4", strict=True)


def test_examples_in_docstrings_are_true():
    assert doctest.testmod(multiscales).failed == 0


def test_there_and_back_is_the_same():
    assert in_format(V4, 3) == V5
    assert in_format(in_format(V4, 3), 2) == V4
    assert in_format(V5, 3) == V5
    assert in_format(V4, 2) == V4


def test_translation_changes_no_source():
    before = copy.deepcopy((V4, V5))
    in_format(V4, 3)
    in_format(V5, 2)
    assert before == (V4, V5)


@pytest.mark.parametrize(
    "attrs",
    [
        {"plate": {"version": "0.4", "columns": [{"name": "1"}], "rows": [{"name": "A"}], "wells": []}},
        {"well": {"version": "0.4", "images": [{"path": "0"}]}},
        {**V4, "image-label": {"version": "0.4", "source": {"image": "../.."}}},
        {"bioformats2raw.layout": 3, "series": ["0"]},
    ],
)
def test_every_kind_of_group_is_translated(attrs):
    moved = in_format(attrs, 3)
    assert moved["ome"]["version"] == "0.5"
    assert '"0.4"' not in json.dumps(moved)
    assert in_format(moved, 2) == attrs


@pytest.mark.parametrize(
    "attrs",
    [
        {"labels": ["low", "high"]},
        {"plate": "steel", "well": {"depth": 12}, "series": [1, 2]},
        {"multiscales": []},
        {"multiscales": [{"version": "0.4"}, 3]},
        {"multiscales": [{"version": "0.4", "axes": [{}], "datasets": None}]},
        {"multiscales": [{"version": "0.1", "datasets": [{"path": "0"}]}]},
        {"multiscales": [{"version": "0.3", "axes": ["y", "x"], "datasets": [{"path": "0"}]}]},
        {"ome": {"version": "0.6", "multiscales": []}},
        {"multiscales": {"layout": [{"asset": "0"}]}},
    ],
)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_is_no_ome_zarr_of_these_versions_stays(attrs, zarr_format):
    assert in_format(attrs, zarr_format, {"0"}) == attrs


def test_v2_has_oms_list_and_not_the_conventions_object():
    levels = [Placed("0", (8, 6), (0.5, 0, 0, 0, 0.5, 0)), Placed("1", (4, 3), (1, 0, 0, 0, 1, 0), (2, 2), (0.5, 0.5))]
    both = {**V5, **spatial(levels)}
    assert [each["name"] for each in in_format(both, 2)["zarr_conventions"]] == ["spatial"]
    assert in_format(both, 2)["multiscales"] == V4["multiscales"]
    assert in_format(both, 3) == both


def test_the_conventions_are_valid():
    levels = [Placed("0", (8, 6), (2, 0, 10, 0, -2, 5)), Placed("1", (4, 3), (4, 0, 10, 0, -4, 5), (2, 2), (0, 0))]
    root = {"zarr_format": 3, "node_type": "group", "attributes": spatial(levels, method="average")}
    zarr_cm.multiscales.validate_group_metadata(root)
    zarr_cm.spatial.validate_group_metadata(root)
    assert root["attributes"]["spatial:bbox"] == [10, -11, 22, 5]


def test_datasets_must_fit_their_axes():
    with pytest.raises(ValueError, match="4 axes"):
        Image("cells", AXES, (Dataset("0", (1.0,), (0.0,)),))
    with pytest.raises(ValueError, match="at least one"):
        Image("cells", AXES, ())


@pytest.mark.parametrize(("source", "attrs"), [(2, V4), (3, V5)])
@pytest.mark.parametrize(("zarr_format", "image"), [(2, Image04), (3, Image05)])
def test_a_served_image_is_valid_in_both_formats(source, attrs, zarr_format, image):
    served = zarr.open_group(md.to_store(image_group(source, attrs), zarr_format=zarr_format), mode="r")
    opened = image.from_zarr(served)
    described = opened.attributes if zarr_format == 2 else opened.attributes.ome
    assert described.multiscales[0].datasets[1].path == "1"
    np.testing.assert_array_equal(served["1"][:], np.full((2, 2, 4, 3), 2))


@pytest.mark.parametrize(("zarr_format", "labels"), [(2, Labels04), (3, Labels05)])
def test_labels_name_members(zarr_format, labels):
    store = zarr.storage.MemoryStore()
    root = zarr.create_group(store, attributes={"labels": ["nuclei"]}, zarr_format=2)
    label = root.create_group("nuclei", attributes={**V4, "image-label": {"version": "0.4"}})
    for level in range(2):
        label.create_array(str(level), shape=(2, 2, 8 >> level, 6 >> level), dtype="u1")
    served = zarr.open_group(md.to_store(root, zarr_format=zarr_format), mode="r")
    attributes = labels.from_zarr(served).attributes
    assert (attributes if zarr_format == 2 else attributes.ome).labels == ["nuclei"]
