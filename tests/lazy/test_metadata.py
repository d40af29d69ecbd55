import json
from fractions import Fraction

import numpy as np
import pytest
import xarray as xr
import zarr
import zarr_cm
from ome_zarr_models.v04.image import Image as Image04
from ome_zarr_models.v05.image import Image as Image05

import mandeldask as md
from mandeldask.fractal.kernel import About
from mandeldask.fractal.rationals import as_fraction, as_point
from mandeldask.lazy.metadata import attributes_of, pyramid_of, root_attributes
from positions import position_kernel

PYRAMIDS = [
    md.Pyramid(),
    md.Pyramid(levels=3, tilesize=64, maxiter=(900, 700, 500), center="-0.75+1e-20j", width="1/3"),
    md.Pyramid(levels=1, fields=("iterations", "smooth", "distance")),
    md.Pyramid(levels=20, maxiter="auto", width="1e-250"),
]


def document(pyramid, zarr_format, **keywords):
    return json.loads(json.dumps(attributes_of(root_attributes(pyramid, **keywords), zarr_format)))


@pytest.mark.parametrize("pyramid", PYRAMIDS)
def test_v3_follows_the_zarr_conventions(pyramid):
    root = {"zarr_format": 3, "node_type": "group", "attributes": document(pyramid, 3)}
    zarr_cm.multiscales.validate_group_metadata(root)
    zarr_cm.spatial.validate_group_metadata(root)
    layout = root["attributes"]["multiscales"]["layout"]
    for level, entry in enumerate(layout):
        a, _, c, _, e, f = entry["spatial:transform"]
        grid = pyramid.grid(level)
        assert (c, f) == (float(grid.point(0, 0).re), float(grid.point(0, 0).im))
        assert (c + a, f + e) == pytest.approx((float(grid.point(1, 1).re), float(grid.point(1, 1).im)), rel=1e-12)
        assert entry["spatial:shape"] == list(grid.shape)


def test_places_that_float64_cannot_say_have_no_spatial_convention():
    attrs = document(md.Pyramid(levels=3, width="1e-400"), 3)
    assert "zarr_conventions" not in attrs
    assert attrs["exact_width"] == "1e-400"
    assert attrs["ome"]["multiscales"][0]["datasets"][1]["path"] == "1/iterations"


@pytest.mark.parametrize("pyramid", PYRAMIDS)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_ome_zarr_scales_double_and_share_one_origin(pyramid, zarr_format):
    attrs = document(pyramid, zarr_format)
    ome = attrs["ome"] if zarr_format == 3 else attrs
    assert (ome if zarr_format == 3 else ome["multiscales"][0])["version"] == {2: "0.4", 3: "0.5"}[zarr_format]
    for field, multiscale in zip(pyramid.fields, ome["multiscales"], strict=True):
        assert [axis["name"] for axis in multiscale["axes"]] == ["y", "x"]
        for level, entry in enumerate(multiscale["datasets"]):
            scale, translation = entry["coordinateTransformations"]
            assert entry["path"] == f"{level}/{field}"
            assert scale == {"type": "scale", "scale": [2.0**level] * 2}
            assert translation == {"type": "translation", "translation": [0.0, 0.0]}
    window = ome["omero"]["channels"][0]["window"]
    assert window["max"] == max(pyramid.maxiter_at(level) for level in range(pyramid.levels))
    assert window["end"] == pyramid.maxiter_at(pyramid.levels - 1)


@pytest.mark.parametrize(("zarr_format", "image"), [(2, Image04), (3, Image05)])
def test_an_export_is_valid_ome_zarr(zarr_format, image, tmp_path):
    tree = md.open_pyramid(levels=30, tilesize=8, fields=("iterations", "smooth"), kernel=position_kernel)
    md.export(tree, tmp_path / "out.zarr", levels=range(27, 30), zarr_format=zarr_format)
    opened = image.from_zarr(zarr.open_group(tmp_path / "out.zarr", mode="r"))
    attributes = opened.attributes if zarr_format == 2 else opened.attributes.ome
    assert [entry.path for entry in attributes.multiscales[0].datasets] == [f"{n}/iterations" for n in (27, 28, 29)]


def test_the_notebooks_version_has_paths_only():
    attrs = document(md.Pyramid(levels=2), 2, ome="0.1")
    assert attrs["multiscales"] == [
        {"version": "0.1", "name": "iterations", "datasets": [{"path": "0/iterations"}, {"path": "1/iterations"}]}
    ]
    assert "omero" not in attrs


def test_levels_keep_the_version_that_the_tree_was_opened_with(tmp_path):
    tree = md.open_pyramid(levels=3, tilesize=8, ome="0.1", kernel=position_kernel)
    md.export(tree, tmp_path / "out.zarr", levels=[2], zarr_format=2)
    written = zarr.open_group(tmp_path / "out.zarr", mode="r").attrs["multiscales"]
    assert written == tree.mandel.levels([2], 2).attrs["multiscales"]
    assert written == [{"version": "0.1", "name": "iterations", "datasets": [{"path": "2/iterations"}]}]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_tree_that_was_read_back_is_written_as_the_original(zarr_format, tmp_path):
    tree = md.open_pyramid(levels=3, tilesize=8, kernel=position_kernel)
    md.export(tree, tmp_path / "other.zarr", zarr_format=5 - zarr_format)
    back = xr.open_datatree(tmp_path / "other.zarr", engine="zarr", chunks=None)
    assert back.mandel.levels([1, 2], zarr_format).attrs == tree.mandel.levels([1, 2], zarr_format).attrs


def test_some_levels_describe_themselves():
    attrs = document(md.Pyramid(), 3, levels=(10, 12, 49))
    datasets = attrs["ome"]["multiscales"][0]["datasets"]
    assert [entry["coordinateTransformations"][0]["scale"][0] for entry in datasets] == [1.0, 4.0, 2.0**39]
    first, second, third = attrs["multiscales"]["layout"]
    assert "derived_from" not in first
    assert (second["derived_from"], second["transform"]["scale"]) == ("10", [4.0, 4.0])
    assert third["derived_from"] == "12"
    zarr_cm.multiscales.validate_group_metadata({"zarr_format": 3, "node_type": "group", "attributes": attrs})


@pytest.mark.parametrize("pyramid", PYRAMIDS)
def test_attributes_make_the_same_pyramid_again(pyramid):
    attrs = json.loads(json.dumps(root_attributes(pyramid)))
    assert pyramid_of(attrs) == pyramid
    assert attrs["mandeldask"]["fingerprint"] == pyramid.fingerprint
    assert as_point(attrs["exact_center"]) == pyramid.center
    assert as_fraction(attrs["exact_width"]) == pyramid.width


def test_levels_say_their_exact_spacing_and_maxiter():
    tree = md.open_pyramid(levels=3, width="1/3", maxiter=(30, 20, 10))
    for level in range(3):
        attrs = tree[str(level)].attrs
        assert as_fraction(attrs["exact_spacing"]) == Fraction(1, 3) / (512 * 2 ** (3 - level))
        assert (attrs["level"], attrs["maxiter"]) == (level, (30, 20, 10)[level])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_is_served_is_what_is_exported(zarr_format, tmp_path):
    tree = md.open_pyramid(levels=3, tilesize=8, kernel=position_kernel, chunks=None)  # as the server opens it
    md.export(tree, tmp_path / "out.zarr", zarr_format=zarr_format)
    served = zarr.open_group(md.to_store(tree, zarr_format=zarr_format), mode="r")
    written = zarr.open_group(tmp_path / "out.zarr", mode="r")
    assert served.attrs.asdict() == written.attrs.asdict()
    for path in ("0", "0/iterations", "2/iterations"):
        assert served[path].attrs.asdict() == written[path].attrs.asdict()
    assert served["1/iterations"].chunks == written["1/iterations"].chunks


class Heights:
    """A kernel of something else than the set."""

    def __init__(self, field="height"):
        self.dtypes, self.attributes = {field: np.dtype("f4")}, {}
        self.about = About("heights", "Heights of a plane", "p")

    def select(self, *fields):
        return self

    def __call__(self, grid):
        return {field: np.ones(grid.shape, dtype) for field, dtype in self.dtypes.items()}

    def __dask_tokenize__(self):
        return "heights", tuple(self.dtypes)


def test_metadata_are_of_the_fields_that_a_kernel_computes():
    tree = md.open_pyramid(levels=3, tilesize=16, kernel=lambda pyramid, level: Heights())
    assert tree.name == "heights"
    assert tree["0"].x.attrs["long_name"] == "Re(p)"
    for seen in (tree, tree.mandel.levels([0, 2])):
        assert seen.attrs["title"] == "Heights of a plane"
        assert "omero" not in seen.attrs["zarr_v3"]["ome"]
        for zarr_format, image in ((2, Image04), (3, Image05)):
            group = zarr.open_group(md.to_store(seen, zarr_format), mode="r")
            image.from_zarr(group)
            multiscales = group.attrs["multiscales"] if zarr_format == 2 else group.attrs["ome"]["multiscales"]
            paths = [dataset["path"] for dataset in multiscales[0]["datasets"]]
            assert paths == [f"{level}/height" for level in seen.children]
            assert [group[path].shape[0] for path in paths] == [16 * 2 ** (3 - int(level)) for level in seen.children]
