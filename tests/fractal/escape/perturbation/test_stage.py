"""Pixels below float64's reach, judged by flint."""

import random
import threading
from fractions import Fraction

import numpy as np
import pytest
from flint import acb, arb, ctx, fmpq

import mandeldask as md
from fractal.oracle import escape_count, wrong_pixels
from fractal.places import around
from mandeldask.fractal.escape.exact.bigint_ball import escape_count as counted
from mandeldask.fractal.escape.perturbation import prepared_reference
from mandeldask.fractal.escape.perturbation.prepared_reference import prepared_reference_for, prepared_reference_of
from mandeldask.fractal.escape.perturbation.reference_orbit import ReferenceOrbit
from mandeldask.fractal.escape.perturbation.stage import _answer_around, _refine, answer_by_perturbation
from mandeldask.fractal.escape.proofs.minibrot_stage import answer_by_minibrot
from mandeldask.fractal.escape.tile import Tile
from mandeldask.fractal.escape.units import unit_for
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.pyramid import Pyramid
from mandeldask.fractal.rationals import Point, as_point, exponent_of

MISIUREWICZ = "-0.10109636384562216102578544573864+0.95628651080914150077109605773165j"
SEAHORSE = "-0.743643887037158704752191506114774+0.131825904205311970493132056385139j"
PERIOD_3 = "-1.7548776662466927600495088963585285619"
PERIOD_3_COPY = "-0.12256116687665361997524555182074+0.74486176661974423659317042860439j"


def check(grid, maxiter, samples, distinct=1):
    counts = Mandelbrot(maxiter)(grid)["iterations"]
    height, width = grid.shape
    some = random.Random(7).sample(range(height * width), samples)
    pixels = [(height // 2, width // 2), *(divmod(pixel, width) for pixel in some)]
    assert wrong_pixels(grid, counts, maxiter, pixels) == []
    assert len(set(counts.ravel().tolist())) >= distinct


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
    check(Grid.window(center, width, (48, 64)), maxiter, 25, distinct=6)


@pytest.mark.parametrize(
    ("center", "width", "shape", "maxiter"),
    [
        pytest.param(PERIOD_3, "1e-20", (24, 24), 3000, id="inside a component"),
        pytest.param(PERIOD_3, "1e-300", (8, 8), 3000, id="close returns to 0"),
        pytest.param("-1.99999999999999999999999999", "1e-24", (24, 24), 500, id="across the real axis"),
        pytest.param("-1.75", "1e-17", (24, 24), 2000, id="a parabolic point"),
        pytest.param("-0.75", "1e-17", (24, 24), 2000, id="another, between two components"),
        pytest.param("0.25", "1e-40", (8, 8), 1000, id="the cusp"),
        pytest.param(MISIUREWICZ, "1e-20", (2, 300), 1000, id="elongated"),
        pytest.param(MISIUREWICZ, "1e-22", (300, 2), 1000, id="upright"),
        pytest.param(MISIUREWICZ, "1e-22", (1, 1), 1000, id="a pixel"),
        pytest.param("3", "1e-40", (3, 3), 1000, id="outside at once"),
    ],
)
def test_adversaries(center, width, shape, maxiter):
    check(Grid.window(center, width, shape), maxiter, min(12, shape[0] * shape[1]))


def test_a_component_outlives_the_reference():
    grid = Grid.window(PERIOD_3_COPY, "0.5", (32, 32))
    tile = Tile.blank(grid, 500)
    answer_by_perturbation(tile)
    counts = tile.counts.reshape(grid.shape)
    some = [divmod(pixel, 32) for pixel in set(range(5, 1024, 37)) - set(tile.open.tolist())]
    assert wrong_pixels(grid, counts, 500, some) == []
    assert tile.open.size < 100
    assert 0.05 < np.mean(counts == 500) < 0.9


def test_the_reference_does_not_matter():
    grid = Grid.window(MISIUREWICZ, "1e-20", (40, 40))
    answers = []
    for where in (
        grid.point(20, 20),
        grid.point(3, 38),
        as_point(MISIUREWICZ),
        Point(grid.re[0] - 9 * grid.spacing, grid.im[5]),
    ):
        tile = Tile.blank(grid, 1000)
        _answer_around(tile, prepared_reference_of(where, -60, -90, 1000))
        answers.append((tile.counts, tile.open))
    first, _ = answers[0]
    for counts, left in answers:
        assert left.size < 40
        same = counts == first
        same[left] = True
        same[answers[0][1]] = True
        assert same.all()


def test_just_left_of_the_tip():
    beyond = (Fraction(-2) - Fraction(1, 10**300), 0)
    assert Mandelbrot(1000)(Grid.window(beyond, "1e-310", (2, 2)))["iterations"].max() == 0
    assert Mandelbrot(1000)(Grid.window("-2", "1e-300", (2, 2)))["iterations"][1, 1] == 1000


def test_pi_at_the_cusp():
    counts = Mandelbrot(100_000)(Grid.window("0.25000001", "1e-30", (2, 2)))["iterations"]
    assert counts[1, 1] == 31413 == escape_count(Fraction("0.25000001"), Fraction(0), 100_000)


@pytest.mark.slow
def test_three_million_iterations():
    counts = Mandelbrot(10_000_000)(Grid.window("0.250000000001", "1e-30", (2, 2)))["iterations"]
    assert counts[1, 1] == 3_141_590


@pytest.mark.slow
@pytest.mark.parametrize("width", ["1e-17", "1e-30"])
def test_the_seahorse_valley(width):
    check(Grid.window(SEAHORSE, width, (24, 24)), 40_000, 8)


def test_the_deepest_levels_are_not_flat():
    pyramid = Pyramid(levels=50, maxiter="auto", center=SEAHORSE)
    for level in (0, 10, 20):
        grid = pyramid.grid(level)
        middle = grid.shape[0] // 2
        counts = Mandelbrot(pyramid.maxiter_at(level))(grid[middle : middle + 512 : 64, middle : middle + 512 : 64])
        assert len(np.unique(counts["iterations"])) > 5


@pytest.mark.parametrize("level", [1, 12, 20, 25, 28, 35, 42])
def test_few_pixels_outside_the_set_have_the_cap_of_a_level(level):
    pyramid = Pyramid(levels=50, maxiter="auto")
    window = around(pyramid.grid(level), SEAHORSE, (512, 512))[::24, ::24]
    counts = Mandelbrot(60_000)(window)["iterations"]
    assert np.mean(counts >= pyramid.maxiter_at(level)) - np.mean(counts == 60_000) < 0.05


def test_tiles_share_a_reference_across_threads():
    grid = Grid.window(MISIUREWICZ, "1e-25", (64, 64))
    count_and_proven = Mandelbrot(1000)(grid)["iterations"]
    found = {}

    def compute(corner):
        rows, cols = (slice(start, start + 32) for start in corner)
        found[corner] = Mandelbrot(1000)(grid[rows, cols])["iterations"]

    corners = [(row, col) for row in (0, 32) for col in (0, 32)]
    threads = [threading.Thread(target=compute, args=(corner,)) for corner in corners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for row, col in corners:
        assert (found[row, col] == count_and_proven[row : row + 32, col : col + 32]).all()


@pytest.mark.parametrize(("width", "unit"), [("1e-17", "plane units"), ("1e-200", "pixels")])
def test_fields_at_depth(width, unit):
    window = md.window("1j", width, (16, 16), maxiter=3000, fields=("iterations", "smooth", "distance"))
    assert window["distance"].attrs["units"] == unit
    grid = Grid.window("1j", width, (16, 16))
    smooth, distance = (window[field].values for field in ("smooth", "distance"))
    for row, col in ((2, 3), (8, 8), (15, 1)):
        expected = fields(grid.point(row, col), grid.spacing if unit == "pixels" else 1)
        if expected is None:  # i itself never escapes
            assert np.isnan(smooth[row, col])
            assert np.isnan(distance[row, col])
        else:
            np.testing.assert_allclose((smooth[row, col], distance[row, col]), expected, rtol=1e-5)


@pytest.mark.parametrize("stage", [_answer_around, _refine])
@pytest.mark.parametrize(
    ("center", "width", "maxiter"),
    [("1j", "1e-300", 3000), ("1j", "1e-1000", 5000), (MISIUREWICZ, "1e-30", 1000), (SEAHORSE, "1e-17", 9000)],
)
def test_fields_around_a_reference(center, width, maxiter, stage):
    grid = Grid.window(center, width, (12, 12))
    tile = Tile.blank(grid, maxiter, ("smooth", "distance"))
    where, reach = prepared_reference.lattice_point(grid)
    stage(tile, prepared_reference_of(where, reach, exponent_of(grid.spacing) - 9, maxiter))
    assert tile.open.size < (2 if stage is _refine else 100)
    answered = np.setdiff1d(np.arange(144), tile.open)[::24].tolist()
    assert wrong_pixels(grid, tile.counts.reshape(12, 12), maxiter, [divmod(pixel, 12) for pixel in answered]) == []
    unit = unit_for(grid.spacing).size
    given = np.stack([tile.smooth, tile.distance])[:, answered]
    expected = [fields(grid.point(*divmod(pixel, 12)), unit, maxiter) for pixel in answered]
    np.testing.assert_allclose(given.T, expected, rtol=1e-5)


def test_fields_at_depth_need_no_integers():
    report = Mandelbrot(3000, ("smooth", "distance")).report(Grid.window("1j", "1e-300", (64, 64)))
    assert report["perturbation"] > 4000
    assert report["exact"] <= 4


def test_fields_where_an_orbit_leaves_slowly():
    grid = Grid.window(("-2", Fraction(1, 10**100)), "1e-100", (3, 3))
    answers = Mandelbrot(400, ("smooth", "distance"))(grid)
    for row, col in ((0, 0), (1, 1), (2, 2)):
        given = [answers[field][row, col] for field in ("smooth", "distance")]
        np.testing.assert_allclose(given, fields(grid.point(row, col), grid.spacing), rtol=1e-5)


def fields(c, unit, maxiter=3000):
    """Return the smooth count and the distance estimate by flint, or None for a point that stays."""
    with ctx.workprec(8000):  # intervals wrap: a digit is lost for every few iterates
        z = c_ball = acb(*(arb(fmpq(part.numerator, part.denominator)) for part in c))
        slope, n = acb(1), 1
        while abs(z) < 1e10:
            if n > maxiter:
                return None
            slope, z, n = 2 * z * slope + 1, z * z + c_ball, n + 1
        modulus = abs(z)
        distance = (
            2 * modulus * modulus.log() / abs(slope) / arb(fmpq(Fraction(unit).numerator, Fraction(unit).denominator))
        )
        return float(n - (modulus.log() / arb(2).log()).log() / arb(2).log()), float(distance)


@pytest.mark.parametrize("period", [83, 249, 600])
def test_a_minibrot_at_depth(period):
    """Of periods past 500 pixels return to 0 closer than float64's least number."""
    nucleus, scale = minibrot_near_the_tip(period)
    grid = Grid.window((nucleus, 0), 5 * abs(scale), (32, 32))
    kernel = Mandelbrot(20 * period)
    check(grid, kernel.maxiter, 6, distinct=5)
    assert kernel(grid)["iterations"][16, 16] == kernel.maxiter
    assert kernel.report(grid).get("exact", 0) < 10


@pytest.mark.parametrize("stage", [_answer_around, _refine])
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


@pytest.mark.parametrize(("width", "levels"), [("1e-26", 30), ("1e-31", 12), ("1e-45", 53)])
def test_distances_have_one_unit_however_they_are_read(width, levels):
    """The finest pixels are 1e-38 to 1e-65 apart, the coarsest as far as plane units go."""
    tree = md.open_pyramid(levels=levels, center="1j", width=width, maxiter=2000, fields=("distance",))
    pyramid, unit = tree.mandel.pyramid, tree.mandel.pyramid.grid(0).spacing
    for level in (0, levels // 2, levels - 1):
        array = tree[str(level)].distance
        assert array.attrs["units"] == "pixels of level 0"
        assert Fraction(array.attrs["exact_unit"]) == unit
        middle, grid = array.shape[0] // 2, pyramid.grid(level)
        rows = [middle + 8 * k + 3 for k in range(3)]
        by_slice = array[rows[0] : rows[-1] + 1, middle + 5 : middle + 6].values[::8, 0]
        by_step = array[rows[0] : rows[-1] + 1 : 8, middle + 5 : middle + 6].values[:, 0]
        by_list = array.isel(y=rows, x=[middle + 5]).values[:, 0]
        expected = [fields(grid.point(row, middle + 5), unit)[1] for row in rows]
        for read in (by_slice, by_step, by_list):
            np.testing.assert_allclose(read, expected, rtol=1e-4)
