"""The stage of proofs: what it answers is right, it answers what it should, and nothing where it cannot know."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractal.oracle import wrong_pixels
from fractal.places import PLACES, around, tile_at
from mandeldask.fractal.escape.proofs.attracting_cycle import attracting_period
from mandeldask.fractal.escape.proofs.closed_form import known_period
from mandeldask.fractal.escape.proofs.interior_stage import answer_by_attracting_cycle
from mandeldask.fractal.escape.proofs.quadtree_stage import answer_by_quadtree
from mandeldask.fractal.escape.tile import Tile
from mandeldask.fractal.geometry import Axis, Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.pyramid import Pyramid
from mandeldask.fractal.rationals import Point, as_point


def tile_grid(level, center):
    row, col = tile_at(Pyramid().grid(level), center)
    return Pyramid().grid(level)[512 * row : 512 * (row + 1), 512 * col : 512 * (col + 1)]


def blocks(grid, maxiter, fields=("iterations",)):
    tile = Tile.blank(grid, maxiter, fields)
    answer_by_quadtree(tile)
    return tile


def answered(tile):
    return np.setdiff1d(np.arange(tile.counts.size), tile.open)


@pytest.mark.parametrize(
    ("center", "level", "maxiter"),
    [
        ("-0.1+0.1j", 45, 65535),  # inside the main cardioid
        ("-1.1+0.05j", 41, 4095),  # inside the disc of period 2
        ("-0.13+0.75j", 40, 65535),  # inside the bulb of period 3: cycles
        ("-1.7548776662466927", 28, 1_000_000),  # inside the island of period 3
        ("0.5+0.5j", 42, 255),  # outside
        ("1.9+1.2j", 45, 65535),  # outside |c| = 2
        (PLACES["seahorse"], 12, 255),  # no pixel escapes in time, far below float64's spacing
        ("-1.7687788000474986+0.0017389099501j", 18, 255),  # the same, where a radius without a slope proves a twelfth
        (PLACES["edge of the cardioid at 90 degrees"], 5, 255),
    ],
)
def test_a_whole_tile_needs_no_orbits(center, level, maxiter):
    tile = blocks(tile_grid(level, center), maxiter)
    assert tile.open.size == 0
    corners = [(0, 0), (511, 511), (200, 100)] if maxiter < 65535 else [(0, 511)]
    if maxiter < 1_000_000:
        assert not wrong_pixels(tile.grid, tile.counts.reshape(512, 512), maxiter, corners)
    else:
        assert (tile.counts == maxiter).all()


@pytest.mark.parametrize(("maxiter", "levels"), [(3, (49, 45)), (255, (49, 47, 44, 39, 33, 25, 10)), (4095, (46, 41))])
@pytest.mark.parametrize("place", sorted(PLACES))
def test_every_answer_is_right(place, maxiter, levels):
    rng = np.random.default_rng(maxiter)
    for level in levels:
        tile = blocks(around(Pyramid().grid(level), PLACES[place], (256, 256)), maxiter)
        given = answered(tile)
        edges = given[np.isin(given + 1, tile.open) | np.isin(given - 1, tile.open)]
        pixels = [divmod(int(i), 256) for part in (given, edges) for i in rng.permutation(part)[:3]]
        assert not wrong_pixels(tile.grid, tile.counts.reshape(256, 256), maxiter, pixels), level


@pytest.mark.parametrize("shape", [(1, 1), (1, 1000), (1000, 1), (3, 517), (65, 64)])
def test_any_shape(shape):
    grid = Grid.window("-0.4+0.4j", "2.5", shape)
    tile = blocks(grid, 255)
    pixels = [divmod(int(i), shape[1]) for i in answered(tile)]
    rng = np.random.default_rng(0)
    some = [pixels[i] for i in rng.permutation(len(pixels))[:60]]
    assert not wrong_pixels(grid, tile.counts.reshape(shape), 255, some)


def test_strided_and_mirrored_grids():
    level = Pyramid().grid(46)
    grid = level[7000:1000:-61, 300:8000:29]
    tile = blocks(grid, 255)
    assert tile.open.size < 0.7 * tile.counts.size
    rng = np.random.default_rng(0)
    some = [divmod(int(i), grid.re.size) for i in rng.permutation(answered(tile))[:100]]
    assert not wrong_pixels(grid, tile.counts.reshape(grid.shape), 255, some)


@pytest.mark.parametrize("width", ["1", "1e-9", "1e-40", "1e-400", "1e30", "1e300"])
@pytest.mark.parametrize(
    "center", ["0.25", "-0.75", "-1.25", "0.25+0.5j", "-0.125+0.6495190528383290j", "0", "-2", "-1"]
)
def test_closed_forms_at_any_depth(center, width):
    """Against exact rational arithmetic at every pixel: never wrong, and undecided only on an edge.

    Or where floats hold nothing: far out, and at the very cusp, whose edge is curved, below the least float.
    """
    grid = Grid.window(center, width, (18, 18))
    tile = blocks(grid, 10**9, ("iterations", "period"))  # so many that only formulas and cycles prove anything
    known = [known_period(grid.point(row, col)) for row in range(18) for col in range(18)]
    for pixel, true in enumerate(known):
        given = tile.period[pixel]
        assert given in {0, true} or (true is None and given > 2)
        if pixel in tile.open and width != "1e300" and (center, width) != ("0.25", "1e-400"):
            assert true in {None, 0}


@pytest.mark.parametrize("step", [Fraction(1, 7), Fraction(-1, 7), Fraction(3)])
def test_the_real_segment_never_escapes(step):
    re = Axis(-40 * step, step, 81)
    tile = blocks(Grid(Axis(Fraction(0), Fraction(1), 1), re), 10**9, ("smooth",))
    for pixel, position in enumerate(re):
        assert (pixel in tile.open) == (not -2 <= position <= Fraction(1, 4))


@pytest.mark.parametrize(
    ("center", "period"),
    [
        ("-0.122561166876653619975245551820735654+0.744861766619744236593170428604393j", 3),
        ("-1.7548776662466927600495088963585", 3),
        ("-1.3107026413368328835635707974122", 4),
        ("0.28227139076691387969681753932151+0.5300606175785254992878694475202j", 4),
        ("-1.9854242530542053106097505827187", 5),
        ("-1.2563679300681807615961529103152+0.3803209634727225065128491698017j", 5),
    ],
)
def test_periods_of_published_nuclei(center, period):
    c = as_point(center)
    for multiple in (1, 2, 3):
        assert attracting_period(float(c.re), float(c.im), 1e-8, 0.0, 0.0, multiple * period) == period
    assert attracting_period(float(c.re), float(c.im), 1e-8, 0.0, 0.0, period + 1) == 0


@pytest.mark.parametrize(
    "center", ["0.25", "-0.75", "-1.25", "-2", "1j", "0.3", "-0.75+1e-7j", "2", "-1.4011551890920506"]
)
def test_no_cycle_is_claimed_where_none_attracts(center):
    c = as_point(center)
    assert not any(attracting_period(float(c.re), float(c.im), 1e-12, 0.0, 0.0, period) for period in range(1, 65))


def test_period_field_of_blocks():
    tile = blocks(Pyramid().grid(49)[256:768, 128:640], 255, ("iterations", "period"))
    for center, period in (("-0.1", 1), ("-1", 2), ("0.1", 1)):
        row, col = (
            int(axis.index(part))
            for axis, part in zip((tile.grid.im, tile.grid.re), as_point(center)[::-1], strict=True)
        )
        assert tile.period.reshape(512, 512)[row, col] == period


def test_escaping_pixels_stay_open_where_orbits_are_wanted():
    tile = blocks(Pyramid().grid(49)[0:512, 0:512], 255, ("iterations", "smooth"))
    assert (tile.counts == 255).all()
    assert tile.open.size < tile.counts.size


def test_along_the_edge_little_is_tried():
    """A tile where nothing can be proven costs no more steps than the allowance; 1 ms where the tile itself takes 8."""
    tile = blocks(tile_grid(20, PLACES["seahorse"]), 65535)
    assert tile.open.size == tile.counts.size


@pytest.mark.parametrize("place", ["home", *sorted(PLACES)])
def test_cycles_of_single_pixels(place):
    """What the stage claims inside is inside: no count of 3000 iterates contradicts it."""
    grid = around(Pyramid().grid(45), PLACES.get(place, "-0.2+0.7j"), (64, 64))
    tile = Tile.blank(grid, 100_000)
    answer_by_attracting_cycle(tile)
    given = answered(tile)
    pixels = [divmod(int(i), 64) for i in np.random.default_rng(0).permutation(given)[:12]]
    assert not wrong_pixels(grid, np.full(grid.shape, 3000), 3000, pixels)


def test_periods_are_found_where_counts_alone_would_not_tell():
    """Five iterates prove no cycle; asking for the period does: 4 in its bulb, 1 and 2 by formula, 0 outside."""
    grid = Grid.window("-0.9", "1.6", (33, 65))
    fields = Mandelbrot(5, ("iterations", "period"))(grid)
    period = {name: fields["period"][16, int(grid.re.index(as_point(name).re))] for name in ("-1.3", "-1.0", "-0.3")}
    assert period == {"-1.3": 4, "-1.0": 2, "-0.3": 1}
    assert (fields["period"][fields["iterations"] < 5] == 0).all()


@given(st.integers(-64, 64), st.integers(-64, 64), st.integers(0, 12), st.sampled_from([40, 255, 100_000]))
@settings(max_examples=60, deadline=None)
def test_a_common_answer_is_that_of_every_pixel(row, col, depth, maxiter):
    center = Point(Fraction(col, 24), Fraction(row, 24))
    grid = Grid.window(center, Fraction(1, 2**depth), (24, 24))
    for fields in (("iterations",), ("iterations", "smooth", "distance", "period")):
        kernel = Mandelbrot(maxiter, fields)
        constant = kernel.constant(grid)
        if constant is not None:
            for field, values in kernel(grid).items():
                assert np.array_equal(values, np.full(grid.shape, constant[field], values.dtype), equal_nan=True), field
                assert constant[field].dtype == values.dtype


@pytest.mark.parametrize(("center", "count"), [("0", 255), ("-1", 255), ("1.5+1.5j", 0), ("1+1j", 1)])
def test_tiles_inside_and_far_outside_have_a_common_answer(center, count):
    assert Mandelbrot(255).constant(Grid.window(center, "0.01", (64, 64))) == {"iterations": count}
