"""Periods: those inside minibrots are the least ones, by orbits of GMP, and none depends on what else is asked for."""

from __future__ import annotations

import gmpy2
import numpy as np
import pytest

from mandeldask.fractal.atlas import nucleus
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot


def is_least(point, period, maxiter):
    """Whether the orbit of a point comes back after `period` iterations, and after no proper divisor of it."""
    with gmpy2.context(gmpy2.get_context(), precision=900):
        c = gmpy2.mpc(*(gmpy2.mpfr(part.numerator) / part.denominator for part in point))
        z = gmpy2.mpc(0)
        for _ in range(maxiter):
            z = z * z + c
        start, least = z, []
        for n in range(1, period + 1):
            z = z * z + c
            if period % n == 0:
                least.append(float(abs(z - start)))
        return least[-1] < 0.01 * min(least[:-1], default=1.0)


@pytest.mark.parametrize(
    ("center", "radius", "bits"),
    [("-0.7436438870371587+0.1318259042053119j", "1e-10", 20), ("1j", "1e-50", 400)],
)
def test_periods_inside_minibrots_of_any_size(center, radius, bits):
    found = nucleus(center, radius, most=20_000)
    assert found is not None
    grid = Grid.window(found.center, found.size * 3, (20, 20))
    maxiter = 20 * found.period
    got = Mandelbrot(maxiter, ("iterations", "period"))(grid)
    inside = got["iterations"] == maxiter
    known = inside & (got["period"] > 0)
    assert known.sum() > 0.5 * inside.sum() > 20
    assert not got["period"][~inside].any()
    rng = np.random.default_rng(bits)
    for row, col in rng.permutation(np.argwhere(known))[:3].tolist():
        period = int(got["period"][row, col])
        assert period % found.period == 0
        assert is_least(grid.point(row, col), period, 3 * maxiter), (row, col, period)
    for rows in (slice(0, 9), slice(9, 20)):
        part = Mandelbrot(maxiter, ("period",))(grid[rows, 4:17])["period"]
        np.testing.assert_array_equal(part, got["period"][rows, 4:17])


def test_shallow_periods_do_not_depend_on_blocks():
    grid = Grid.window("-0.2+0.75j", "0.9", (64, 64))
    kernel = Mandelbrot(1000, ("period",))
    whole = kernel(grid)["period"]
    for rows, cols in ((slice(0, 23), slice(5, 64)), (slice(23, 64), slice(0, 40)), (slice(30, 31), slice(None))):
        np.testing.assert_array_equal(kernel(grid[rows, cols])["period"], whole[rows, cols])
