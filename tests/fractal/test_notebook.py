"""Whole chunks against the vizarr notebook's own kernel: where the two differ, flint finds the notebook wrong."""

from __future__ import annotations

import numpy as np
import pytest

from fractal.notebook import notebook_chunk
from fractal.oracle import wrong_pixels
from fractal.places import PLACES, tile_at
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.pyramid import Pyramid

BOTH = ["seahorse", "antenna", "M(4,1)", "elephant valley", "M(2,2) i", "tip -2", "nucleus of the period-3 island"]


def differences(level, place, maxiter=255, most=None):
    """Return how many pixels differ, and those of them (all, or `most`) where flint finds ours wrong.

    Our row r is the notebook's row -r of the level: its chunks end where ours begin, so the one here starts a row late.
    """
    grid = Pyramid().grid(level)
    row, col = tile_at(grid, PLACES[place])
    row = max(row, 1)
    chunk = grid[512 * row + 1 : 512 * (row + 1) + 1, 512 * col : 512 * (col + 1)]
    ours = Mandelbrot(maxiter)(chunk)["iterations"]
    theirs = notebook_chunk(level, 2 ** (50 - level) - row - 1, col, maxiter=maxiter)[::-1]
    assert ours.shape[0] == min(512, grid.im.size - 512 * row - 1)
    pixels = [(int(r), int(c)) for r, c in np.argwhere(ours != theirs[: ours.shape[0]])]
    judged = pixels if most is None else [pixels[i] for i in np.random.default_rng(0).permutation(len(pixels))[:most]]
    return len(pixels), wrong_pixels(chunk, ours, maxiter, judged)


@pytest.mark.parametrize("level", range(49, 26, -2))
def test_whole_chunks(level):
    differing, wrong = differences(level, BOTH[level % len(BOTH)])
    assert not wrong
    assert differing <= 30  # the notebook errs in up to 7 pixels of 262,144 here, in 30 at M(4,1) from level 24 down


@pytest.mark.slow
@pytest.mark.parametrize("place", sorted(PLACES))
@pytest.mark.parametrize("level", range(49, 19, -1))
def test_whole_chunks_everywhere(level, place):
    differing, wrong = differences(level, place)
    assert not wrong
    assert differing <= 500


@pytest.mark.slow
@pytest.mark.parametrize("level", [49, 47, 43, 38, 34, 30, 28, 25])
@pytest.mark.parametrize("place", ["seahorse", "antenna", "M(23,2)"])
def test_many_iterations(level, place):
    _, wrong = differences(level, place, maxiter=4095, most=60)
    assert not wrong
