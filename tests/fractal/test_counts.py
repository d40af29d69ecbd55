"""Every count is the exact mathematical one: Mandelbrot against flint at every level, kind of place and maxiter.

The default run samples; `-m slow` judges every pixel. The sample leans on pixels next to a different count, where a
small error shows.
"""

from __future__ import annotations

import numpy as np
import pytest

from fractal.oracle import grid_counts, wrong_pixels
from fractal.places import PLACES, around
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.pyramid import Pyramid

LEVELS = Pyramid().levels


def edges_first(counts, rng, most):
    """Return `most` pixels, those beside a different count first, otherwise at random."""
    differs = np.zeros(counts.shape, bool)
    differs[1:] |= counts[1:] != counts[:-1]
    differs[:, 1:] |= counts[:, 1:] != counts[:, :-1]
    order = np.lexsort((rng.random(counts.size), ~differs.ravel()))[:most]
    return [(int(i) // counts.shape[1], int(i) % counts.shape[1]) for i in order]


def every_pixel(shape):
    return [(row, col) for row in range(shape[0]) for col in range(shape[1])]


def judge(grid, maxiter, pixels=None, most=8, seed=0):
    """Return the wrong pixels of `grid` among all, or among `most` sampled ones."""
    counts = Mandelbrot(maxiter)(grid)["iterations"]
    if pixels is None:
        pixels = edges_first(counts, np.random.default_rng(seed), most)
    return wrong_pixels(grid, counts, maxiter, pixels)


@pytest.mark.parametrize("level", range(LEVELS))
def test_a_sample_at_every_place(level):
    grid = Pyramid().grid(level)
    wrong = {name: judge(around(grid, center, (16, 16)), 255, most=5, seed=level) for name, center in PLACES.items()}
    assert not any(wrong.values()), wrong


@pytest.mark.parametrize("level", range(LEVELS))
def test_every_pixel_of_a_small_tile(level):
    names = sorted(PLACES)
    for name in (names[level % len(names)], names[(7 * level + 3) % len(names)]):
        grid = around(Pyramid().grid(level), PLACES[name], (8, 8))
        assert not judge(grid, 255, every_pixel(grid.shape)), name


@pytest.mark.parametrize("level", range(1, LEVELS, 4))
def test_many_iterations(level):
    rng = np.random.default_rng(level)
    for name in rng.choice(sorted(PLACES), 5, replace=False):
        grid = around(Pyramid().grid(level), PLACES[name], (12, 12))
        assert not judge(grid, 4095, most=3, seed=level), name
    grid = around(Pyramid().grid(level), PLACES[name], (5, 5))
    assert not judge(grid, 65535, most=2, seed=level), name


@pytest.mark.parametrize("width", ["1e-20", "1e-33", "1e-60", "1e-120"])
def test_decimal_windows_past_float64(width):
    for name in ("seahorse", "tip -2", "M(2,2) i", "cusp 1/4"):
        grid = Grid.window(PLACES[name], width, (5, 7))
        assert not judge(grid, 600, every_pixel(grid.shape)), name


@pytest.mark.parametrize(("center", "count"), [("-2", 300), ("1.2+1.6j", 1), ("-6/5-8/5j", 1), ("2j", 1), ("1", 2)])
@pytest.mark.parametrize("width", ["2", "4e-9", "4e-60"])
def test_ties_are_inside(center, count, width):
    """|z_n| = 2 exactly at pixel (2, 2), and nowhere around it."""
    grid = Grid.window(center, width, (4, 4))
    counts = Mandelbrot(300)(grid)["iterations"]
    assert counts[2, 2] == count
    np.testing.assert_array_equal(counts, grid_counts(grid, 300))


def test_conjugate_pixels_have_equal_counts():
    grid = Pyramid().grid(49)[1:1024:2, 100:900:5]  # row 1 mirrors row 1023: the level has no row at im = -2.5
    counts = Mandelbrot(255)(grid)["iterations"]
    np.testing.assert_array_equal(counts, counts[::-1])


@pytest.mark.slow
@pytest.mark.parametrize("maxiter", [255, 4095])
@pytest.mark.parametrize("level", range(LEVELS))
def test_every_pixel_at_every_place(level, maxiter):
    for name, center in PLACES.items():
        grid = around(Pyramid().grid(level), center, (20, 20))
        pixels = every_pixel(grid.shape) if maxiter == 255 else None
        assert not judge(grid, maxiter, pixels, most=60, seed=level), name


@pytest.mark.slow
@pytest.mark.parametrize("level", range(LEVELS))
def test_random_pixels_of_whole_tiles(level):
    for number, (name, center) in enumerate(PLACES.items()):
        grid = around(Pyramid().grid(level), center, (512, 512))
        for maxiter in (255, 4095):
            assert not judge(grid, maxiter, most=100, seed=100 * level + number), (name, maxiter)
        assert not judge(grid[::64, ::64], 65535, most=6, seed=level), name
