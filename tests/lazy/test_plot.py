import pickle
import subprocess
import sys
from fractions import Fraction

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

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
def test_plots_are_to_scale_with_real_axes_and_labels(name):
    drawn = getattr(md.window("0", "4", (20, 30), maxiter=50).iterations.mandel.plot, name)()
    assert drawn.axes.get_aspect() == 1
    assert drawn.axes.get_xlabel() == "Re(c)"
    assert drawn.axes.get_xlim()[0] == pytest.approx(-2 - 2 / 30, abs=0.1)
    assert drawn.axes.get_ylim()[0] < drawn.axes.get_ylim()[1]


def frames():
    """Return an array of two windows after one another, dimensions (step, y, x)."""
    window = md.window("0", "4", (20, 30), maxiter=50).iterations.compute()
    return xr.concat([window, window // 2], "step")


@pytest.mark.parametrize("keywords", [{"col": "step"}, {"row": "step"}, {"col": "step", "x": "y", "y": "x"}])
def test_facets_are_to_scale(keywords):
    assert {axes.get_aspect() for axes in frames().mandel.plot(**keywords).axs.flat} == {1}


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
    assert derive(md.window("0", "4", (20, 30), maxiter=50).iterations).mandel.plot.imshow().axes.get_aspect() == 1


OTHER_PLOTS = {
    "a size of its own": lambda plot: plot.imshow(aspect=2, size=3).axes,
    "another scale": lambda plot: plot.pcolormesh(yscale="symlog").axes,
    "axes of some aspect": lambda plot: plot.pcolormesh(ax=plt.figure().add_subplot(aspect=3)).axes,
    "lines": lambda plot: plot.line(x="x", hue="y")[0].axes,
    "a histogram": lambda plot: plot.hist()[2][0].axes,
    "polar": lambda plot: plot.pcolormesh(subplot_kws={"projection": "polar"}).axes,
}


@pytest.mark.parametrize("draw", OTHER_PLOTS.values(), ids=OTHER_PLOTS)
def test_plots_of_other_kinds_or_aspects_stay_as_asked(draw):
    window = md.window("1", "2", (20, 30), maxiter=50).iterations
    ours = draw(window.mandel.plot).get_aspect()
    plt.close("all")
    assert ours == draw(window.plot).get_aspect()


def test_against_something_else_the_aspect_is_free():
    assert frames()[:, 3].mandel.plot(y="step").axes.get_aspect() == "auto"


SCRIPT = """
import warnings; warnings.simplefilter("error")
import xarray as xr, mandeldask as md
before = vars(xr.DataArray)["plot"], vars(xr.Dataset)["plot"]
md.open_pyramid(); md.window(0, 4).iterations.mandel
xr.open_dataset("mandelbrot:levels=9", group="8", engine="mandeldask")
assert (vars(xr.DataArray)["plot"], vars(xr.Dataset)["plot"]) == before
"""


def test_xarrays_own_accessor_stays_as_it_is():
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)


def test_windows_that_were_drawn_pickle():
    window = md.window("0", "4", (20, 30), maxiter=50).iterations
    window.mandel.plot()
    again = pickle.loads(pickle.dumps(window))
    xr.testing.assert_identical(again, window)
    assert again.mandel.plot().axes.get_aspect() == 1


def test_whole_deep_levels_are_not_drawn():
    with pytest.raises(MemoryError, match="select a window first"):
        md.open_pyramid()["0/iterations"].mandel.plot()


@pytest.mark.parametrize("draw", [lambda window: window.mandel.plot(), lambda window: window.mandel.plot.pcolormesh()])
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


def test_what_did_not_escape_is_black_and_colours_follow_the_rest():
    window = md.window("-0.75", "3", (40, 60), maxiter=255).iterations
    image = window.mandel.plot()
    shown = image.get_array()[::-1] if image.origin == "lower" else image.get_array()
    inside = window.values == 255
    assert inside.any()
    assert np.array_equal(np.ma.getmaskarray(np.ma.masked_invalid(shown)), inside)
    assert image.get_cmap()(np.ma.masked) == (0, 0, 0, 1)
    assert (image.norm.vmin, image.norm.vmax) == tuple(np.percentile(window.values[~inside], (1, 99)))
    assert md.window("0", "0.1", (4, 6), maxiter=50).iterations.mandel.plot() is not None  # nothing escapes


def test_what_is_asked_of_colours_is_done():
    image = md.window("-0.75", "3", (40, 60), maxiter=255).iterations.mandel.plot(vmin=3, vmax=9, cmap="twilight")
    assert (image.norm.vmin, image.norm.vmax, image.get_cmap().name) == (3, 9, "twilight")


def test_labels_of_deep_windows_are_short():
    image = md.window("1j", "1e-60", (8, 8)).iterations.mandel.plot()
    assert len(image.axes.get_ylabel()) < 60
