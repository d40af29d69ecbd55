from fractions import Fraction

import numpy as np
import pytest
import xarray as xr

import mandeldask as md
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.rationals import as_fraction, as_point

PLACE = "-0.7436438870371587+0.1318259042053119j"


def test_a_window_is_centred_on_the_place():
    window = md.window(PLACE, "1e-9", (30, 40), maxiter=500)
    assert window.iterations.dims == ("y", "x")
    assert window.iterations.shape == (30, 40)
    re, im = as_point(PLACE)
    assert window.xindexes["x"].axis[20] == re
    assert window.xindexes["y"].axis[15] == im
    assert window.xindexes["x"].axis.step == Fraction(1, 40 * 10**9)


def test_values_are_the_kernels():
    window = md.window("-0.75+0.1j", "0.01", (30, 40), maxiter=300, chunks=16)
    assert window.iterations.dtype == np.uint16
    grid = Grid.window("-0.75+0.1j", "0.01", (30, 40))
    np.testing.assert_array_equal(window.iterations, Mandelbrot(300)(grid)["iterations"])


def test_unaligned_blocks_and_lazy_indexing_agree():
    dask, lazy = (md.window(PLACE, "1e-6", (50, 70), maxiter=400, chunks=chunks) for chunks in (17, None))
    assert dask.chunksizes["x"] == (17, 17, 17, 17, 2)
    assert not lazy.chunks
    xr.testing.assert_equal(dask.compute(), lazy.compute())


def test_attributes_make_the_same_window_again():
    window = md.window(PLACE, "1e-9", (30, 41), maxiter=500)
    attrs = window.attrs
    again = md.window(attrs["exact_center"], attrs["exact_width"], window.iterations.shape, maxiter=attrs["maxiter"])
    xr.testing.assert_identical(window.drop_vars("iterations"), again.drop_vars("iterations"))
    assert window.iterations.data.name == again.iterations.data.name
    assert as_fraction(attrs["exact_spacing"]) == Fraction(1, 41 * 10**9)


def test_maxiter_grows_with_depth_unless_given():
    shallow, deep = (md.window("0", width, (8, 8)).attrs["maxiter"] for width in ("4", "1e-30"))
    assert shallow < deep
    assert md.window("0", "4", (8, 8), maxiter=77).attrs["maxiter"] == 77


def test_tasks_stay_short_where_maxiter_is_great():
    window = md.window("0", "4", (512, 512), maxiter=10**6)
    side = window.iterations.chunks[0][0]
    assert side * side * 10**6 <= 2**30


@pytest.mark.parametrize("digits", [5_000, 100_001])
def test_windows_of_any_number_of_digits(digits):
    window = md.window("-2", f"1e-{digits}", (2, 2), maxiter=10, allow_huge=True)
    assert window.iterations.values.tolist() == [[0, 0], [0, 10]]
    assert window.isel(y=1).iterations.values.tolist() == [0, 10]


def test_more_digits_than_are_sane_only_on_request():
    with pytest.raises(ValueError, match="allow_huge accepts it"):
        md.window("-2", "1e-100001", (2, 2))


def test_windows_too_large_for_dask_are_lazily_indexed():
    window = md.window("0", "4", (10**6, 10**6), maxiter=50)
    assert not window.chunks
    assert window.iterations[500_000, 500_000].item() == 50


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"width": "-1"}, "width must be positive"),
        ({"shape": (0, 5)}, "shape must be an integer"),
        ({"shape": 5}, r"shape must be \(height, width\)"),
        ({"maxiter": 0}, "maxiter"),
        ({"center": "here"}, "center"),
        ({"fields": "colour"}, "fields must be one or more of"),
    ],
)
def test_values_out_of_range_are_named(keywords, said):
    with pytest.raises(ValueError, match=said):
        md.window(**{"center": "0", "width": "4", **keywords})
