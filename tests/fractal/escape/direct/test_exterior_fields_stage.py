"""Blocks that leave together: counts and fields are right there, the same in every window, and ties stay open."""

from __future__ import annotations

from fractions import Fraction

import numba
import numpy as np
import pytest

from fractal import oracle
from fractal.exactly import Complex, along, directions, exact, rational
from fractal.places import PLACES, around
from mandeldask.fractal.escape.arithmetic import float64_step
from mandeldask.fractal.escape.direct import exterior_fields_stage as efs
from mandeldask.fractal.escape.direct.exterior_fields_stage import answer_exterior_fields
from mandeldask.fractal.escape.plan import PLAN
from mandeldask.fractal.escape.tile import Tile
from mandeldask.fractal.geometry import Axis, Grid
from mandeldask.fractal.pyramid import Pyramid
from mandeldask.fractal.rationals import as_point

FIELDS = ("smooth", "distance")
TILES = {
    "overview": (48, "-0.5+1.4j"),
    "beyond |c| = 2": (46, "-2.4-2.4j"),
    "exterior": (45, "0.5+0.75j"),
    "near the set": (30, "-0.75+0.02j"),
    "left of -2": (44, "-2.1+0.1j"),
    "i": (10, "1j"),
    "i, finest": (0, "1j"),
}


STAGE = next(stage for stage in PLAN if stage.name == "exterior fields")


def tile_around(name, shape=(96, 96)):
    level, center = TILES[name]
    return around(Pyramid().grid(level), center, shape)


def answered(grid, maxiter=255, fields=FIELDS):
    """Return the tile after the stage, and the pixels that it answered."""
    tile = Tile.blank(grid, maxiter, fields)
    STAGE.try_on(tile)
    return tile, np.setdiff1d(np.arange(tile.counts.size), tile.open)


def beside_another_count(counts):
    """Return the pixels whose right neighbour has another count."""
    return np.flatnonzero(np.diff(counts.astype(np.int64), axis=1, append=counts[:, -1:]))


@pytest.mark.parametrize("name", TILES)
def test_counts_and_fields_agree_with_flint(name):
    grid = tile_around(name)
    tile, pixels = answered(grid)
    assert pixels.size > 2000
    rng = np.random.default_rng(1)
    edges = np.intersect1d(pixels, beside_another_count(tile.counts.reshape(grid.shape)))
    for pixel in [*rng.permutation(edges)[:20].tolist(), *rng.permutation(pixels)[:20].tolist()]:
        c = grid.point(*divmod(pixel, grid.re.size))
        smooth, distance = oracle.fields(*c)
        assert tile.counts[pixel] == oracle.escape_count(*c, 255)
        assert tile.smooth[pixel] == pytest.approx(smooth, rel=1e-5, abs=1e-5)
        assert tile.distance[pixel] == pytest.approx(distance, rel=1e-4)


@pytest.mark.parametrize("name", TILES)
def test_one_field_alone_is_as_good(name):
    grid = tile_around(name)
    both, pixels = answered(grid)
    for field in FIELDS:
        tile, alone = answered(grid, fields=(field,))
        common = np.intersect1d(pixels, alone)
        assert common.size > 2000
        np.testing.assert_allclose(getattr(tile, field)[common], getattr(both, field)[common], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", TILES)
def test_windows_agree_bit_for_bit(name):
    grid = tile_around(name)
    whole, _ = answered(grid)
    for rows, cols in [(slice(0, 96), slice(0, 37)), (slice(5, 60), slice(31, 96)), (slice(70, 71), slice(40, 41))]:
        part, _ = answered(grid[rows, cols])
        for field in ("counts", *FIELDS):
            values = getattr(whole, field).reshape(grid.shape)[rows, cols]
            assert np.array_equal(getattr(part, field).reshape(values.shape), values, equal_nan=True), field


def test_what_others_answered_changes_nothing():
    grid = tile_around("overview")
    whole, pixels = answered(grid)
    tile = Tile.blank(grid, 255, FIELDS)
    tile.open = np.flatnonzero(np.random.default_rng(2).random(tile.counts.size) < 0.1)
    expected = np.intersect1d(pixels, tile.open)
    open_before = tile.open
    answer_exterior_fields(tile)
    assert np.array_equal(np.setdiff1d(open_before, tile.open), expected)
    assert np.array_equal(tile.smooth[expected], whole.smooth[expected])


@pytest.mark.parametrize("maxiter", [1, 2, 3, 5, 9])
def test_pixels_that_outlive_the_cap_have_no_fields(maxiter):
    grid = tile_around("overview", (64, 64))
    tile, pixels = answered(grid, maxiter)
    assert np.array_equal(tile.counts < maxiter, ~np.isnan(tile.smooth))
    for pixel in pixels[::97].tolist():
        assert tile.counts[pixel] == oracle.escape_count(*grid.point(*divmod(pixel, 64)), maxiter) < maxiter


@pytest.mark.parametrize("center", ["2j", "1.2+1.6j", "1", "-2"])
def test_a_tie_is_left_open(center):
    c, step = as_point(center), Fraction(1, 10**4)
    grid = Grid(Axis(c.im - 8 * step, step, 16), Axis(c.re - 8 * step, step, 16))
    tile, pixels = answered(grid)
    assert 8 * 16 + 8 in tile.open
    assert all(tile.counts[p] == oracle.escape_count(*grid.point(*divmod(p, 16)), 255) for p in pixels.tolist())


def test_counts_alone_are_left_to_the_other_stages():
    tile = Tile.blank(tile_around("exterior"), 255)
    STAGE.try_on(tile)
    assert tile.open.size == tile.counts.size


def test_positions_that_floats_do_not_tell_apart_stay_open():
    for grid in (Grid.window(PLACES["seahorse"], "1e-30", (16, 16)), Grid.window("1e7", "1", (16, 16))):
        assert not answered(grid)[1].size


bounds_after, relative_after = numba.njit(efs._bounds_after), numba.njit(efs._relative_after)
iterate, differentiate = numba.njit(float64_step.iterate), numba.njit(float64_step.differentiate)
ONE = Complex(rational(1), rational(0))


def steps(rng, least, most, count):
    """Doubled z outside, dz/dc and doubled c, the exact c that this is rounded from, and what a step makes of them."""
    for _ in range(count):
        z = rng.uniform(least, most) * np.exp(2j * np.pi * rng.random())
        dx, dy, cx, cy = *(rng.normal(size=2) * 2.0 ** rng.uniform(2, 40)), *rng.uniform(-3, 3, 2)
        x, y = float(z.real), float(z.imag)
        c = Complex.of(cx, cy) * (rational(1, 2) * (1 + rational(99, 100 * 2**53)))
        after = (*iterate(x, y, 0.0, cx, cy)[:2], *differentiate(x, y, dx, dy))
        yield Complex.of(x, y) * rational(1, 2), Complex.of(dx, dy), c, after


def test_bounds_of_a_block_hold_for_every_pixel():
    rng = np.random.default_rng(7)
    for z, p, c, (x, y, dx, dy) in steps(rng, 0.1, 40.0, 800):
        most = [abs(complex(one)) * (1 + 2.0**-50) for one in (z, c, p)]
        for share in (0.0, 2.0**-50, 2.0**-20):
            r, q = share * most[0], share * most[2]
            after_r, after_q, after_p = bounds_after(*most, r, q)
            for direction in directions(complex(z), complex(x, y), rng):
                true_z = z + along(direction, r)
                true_p = p + along(complex(p) * direction / complex(z), q)
                assert (true_z * true_z + c - Complex.of(x, y) * rational(1, 2)).square() <= exact(after_r) ** 2
                assert (true_z * true_p * rational(2) + ONE - Complex.of(dx, dy)).square() <= exact(after_q) ** 2
                assert Complex.of(dx, dy).square() <= exact(after_p * (1 + 2.0**-45)) ** 2


def test_relative_bounds_of_a_block_hold_for_every_pixel():
    rng = np.random.default_rng(8)
    for z, p, c, (x, y, dx, dy) in steps(rng, 6.0, 100.0, 800):
        least = [abs(complex(one)) for one in (z, p)]
        for share in (0.0, 2.0**-48, 2.0**-20):
            after_e, after_f = relative_after(least[0], abs(complex(c)), least[1], share, share)
            for direction in directions(complex(z), complex(x, y), rng):
                true_z = z + along(direction, share * least[0])
                true_p = p + along(complex(p) * direction / complex(z), share * least[1])
                lost, new = (true_z * true_z + c - Complex.of(x, y) * rational(1, 2)), Complex.of(x, y)
                assert lost.square() <= exact(after_e) ** 2 * new.square() / 4 * (1 + rational(1, 2**40))
                slope = Complex.of(dx, dy)
                lost = true_z * true_p * rational(2) + ONE - slope
                assert lost.square() <= exact(after_f) ** 2 * slope.square() * (1 + rational(1, 2**40))


def test_bounds_of_a_block_are_rounded_up():
    rng = np.random.default_rng(9)
    for numbers in rng.uniform(0, 4, (1000, 5)):
        after_r, after_q, after_p = map(exact, bounds_after(*numbers))
        z, c, p, r, q = map(exact, numbers)
        rounding = exact(efs.ROUNDING)
        assert after_r >= (2 * z + r) * r + rounding * (z * z + c)
        assert after_q >= 2 * ((z + r) * q + r * p) + rounding * (z * p + 1)
        assert after_p >= 2 * z * p + 1
