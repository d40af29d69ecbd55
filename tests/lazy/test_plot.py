import inspect
import pickle
import subprocess
import sys
from contextlib import contextmanager
from fractions import Fraction

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from xarray.core.utils import UncachedAccessor
from xarray.plot.accessor import DataArrayPlotAccessor

import mandeldask as md


@pytest.fixture(autouse=True)
def _no_display():
    mpl.use("agg")
    yield
    plt.close("all")


def test_pictures_are_to_scale_upright_and_in_plane_units():
    window = md.window("-0.75+0.1j", "0.3", (20, 60), maxiter=50).iterations
    image = window.mandel.plot()
    assert image.axes.get_aspect() == 1
    left, right, bottom, top = image.get_extent()
    assert (left, right) == pytest.approx((-0.9 - 0.0025, -0.6 - 0.0025))
    assert (bottom, top) == pytest.approx((0.05 + 0.0025, 0.15 + 0.0025))
    assert (image.axes.get_xlabel(), image.axes.get_ylabel()) == ("Re(c)", "Im(c)")
    assert image.colorbar.ax.get_ylabel() == "escape count [iterations]"
    upright = image.get_array() if image.origin == "upper" else image.get_array()[::-1]
    np.testing.assert_array_equal(upright, window)


@pytest.mark.parametrize("name", ["__call__", "contour", "contourf", "imshow", "pcolormesh"])
def test_xarrays_own_plots_are_to_scale_with_real_axes_and_labels(name):
    drawn = getattr(md.window("0", "4", (20, 30), maxiter=50).iterations.plot, name)()
    assert drawn.axes.get_aspect() == 1
    assert drawn.axes.get_xlabel() == "Re(c)"
    assert drawn.axes.get_xlim()[0] == pytest.approx(-2 - 2 / 30, abs=0.1)
    assert drawn.axes.get_ylim()[0] < drawn.axes.get_ylim()[1]


def frames():
    """Return an array of two windows after one another, dimensions (step, y, x)."""
    window = md.window("0", "4", (20, 30), maxiter=50).iterations.compute()
    return xr.concat([window, window // 2], "step")


@pytest.mark.parametrize("keywords", [{"col": "step"}, {"row": "step"}, {"col": "step", "x": "y"}])
def test_facets_are_to_scale(keywords):
    assert {axes.get_aspect() for axes in frames().plot(**keywords).axs.flat} == {1}


DERIVED = {
    "steps": lambda window: window[::2, ::3],
    "coarser": lambda window: window.coarsen(x=2, y=2).mean(),
    "turned": lambda window: window.T,
    "computed": lambda window: (window + 1).where(window > 3).compute(),
    "renamed": lambda window: window.rename(x="re", y="im"),
    "read back": lambda window: xr.DataArray.from_dict(window.to_dict()),
    "rgb": lambda window: xr.concat([window / 50] * 3, "colour").rename(None),
}


@pytest.mark.parametrize("derive", DERIVED.values(), ids=DERIVED)
def test_what_is_made_of_windows_is_to_scale(derive):
    assert derive(md.window("0", "4", (20, 30), maxiter=50).iterations).plot.imshow().axes.get_aspect() == 1


OTHER_PLOTS = {
    "a size of its own": lambda window: window.plot(aspect=2, size=3).axes,
    "another scale": lambda window: window.plot(yscale="symlog").axes,
    "axes of some aspect": lambda window: window.plot(ax=plt.figure().add_subplot(aspect=3)).axes,
    "a row": lambda window: window[3].plot()[0].axes,
    "lines": lambda window: window.plot(x="x", hue="y")[0].axes,
    "facets of rows": lambda window: window[:3].plot(row="y").axs.flat[0],
    "a histogram": lambda window: window.plot.hist()[2][0].axes,
    "against something else": lambda window: frames()[:, 3].plot().axes,
    "polar": lambda window: window.plot(subplot_kws={"projection": "polar"}).axes,
}


@pytest.mark.parametrize("draw", OTHER_PLOTS.values(), ids=OTHER_PLOTS)
def test_plots_of_other_kinds_or_aspects_stay_as_asked(draw):
    window = md.window("1", "2", (20, 30), maxiter=50).iterations
    axes = draw(window)
    with xarrays_own():
        plt.close("all")
        assert axes.get_aspect() == draw(window.copy()).get_aspect()


@contextmanager
def xarrays_own():
    """Put xarray's accessor back for a while."""
    ours = vars(xr.DataArray)["plot"]
    xr.DataArray.plot = UncachedAccessor(DataArrayPlotAccessor)
    try:
        yield
    finally:
        xr.DataArray.plot = ours


def test_other_arrays_keep_xarrays_accessor():
    md.window("0", "4", (2, 2))
    other = xr.DataArray([[1, 2], [3, 4]], coords={"x": [0, 1], "y": [0, 9]}, dims=("y", "x"))
    assert type(other.plot) is DataArrayPlotAccessor
    assert other.plot().axes.get_aspect() == "auto"
    assert b"mandeldask" not in pickle.dumps(other)
    xr.testing.assert_identical(pickle.loads(pickle.dumps(other)), other)
    assert type(other.to_dataset(name="a").plot).__name__ == "DatasetPlotAccessor"


def test_the_class_shows_xarrays_documentation_and_signatures():
    md.window("0", "4", (2, 2))
    assert xr.DataArray.plot is not DataArrayPlotAccessor
    assert set(dir(DataArrayPlotAccessor)) <= set(dir(xr.DataArray.plot))
    for name in ("__call__", *(name for name in dir(DataArrayPlotAccessor) if not name.startswith("_"))):
        ours, xarrays = getattr(xr.DataArray.plot, name), getattr(DataArrayPlotAccessor, name)
        assert (ours.__doc__, ours.__name__) == (xarrays.__doc__, xarrays.__name__)
        assert inspect.signature(ours) == inspect.signature(xarrays)
    assert xr.DataArray.plot.__doc__ == DataArrayPlotAccessor.__doc__


def test_windows_that_were_drawn_pickle():
    window = md.window("0", "4", (20, 30), maxiter=50).iterations
    window.plot()
    again = pickle.loads(pickle.dumps(window))
    xr.testing.assert_identical(again, window)
    assert again.plot().axes.get_aspect() == 1


OPENING = """
import warnings; warnings.simplefilter("error")
import xarray as xr, mandeldask as md
from xarray.plot.accessor import DataArrayPlotAccessor
xr.backends.list_engines()
assert xr.DataArray.plot is DataArrayPlotAccessor
{opened}
assert xr.DataArray.plot is not DataArrayPlotAccessor
"""


@pytest.mark.parametrize(
    "opened", ["md.open_pyramid()", "md.window(0, 4)", "xr.open_dataset('mandelbrot:levels=9', group='8')"]
)
def test_only_opening_something_replaces_xarrays_accessor_and_says_nothing(opened):
    subprocess.run([sys.executable, "-c", OPENING.format(opened=opened)], check=True)


def test_whole_deep_levels_are_not_drawn():
    with pytest.raises(MemoryError, match="select a window first"):
        md.open_pyramid()["0/iterations"].plot()


@pytest.mark.parametrize("draw", [lambda window: window.mandel.plot(), lambda window: window.plot()])
def test_deep_windows_count_from_their_middle(draw):
    window = md.window("-0.75+0.1j", "1e-18", (4, 8), maxiter=50).iterations
    image = draw(window)
    left, right = image.axes.get_xlim()
    assert right - left == pytest.approx(1e-18)
    assert image.axes.get_xlabel() == "Re(c) − (-0.75)"
    assert image.axes.get_ylabel() == "Im(c) − (0.1)"
    assert Fraction(window.xindexes["x"].axis.step) == Fraction(1, 8 * 10**18)


def test_keywords_are_matplotlibs():
    axes = plt.figure().subplots()
    image = md.window("0", "4", (20, 30), maxiter=50).iterations.mandel.plot(ax=axes, cmap="magma", add_colorbar=False)
    assert image.axes is axes
    assert image.get_cmap().name == "magma"
