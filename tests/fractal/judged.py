"""Counts of a grid, judged by the oracle."""

import random

from fractal.oracle import wrong_pixels
from mandeldask.fractal.mandelbrot import Mandelbrot


def check(grid, maxiter, samples, distinct=1):
    """Compare the middle and some other pixels of `grid`; at least `distinct` counts must occur."""
    counts = Mandelbrot(maxiter)(grid)["iterations"]
    height, width = grid.shape
    some = random.Random(7).sample(range(height * width), samples)
    pixels = [(height // 2, width // 2), *(divmod(pixel, width) for pixel in some)]
    assert wrong_pixels(grid, counts, maxiter, pixels) == []
    assert len(set(counts.ravel().tolist())) >= distinct
