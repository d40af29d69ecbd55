"""Pixels below float64's reach, judged by flint."""

import threading
from fractions import Fraction

import numpy as np
import pytest
from flint import acb, arb, ctx, fmpq

import mandeldask as md
from fractal.judged import check
from fractal.oracle import escape_count, wrong_pixels
from fractal.places import around
from mandeldask.fractal.escape.perturbation import prepared_reference
from mandeldask.fractal.escape.perturbation.prepared_reference import prepared_reference_of
from mandeldask.fractal.escape.perturbation.stage import (
    _answer_around,
    _answer_in_double_double,
    answer_by_perturbation,
)
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


@pytest.mark.parametrize("stage", [_answer_around, _answer_in_double_double])
@pytest.mark.parametrize(
    ("center", "width", "maxiter"),
    [("1j", "1e-300", 3000), ("1j", "1e-1000", 5000), (MISIUREWICZ, "1e-30", 1000), (SEAHORSE, "1e-17", 9000)],
)
def test_fields_around_a_reference(center, width, maxiter, stage):
    grid = Grid.window(center, width, (12, 12))
    tile = Tile.blank(grid, maxiter, ("smooth", "distance"))
    where, reach = prepared_reference.lattice_point(grid)
    stage(tile, prepared_reference_of(where, reach, exponent_of(grid.spacing) - 9, maxiter))
    assert tile.open.size < (2 if stage is _answer_in_double_double else 100)
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
