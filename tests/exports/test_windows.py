"""Exports of a window: as a range of pixels, and as a place, which is a multiscale image with its position."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

import mandeldask as md


def test_a_window_is_written_alone(tree, tmp_path):
    md.export(tree, tmp_path / "out.zarr", levels=[3], window={"y": slice(10, 40), "x": slice(5, 60)})
    written = zarr.open_group(tmp_path / "out.zarr", mode="r")["3/iterations"]
    assert np.array_equal(written[...], tree["3/iterations"].values[10:40, 5:60])
    with pytest.raises(ValueError, match="window must name dimensions among"):
        md.export(tree, tmp_path / "other.zarr", levels=[3], window={"z": slice(2)})


def test_a_window_by_place_is_a_multiscale_image_where_it_lies(tree, tmp_path):
    target, place = tmp_path / "out.zarr", ("-0.75+0.1j", "1.3")
    md.export(tree, target, levels=[2, 3, 4], window=place)
    group = zarr.open_group(target, mode="r")
    sets = group.attrs["ome"]["multiscales"][0]["datasets"]
    assert "mandeldask" not in group.attrs
    for level, described in zip((2, 3, 4), sets, strict=True):
        whole, cut = tree[str(level)].to_dataset(), group[f"{level}/iterations"]
        inside = {dim: whole[dim].values[abs(whole[dim].values - at) < 0.65] for dim, at in (("y", 0.1), ("x", -0.75))}
        rows, cols = (np.flatnonzero(np.isin(whole[dim].values, inside[dim])) for dim in ("y", "x"))
        assert np.array_equal(cut[...], whole.iterations.values[np.ix_(rows, cols)])
        scale, translation = described["coordinateTransformations"]
        assert scale["scale"] == [2.0 ** (level - 2)] * 2
        first = tree["2"].to_dataset()
        origin = group["2/x"][0] + translation["translation"][1] * (first.x.values[1] - first.x.values[0])
        assert origin == pytest.approx(group[f"{level}/x"][0])
    md.export(tree, target, levels=[1], window="#re=-0.75&im=0.1&width=1.3")  # a link to the same square
    assert sorted(zarr.open_group(target, mode="r").keys()) == ["1", "2", "3", "4"]
    assert md.verify(target, tree, window=place, sample=None).ok
    with pytest.raises(ValueError, match="contains other content"):
        md.export(tree, target, levels=[1], window=("-0.75+0.1j", "1.2"))
    with pytest.raises(ValueError, match="has no width"):
        md.export(tree, target, levels=[1], window="-0.75+0.1j")
    with pytest.raises(ValueError, match="lies outside the pyramid, or between"):
        md.export(tree, target, levels=[1], window=("40", "1"))
    with pytest.raises(TypeError, match="needs a pyramid"):
        md.export({"a": np.arange(3)}, target, window=place)
