"""Polynomials of blocks: within their bounds, and right about the counts that they give."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from flint import acb, arb, ctx

from fractal.oracle import wrong_pixels
from fractal.places import around
from mandeldask.fractal.escape.arithmetic import taylor_model
from mandeldask.fractal.escape.arithmetic.positions import positions
from mandeldask.fractal.escape.direct import block_counts, block_series
from mandeldask.fractal.pyramid import Pyramid

SEAHORSE = "-0.7436438870371587+0.13182590420531197j"
BRANCH = "-0.10109636384562216103+0.95628651080914150424j"


@pytest.mark.parametrize(
    "tolerance", [block_series.TOLERANCE, block_series.TOLERANCE_FOR_COUNTS, block_series.TOLERANCE_FOR_SHORT_ORBITS]
)
def test_a_series_is_within_its_error(tolerance):
    """Pixels' iterates, by arb, against the polynomials of their blocks."""
    ctx.prec = 300
    evaluate = numba.njit(taylor_model.evaluate)
    for level, center in ((30, SEAHORSE), (0, BRANCH)):
        grid = around(Pyramid().grid(level), center, (block_series.BLOCK, block_series.BLOCK))
        frame, above, left = block_series.frame(grid)
        steps = float(grid.re.step), float(grid.im.step)
        rho = block_series.radius(*steps)
        wanted = np.ones(frame.shape[0] * frame.shape[1] // block_series.BLOCK**2, np.bool_)
        flag, place = np.zeros(1, np.uint8), (positions(frame.re), positions(frame.im), steps)
        starts = block_series.start(*place, 300, wanted, tolerance, block_counts.NO_ANSWERS, flag)
        dt = float(grid.re.step) / rho
        for row, col in [(0, 0), (15, 0), (3, 9), (15, 15), (8, 8)]:
            block_row, row_in = divmod(row + above, block_series.BLOCK)
            block_col, col_in = divmod(col + left, block_series.BLOCK)
            block = block_row * (frame.shape[1] // block_series.BLOCK) + block_col
            c = grid.point(row, col)
            exact, z = acb(arb(c.re.numerator) / c.re.denominator, arb(c.im.numerator) / c.im.denominator), acb(0)
            for _ in range(starts.n[block]):
                z = z * z + exact
            b = taylor_model.coefficients(starts.real[block], starts.imag[block])
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
    frame, above, left = block_series.frame(grid)
    wanted = np.ones(frame.shape[0] * frame.shape[1] // block_series.BLOCK**2, np.bool_)
    answers = block_counts.Answers(np.zeros(2500, np.uint32), np.zeros(2500, np.bool_), grid.shape, (above, left))
    place = positions(frame.re), positions(frame.im), (float(grid.re.step), float(grid.im.step))
    block_series.start(*place, maxiter, wanted, block_series.TOLERANCE_FOR_SHORT_ORBITS, answers, np.zeros(1, np.uint8))
    pixels = [divmod(int(i), 50) for i in np.flatnonzero(answers.known)]
    assert len(pixels) > 200
    assert not answers.counts[~answers.known].any()
    assert not wrong_pixels(grid, answers.counts.reshape(grid.shape), maxiter, pixels)
