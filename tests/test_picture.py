"""md.render: colours, the inside, and refused input."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import mandeldask as md
from mandeldask.picture import STEPS, lookup_table, palettes


def test_a_pixel_for_a_pixel_and_the_right_way_up():
    counts = np.zeros((3, 5), np.uint8)
    counts[0, 4] = 255
    picture = md.render(counts)
    assert picture.size == (5, 3)
    assert picture.mode == "RGB"
    assert picture.getpixel((4, 0)) == (0, 0, 0)
    assert picture.getpixel((0, 2)) == tuple(lookup_table("ember")[0])


@pytest.mark.parametrize("cmap", [*palettes(), "twilight_shifted", "viridis"])
def test_the_palette_turns_with_the_fourth_root(cmap):
    counts = np.array([[0, 1, 15, 79, 80, 81, 623, 624, 9999]], np.uint16)
    table = lookup_table(cmap)
    turns = (np.power(counts[0] + 1.0, 0.25) - 1) / 2  # independent of the square roots under test
    expected = [tuple(int(v) for v in table[int(turn * STEPS + 1e-9) % STEPS]) for turn in turns]
    picture = md.render(counts, cmap)
    assert [picture.getpixel((col, 0)) for col in range(9)] == expected


@pytest.mark.parametrize("cmap", [*palettes(), "twilight_shifted", "viridis"])
def test_palettes_have_no_seam(cmap):
    table = lookup_table(cmap).astype(int)
    steps = np.abs(np.diff(table, axis=0, append=table[:1])).max()
    assert steps <= 6


@pytest.mark.parametrize(
    ("array", "black"),
    [
        (np.array([[254, 255]], np.uint8), [False, True]),
        (np.array([[65534, 65535]], np.uint16), [False, True]),
        (np.array([[1.0, np.nan]], np.float32), [False, True]),
        (xr.DataArray(np.array([[99, 100]], np.uint8), attrs={"maxiter": 100}), [False, True]),
        (xr.DataArray(np.array([[254, 255]], np.uint16)), [False, False]),
    ],
)
def test_the_inside_is_black(array, black):
    picture = md.render(array)
    assert [picture.getpixel((col, 0)) == (0, 0, 0) for col in range(2)] == black


def test_maxiter_given_wins():
    assert md.render(np.array([[7, 8]], np.uint8), maxiter=8).getpixel((1, 0)) == (0, 0, 0)


def test_a_matplotlib_colormap_object():
    matplotlib = pytest.importorskip("matplotlib")
    counts = np.arange(200, dtype=np.uint8).reshape(10, 20)
    assert md.render(counts, matplotlib.colormaps["magma"]).tobytes() == md.render(counts, "magma").tobytes()


@pytest.mark.parametrize(
    ("array", "cmap", "message"),
    [
        (np.zeros(4), "ember", r"array must be \(height, width\)"),
        (np.zeros((2, 2)), "no such", "cmap must be one of ember, .* not 'no such'"),
    ],
)
def test_refusals_say_what_is_accepted(array, cmap, message):
    with pytest.raises(ValueError, match=message):
        md.render(array, cmap)


@pytest.mark.parametrize("array", [np.full((2, 2), 1j), np.full((2, 2), None), np.full((2, 2), "x")])
def test_what_has_no_real_numbers_is_refused(array):
    with pytest.raises(TypeError, match="array must have real numbers, not "):
        md.render(array)


def test_values_far_outside_the_set_have_a_colour():
    smooth = md.window("1e101", "1e100", (4, 4), maxiter=9, fields="smooth")["smooth"]
    assert float(smooth.max()) < -1
    assert md.render(smooth).tobytes() == md.render(np.full((4, 4), -1.0)).tobytes()


def test_a_whole_deep_level_is_refused_at_once():
    with pytest.raises(ValueError, match="at most 268435456 pixels"):
        md.render(md.open_pyramid()["0/iterations"])


def test_a_level_is_drawn_with_its_own_maxiter():
    level = md.open_pyramid(levels=1, tilesize=32, maxiter=50)["0/iterations"]
    picture = np.asarray(md.render(level))
    np.testing.assert_array_equal((picture == 0).all(axis=-1), level.to_numpy() >= 50)


@pytest.mark.parametrize("cmap", [5, None, ["red", "blue"]])
def test_a_cmap_that_is_none_is_refused_by_name(cmap):
    with pytest.raises(TypeError, match=r"cmap must be one of ember, .* or its name, not "):
        md.render(np.zeros((2, 2), np.uint8), cmap=cmap)


def test_fields_with_a_tolerance_are_drawn_as_the_iterations_they_stand_for():
    window = md.window("-0.75", "3", (24, 24), maxiter=100, fields="smooth", tolerance={"smooth": "1/64"})
    drawn = np.asarray(md.render(window.smooth))
    decoded = np.asarray(md.render(xr.decode_cf(window).smooth.values))
    assert (drawn == decoded).all()
    assert (drawn[12, 12] == 0).all()
