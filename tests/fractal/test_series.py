"""Polynomials of blocks: within their bounds, and right about the counts that they tell."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from flint import acb, arb, ctx

from fractal.oracle import wrong_pixels
from fractal.places import around
from mandeldask.fractal.kernels import series, settling, taylor
from mandeldask.fractal.kernels.positions import positions
from mandeldask.fractal.pyramid import Pyramid

SEAHORSE = "-0.7436438870371587+0.13182590420531197j"
BRANCH = "-0.10109636384562216103+0.95628651080914150424j"


@pytest.mark.parametrize("tolerance", [series.TOLERANCE, series.COARSE, series.SHORT])
def test_a_series_is_within_its_error(tolerance):
    """Pixels' iterates, by arb, against the polynomials of their blocks."""
    ctx.prec = 300
    evaluate = numba.njit(taylor.evaluate)
    for level, center in ((30, SEAHORSE), (0, BRANCH)):
        grid = around(Pyramid().grid(level), center, (series.BLOCK, series.BLOCK))
        frame, above, left = series.frame(grid)
        steps = float(grid.re.step), float(grid.im.step)
        rho = series.radius(*steps)
        wanted = np.ones(frame.shape[0] * frame.shape[1] // series.BLOCK**2, np.bool_)
        flag, place = np.zeros(1, np.uint8), (positions(frame.re), positions(frame.im), steps)
        starts = series.start(*place, 300, wanted, tolerance, settling.NOWHERE, flag)
        dt = float(grid.re.step) / rho
        for row, col in [(0, 0), (15, 0), (3, 9), (15, 15), (8, 8)]:
            block_row, row_in = divmod(row + above, series.BLOCK)
            block_col, col_in = divmod(col + left, series.BLOCK)
            block = block_row * (frame.shape[1] // series.BLOCK) + block_col
            c = grid.point(row, col)
            exact, z = acb(arb(c.re.numerator) / c.re.denominator, arb(c.im.numerator) / c.im.denominator), acb(0)
            for _ in range(starts.n[block]):
                z = z * z + exact
            b = taylor.coefficients(starts.real[block], starts.imag[block])
            x, y = evaluate(b, (col_in - 8) * dt, -(row_in - 8) * dt)
            assert abs(z - acb(x, y)) < arb(starts.error[block])
            assert starts.n[block] > 30


@pytest.mark.parametrize(
    ("level", "center", "maxiter"),
    [(49, "-0.5+0.9j", 255), (43, "-0.75+0.15j", 255), (10, "1j", 255), (36, SEAHORSE, 60)],
)
def test_counts_that_polynomials_tell_are_right(level, center, maxiter):
    """In a window that is not aligned with blocks, every pixel that was settled, by arb."""
    grid = around(Pyramid().grid(level), center, (50, 50))
    frame, above, left = series.frame(grid)
    wanted = np.ones(frame.shape[0] * frame.shape[1] // series.BLOCK**2, np.bool_)
    answers = settling.Answers(np.zeros(2500, np.uint32), np.zeros(2500, np.bool_), grid.shape, (above, left))
    place = positions(frame.re), positions(frame.im), (float(grid.re.step), float(grid.im.step))
    series.start(*place, maxiter, wanted, series.SHORT, answers, np.zeros(1, np.uint8))
    pixels = [divmod(int(i), 50) for i in np.flatnonzero(answers.known)]
    assert len(pixels) > 200
    assert not answers.counts[~answers.known].any()
    assert not wrong_pixels(grid, answers.counts.reshape(grid.shape), maxiter, pixels)
