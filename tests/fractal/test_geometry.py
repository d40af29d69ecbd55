"""Axis against `range`, windows against pixels, and refused input."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mandeldask.fractal.geometry import MAX_SIZE, Axis, Grid

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")

rationals = st.fractions(-10, 10, max_denominator=10**30)
steps = rationals.filter(bool)
sizes = st.integers(0, 60)
huge = st.integers(0, 2**62)
slices = st.builds(slice, *[st.none() | st.integers(-70, 70)] * 2, st.none() | st.integers(-70, 70).filter(bool))


@given(rationals, steps, sizes, slices)
def test_an_axis_slices_as_a_range_does(start, step, size, item):
    axis, pixels = Axis(start, step, size), range(size)
    assert list(axis[item]) == [start + i * step for i in pixels[item]]
    assert len(axis[item]) == len(pixels[item])


@given(rationals, steps, sizes.filter(bool), slices, slices)
def test_slices_of_slices(start, step, size, first, second):
    axis, pixels = Axis(start, step, size), range(size)
    assert list(axis[first][second]) == [axis[i] for i in pixels[first][second]]


@given(rationals, steps, huge)
def test_positions_and_indices_are_inverse_at_any_size(start, step, pixel):
    axis = Axis(start, step, MAX_SIZE)
    assert axis.index(axis[pixel]) == pixel
    assert axis[pixel - MAX_SIZE] == axis[pixel]


@pytest.mark.parametrize("pixel", [5, -6, 2**70])
def test_a_pixel_outside(pixel):
    with pytest.raises(IndexError):
        Axis(Fraction(0), Fraction(1), 5)[pixel]


@pytest.mark.parametrize(("step", "size", "message"), [(0, 3, "step"), (1, -1, "-1"), (1, 2**63, str(2**63))])
def test_what_is_no_axis(step, size, message):
    with pytest.raises(ValueError, match=message):
        Axis(Fraction(0), Fraction(step), size)


@given(rationals, rationals, steps.map(abs), st.integers(1, 9), st.integers(1, 9))
def test_a_window_by_the_stated_convention(re, im, width, height, columns):
    grid = Grid.window((re, im), width, (height, columns))
    spacing = width / columns
    for row in range(height):
        for col in range(columns):
            expected = re + (col - Fraction(columns, 2)) * spacing, im - (row - Fraction(height, 2)) * spacing
            assert grid.point(row, col) == expected
    assert grid.spacing == spacing
    assert grid.shape == (height, columns)


@given(st.tuples(st.integers(0, 12), st.integers(0, 12)), slices, slices)
def test_a_window_of_a_grid_is_a_grid(shape, rows, cols):
    grid = Grid(Axis(Fraction(1), Fraction(-1, 3), shape[0]), Axis(Fraction(-2), Fraction(1, 7), shape[1]))
    part = grid[rows, cols]
    expected = [[grid.point(row, col) for col in range(shape[1])[cols]] for row in range(shape[0])[rows]]
    assert [[part.point(row, col) for col in range(part.shape[1])] for row in range(part.shape[0])] == expected


@pytest.mark.parametrize(
    ("width", "shape", "error", "message"),
    [
        ("-1", (3, 3), ValueError, "width must be positive, not -1"),
        ("0", (3, 3), ValueError, "width must be positive"),
        ("one", (3, 3), ValueError, "width must be a number.*'one'"),
        ("1", (0, 3), ValueError, "shape.*not 0"),
        ("1", (3, 3, 3), ValueError, r"\(height, width\)"),
        ("1", (2.5, 3), ValueError, "2.5"),
        (float("nan"), (3, 3), ValueError, "finite"),
    ],
)
def test_what_is_no_window(width, shape, error, message):
    with pytest.raises(error, match=message):
        Grid.window("0", width, shape)
