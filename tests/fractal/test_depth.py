"""Pixels below float64's reach, judged by flint."""

import random

import pytest

from fractal.oracle import wrong_pixels
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot

MISIUREWICZ = "-0.10109636384562216102578544573864+0.95628651080914150077109605773165j"
SEAHORSE = "-0.743643887037158704752191506114774+0.131825904205311970493132056385139j"


@pytest.mark.parametrize(
    ("center", "width", "maxiter"),
    [
        (MISIUREWICZ, "1e-17", 255),
        (MISIUREWICZ, "1e-30", 1000),
        (SEAHORSE, "1e-12", 4095),
        ("i", "1e-100", 1000),
        ("i", "1e-300", 2000),
        ("i", "1e-600", 4000),
        ("i", "1e-1000", 5000),
        ("-2", "1e-17", 255),
        ("-2", "1e-300", 2000),
        ("-2", "1e-1000", 5000),
    ],
)
def test_counts_are_exact(center, width, maxiter):
    grid = Grid.window(center, width, (48, 64))
    counts = Mandelbrot(maxiter)(grid)["iterations"]
    pixels = [divmod(pixel, 64) for pixel in random.Random(7).sample(range(48 * 64), 25)]
    assert wrong_pixels(grid, counts, maxiter, [(24, 32), *pixels]) == []
    assert len(set(counts.ravel().tolist())) > 5
