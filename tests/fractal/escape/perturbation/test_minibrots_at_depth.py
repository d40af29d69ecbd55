"""Pixels in and around minibrots at depth, judged by flint."""

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx

from fractal.judged import check
from fractal.oracle import escape_count, wrong_pixels
from mandeldask.fractal.escape.exact.bigint_ball import escape_count as counted
from mandeldask.fractal.escape.perturbation.prepared_reference import prepared_reference_for
from mandeldask.fractal.escape.perturbation.reference_orbit import ReferenceOrbit
from mandeldask.fractal.escape.perturbation.stage import _answer_around, _answer_in_double_double
from mandeldask.fractal.escape.proofs.minibrot_stage import answer_by_minibrot
from mandeldask.fractal.escape.tile import Tile
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.rationals import Point, as_point


@pytest.mark.parametrize("period", [83, 249, 600])
def test_a_minibrot_at_depth(period):
    """Of periods past 500 pixels return to 0 closer than float64's least number."""
    nucleus, scale = minibrot_near_the_tip(period)
    grid = Grid.window((nucleus, 0), 5 * abs(scale), (32, 32))
    kernel = Mandelbrot(20 * period)
    check(grid, kernel.maxiter, 6, distinct=5)
    assert kernel(grid)["iterations"][16, 16] == kernel.maxiter
    assert kernel.report(grid).get("exact", 0) < 10


@pytest.mark.parametrize("stage", [_answer_around, _answer_in_double_double])
@pytest.mark.parametrize("period", [83, 249])
def test_a_minibrot_at_depth_needs_one_stage(period, stage):
    nucleus, scale = minibrot_near_the_tip(period)
    grid = Grid.window((nucleus, scale), 5 * abs(scale), (12, 12))
    tile = Tile.blank(grid, 20 * period)
    stage(tile, prepared_reference_for(grid, tile.maxiter))
    assert tile.open.size < 3
    answered = [divmod(pixel, 12) for pixel in np.setdiff1d(np.arange(144), tile.open)[::24].tolist()]
    assert wrong_pixels(grid, tile.counts.reshape(12, 12), tile.maxiter, answered) == []


CAPS = [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)]
"""Far past what pixels of these minibrots need; the orbit of the reference takes seconds a million."""


@pytest.mark.parametrize("cap", CAPS)
@pytest.mark.parametrize("period", [25, 249])
@pytest.mark.parametrize(("middle", "width"), [("-0.5", 3), ("0.25", Fraction(1, 100)), ("-0.75", Fraction(1, 1000))])
def test_orbits_inside_a_minibrot_need_not_be_followed(period, middle, width, cap):
    nucleus, scale = minibrot_near_the_tip(period)
    grid = Grid.window((nucleus + Fraction(middle) * scale, 0), width * abs(scale), (32, 32))
    tile = Tile.blank(grid, cap)
    answer_by_minibrot(tile, prepared_reference_for(grid, tile.maxiter).reference)
    proven = np.ones(32 * 32, np.bool_)
    proven[tile.open] = False
    re, im = ([float((x - x0) / scale) for x in axis] for axis, x0 in ((grid.re, nucleus), (grid.im, 0)))
    c = np.add.outer(1j * np.array(im), re).ravel()
    assert proven[(abs(1 - np.sqrt(1 - 4 * c)) < 0.95) | (abs(c + 1) < 0.24)].all()
    escapes = Mandelbrot(40 * period)(grid)["iterations"].ravel() < 40 * period
    assert not (proven & escapes).any()
    outermost = np.flatnonzero(proven)[np.argsort(abs(c[proven] + 0.25))[-3:]].tolist()
    answers = tile.counts.clip(max=40 * period).reshape(32, 32)
    assert wrong_pixels(grid, answers, 40 * period, [divmod(pixel, 32) for pixel in outermost]) == []


@pytest.mark.parametrize("cap", CAPS)
def test_inside_a_minibrot_far_wider_than_the_window(cap):
    nucleus, scale = minibrot_near_the_tip(25)
    grid = Grid.window((nucleus - scale / 8, abs(scale) / 16), "1e-60", (32, 32))
    report = Mandelbrot(cap).report(grid)
    assert report["minibrot"] == 32 * 32


@pytest.mark.slow
@pytest.mark.parametrize(
    ("period", "beyond", "width", "shape"),
    [(13, Fraction(1, 10**7), "1e-29", (16, 16)), (240, Fraction(1, 10**5), "1e-300", (4, 3))],
)
def test_a_million_iterations_at_depth(period, beyond, width, shape):
    """Just right of a minibrot's cusp counts are its period times π / sqrt(beyond), but for real c, which stay."""
    nucleus, scale = minibrot_near_the_tip(period)
    grid = Grid.window((nucleus + (Fraction(1, 4) + beyond) * scale, 0), width, shape)
    counts = Mandelbrot(1_000_000)(grid)["iterations"]
    height, right = shape[0], shape[1] - 1
    middle = height // 2
    pixels = [(0, 0), (0, right), (middle - 1, right), (middle - 1, right // 2), (height - 1, right // 2), (middle, 0)]
    assert wrong_pixels(grid, counts, 1_000_000, pixels) == []
    assert (counts[middle] == 1_000_000).all()
    np.testing.assert_allclose(np.delete(counts, middle, axis=0), period * np.pi / np.sqrt(float(beyond)), rtol=0.03)


def test_returns_to_0_whose_squares_underflow():
    """On the antenna of a minibrot every return doubles the error, also where |z| is 2^-570: bounds must say so."""
    nucleus, scale = minibrot_near_the_tip(285)
    c = Point(nucleus + Fraction(-19, 10) * scale, scale / 10**40)
    count = counted(c, 100_000)
    assert count < 100_000
    assert count == escape_count(*c, 100_000)
    few, many = (ReferenceOrbit.start(c, bits).extended(count) for bits in (1344, 2688))
    assert few.ended == (len(few) < len(many))
    exact = ReferenceOrbit.start(c, 2688).extended(len(few))
    pairs = zip(few.state, exact.state, strict=True)
    off = max(abs(Fraction(one, 1 << 1344) - Fraction(other, 1 << 2688)) for one, other in pairs)
    assert off <= Fraction(few.error.mantissa) * Fraction(2) ** few.error.exponent


def test_a_minibrot_whose_returns_are_below_the_fixed_point_of_floats():
    """It is found as a reference, and its inside is answered at once: 1e-554 wide, it returns to within 1e-277 of 0."""
    nucleus, scale = minibrot_near_the_tip(460)
    grid = Grid.window((nucleus, scale / 7), 4 * abs(scale), (32, 32))
    kernel = Mandelbrot(40_000)
    report = kernel.report(grid)
    assert report["minibrot"] > 10
    assert "exact" not in report
    counts = kernel(grid)["iterations"]
    escaped = np.flatnonzero(counts < kernel.maxiter)
    slowest = escaped[np.argsort(counts.ravel()[escaped])[[0, -2, -1]]].tolist()
    assert wrong_pixels(grid, counts, kernel.maxiter, [divmod(pixel, 32) for pixel in slowest]) == []


def minibrot_near_the_tip(period):
    """Return the leftmost nucleus of a period, by Newton's method, and how large its minibrot is: some 16^-period."""
    with ctx.workprec(8 * period + 200):
        c = arb.pi() ** 2 * 3 / (2 * arb(4) ** period) - 2
        for _ in range(12):
            z, slope, _ = orbit_of(c, period)
            c = (c - z / slope).mid()
        _, slope, multiplier = orbit_of(c, period)
        nucleus, scale = (number.str(3 * period, radius=False) for number in (c, 1 / (slope * multiplier)))
        return as_point(nucleus).re, as_point(scale).re


def orbit_of(c, period):
    """Return z_p, its derivative by c, and the derivative of z_p by z_1."""
    z, slope, multiplier = c, arb(1), arb(1)
    for _ in range(period - 1):
        z, slope, multiplier = z * z + c, 2 * z * slope + 1, 2 * z * multiplier
    return z, slope, multiplier
