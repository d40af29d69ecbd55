from fractions import Fraction

import numpy as np
import pytest
import xarray as xr

import mandeldask as md
from mandeldask.lazy.metadata import attributes_of
from positions import LOG, position_kernel


@pytest.fixture
def tree():
    LOG.clear()
    return md.open_pyramid(levels=50, fields=("iterations", "smooth"), kernel=position_kernel)


def test_a_window_comes_from_the_coarsest_level_that_has_the_pixels(tree):
    window = tree.mandel.window("-0.75+0.1j", "1e-6", (400, 600))
    level = window.attrs["level"]
    spacing = Fraction(1, 10**6) / 600
    assert Fraction(5, 512 * 2 ** (50 - level)) <= spacing < Fraction(5, 512 * 2 ** (50 - level - 1))
    assert all(wanted <= size < 2 * wanted for wanted, size in zip((400, 600), window.iterations.shape, strict=True))


def test_a_window_is_centred_and_holds_the_levels_pixels(tree):
    window = tree.mandel.window("0.25-0.5j", "1e-9", (8, 8)).compute()
    axis = tree.mandel.pyramid.grid(window.attrs["level"]).re
    first = axis.index(Fraction("0.25") - Fraction("0.5e-9"))
    assert window.smooth[0, 0].item() == -(-first.numerator // first.denominator)
    assert float(abs(window.x.mean() - 0.25)) < 1e-9


def test_a_window_is_a_fresh_graph_that_computes_all_fields_at_once(tree):
    window = tree.mandel.window("-0.75+0.1j", "1e-14", (1000, 1000))
    assert [len(array.data.dask.layers) for array in window.data_vars.values()] == [2, 2]
    blocks = np.prod(window.iterations.data.numblocks)
    window.compute(scheduler="synchronous")
    assert (LOG.calls, LOG.pixels) == (blocks, window.iterations.size)


def test_a_lone_field_is_one_layer():
    tree = md.open_pyramid(levels=50, kernel=position_kernel)
    assert len(tree.mandel.window(width="1e-9").iterations.data.dask.layers) == 1


def test_the_whole_pyramid_is_the_window_by_default(tree):
    assert tree.mandel.window().iterations.shape == (1024, 1024)
    assert tree.mandel.window(shape=(1024, 1024)).attrs["level"] == 49


def test_parts_outside_are_cut_off(tree):
    window = tree.mandel.window("2.5", "1", (512, 512))
    assert (window.y.size, window.x.size) == (819, 409)


def test_windows_that_the_pyramid_does_not_have_are_refused(tree):
    with pytest.raises(ValueError, match=r"the finest level, .*, has only 1\d* pixels .*mandeldask.window"):
        tree.mandel.window("0", "1e-16", (512, 512))
    with pytest.raises(ValueError, match="lies outside"):
        tree.mandel.window("10", "1")


def test_a_dataset_chunks_itself_in_one_pass(tree):
    window = tree["3"].to_dataset().isel(y=slice(700, 1400), x=slice(10, 400)).chunk(200)
    assert window.chunksizes["y"] == (200, 200, 200, 100)
    loaded = window.compute(scheduler="synchronous")
    assert LOG.calls == 8
    np.testing.assert_array_equal(loaded.iterations[:, 0], np.arange(700, 1400))


def test_huge_windows_have_no_more_blocks_than_dask_can_take(tree):
    window = tree.mandel.window("0", "1e-9", (10**6, 10**6))
    assert max(window.iterations.data.numblocks) <= 256


@pytest.mark.filterwarnings("ignore:Consolidated metadata:UserWarning")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_levels_carry_metadata_of_themselves_only(tree, zarr_format, tmp_path):
    some = tree.mandel.levels(range(48, 50))
    assert list(some.children) == ["48", "49"]
    ready = tree.mandel.levels(range(48, 50), zarr_format)
    assert ready.attrs == attributes_of(some.attrs, zarr_format)
    ready.to_zarr(tmp_path / "a.zarr", zarr_format=zarr_format, consolidated=True)
    md.export(tree, tmp_path / "b.zarr", levels=range(48, 50), zarr_format=zarr_format)
    ours, xarrays = (xr.open_datatree(tmp_path / f"{name}.zarr", engine="zarr", chunks=None) for name in "ab")
    xr.testing.assert_identical(ours, xarrays)


def test_a_tree_that_was_read_back_has_windows_too(tree, tmp_path):
    md.export(tree, tmp_path / "out.zarr", levels=[48, 49])
    back = xr.open_datatree(tmp_path / "out.zarr", engine="zarr")
    assert back.mandel.pyramid == tree.mandel.pyramid
    again, window = (one.mandel.window("0.1", "1", (100, 100)).compute() for one in (back, tree))
    xr.testing.assert_equal(again, window)


def test_unknown_levels_and_other_trees_are_refused(tree):
    with pytest.raises(ValueError, match="levels must be among"):
        tree.mandel.levels([50])
    with pytest.raises(ValueError, match="not a pyramid"):
        _ = xr.DataTree().mandel.pyramid


def test_compute_tells_how_much_is_done():
    reports = []
    array = md.window("-0.5", "3", shape=(64, 96), chunks=32).iterations
    xr.testing.assert_identical(array.mandel.compute(progress=lambda *pair: reports.append(pair)), array.compute())
    done, total = reports[-1]
    assert done == total == len(reports) >= 6
