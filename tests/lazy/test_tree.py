import json
import pickle

import numpy as np
import pytest
import xarray as xr
from zarr.storage import MemoryStore

from mandeldask import Pyramid, open_pyramid
from mandeldask.lazy.blocks import task_side
from positions import LOG, position_kernel


@pytest.fixture
def tree():
    LOG.clear()
    return open_pyramid(levels=50, kernel=position_kernel)


def test_the_groups_are_the_levels_finest_first(tree):
    assert list(tree.children) == [str(level) for level in range(50)]
    for level, group in enumerate(tree.children.values()):
        assert group["iterations"].dims == ("y", "x")
        assert group["iterations"].shape == (512 * 2 ** (50 - level),) * 2


def test_the_root_has_attributes_only(tree):
    assert not tree.ds.variables
    assert json.loads(json.dumps(tree.attrs))["mandeldask"]["levels"] == 50


def test_opening_and_printing_compute_nothing(tree):
    repr(tree)
    tree._repr_html_()
    assert LOG.calls == 0


def test_levels_are_dask_up_to_256_blocks_along_an_axis(tree):
    assert [level for level in range(50) if tree[f"{level}/iterations"].chunks] == list(range(42, 50))


def test_without_chunks_no_level_is_dask():
    tree = open_pyramid(levels=50, chunks=None)
    assert not any(tree[f"{level}/iterations"].chunks for level in range(50))
    assert tree["49/iterations"].encoding["chunks"] == (512, 512)


def test_the_tree_pickles(tree):
    again = pickle.loads(pickle.dumps(tree))
    xr.testing.assert_identical(again["49"].to_dataset(), tree["49"].to_dataset())
    assert again["0/iterations"][2**58, 2**58].item() == 2**58


def test_a_pyramid_says_everything_itself():
    pyramid = Pyramid(levels=3, tilesize=16)
    assert open_pyramid(pyramid)["2/iterations"].shape == (32, 32)
    with pytest.raises(TypeError, match="maxiter"):
        open_pyramid(pyramid, maxiter=3)


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"levels": 60}, "at most 53 at tilesize 512"),
        ({"maxiter": 0}, "maxiter"),
        ({"width": -1}, "width must be positive"),
        ({"tilesize": 0.5}, "tilesize"),
        ({"center": "here"}, "center"),
        ({"ome": "0.6"}, "ome must be one of"),
    ],
)
def test_values_out_of_range_are_named(keywords, said):
    with pytest.raises(ValueError, match=said):
        open_pyramid(**keywords)


def test_tasks_are_split_where_maxiter_makes_tiles_long():
    assert task_side(512, 255) == 512
    assert task_side(512, 2**32 - 1) == 32
    assert open_pyramid(levels=2, maxiter=10_000)["1/iterations"].chunks[0][0] == 128


def test_values_are_the_kernels(tree):
    corner = np.array([[0, 0], [1, 1]])
    np.testing.assert_array_equal(tree["49/iterations"][:2, :2], corner)
    np.testing.assert_array_equal(tree["0/iterations"][-2:, -2:], corner + 2**59 - 2)


def test_a_whole_tree_selects_copies_and_maps(tree):
    point = tree.sel(x="-0.75", y="0.1", method="nearest")
    assert point["0/iterations"].shape == ()
    assert LOG.calls == 0
    assert tree.copy(deep=True)["0/iterations"].shape == tree["0/iterations"].shape
    corners = tree.map_over_datasets(lambda level: level.isel(y=slice(2), x=slice(2)) if level else level)
    np.testing.assert_array_equal(corners["0/iterations"], [[0, 0], [1, 1]])
    assert LOG.pixels == 4


def test_writing_the_whole_tree_is_refused(tree):
    with pytest.raises(MemoryError, match="select a window first"):
        tree.to_zarr(MemoryStore(), consolidated=False)
    assert LOG.calls == 0


def test_the_mean_of_a_level_is_that_of_its_pixels():
    level = open_pyramid(levels=6, tilesize=64, maxiter=100)["5/iterations"]
    assert level.mean().compute() == level.values.mean()
