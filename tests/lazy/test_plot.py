from fractions import Fraction

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

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


def test_xarrays_own_plot_has_real_axes_and_labels():
    mesh = md.window("0", "4", (20, 30), maxiter=50).iterations.plot()
    assert mesh.axes.get_xlabel() == "Re(c)"
    assert mesh.axes.get_xlim()[0] == pytest.approx(-2 - 2 / 30)
    assert mesh.axes.get_ylim()[0] < mesh.axes.get_ylim()[1]


def test_deep_windows_count_from_their_middle():
    window = md.window("-0.75+0.1j", "1e-18", (4, 8), maxiter=50).iterations
    image = window.mandel.plot()
    left, right, _, _ = image.get_extent()
    assert right - left == pytest.approx(1e-18)
    assert image.axes.get_xlabel() == "Re(c) − (-0.75)"
    assert image.axes.get_ylabel() == "Im(c) − (0.1)"
    assert Fraction(window.xindexes["x"].axis.step) == Fraction(1, 8 * 10**18)


def test_keywords_are_matplotlibs():
    axes = plt.figure().subplots()
    image = md.window("0", "4", (20, 30), maxiter=50).iterations.mandel.plot(ax=axes, cmap="magma", add_colorbar=False)
    assert image.axes is axes
    assert image.get_cmap().name == "magma"
