"""Nuclei as references: what is found is one, its orbit stops at its period, and no answer depends on it."""

from fractions import Fraction

import numpy as np
import pytest
from flint import acb, arb, ctx, fmpq

from fractal.oracle import wrong_pixels
from mandeldask.fractal.escape.perturbation import nucleus, prepared_reference
from mandeldask.fractal.escape.perturbation.nucleus import good_nucleus
from mandeldask.fractal.escape.perturbation.orbit_source import orbit_of
from mandeldask.fractal.escape.perturbation.reference_orbit import bits_for, finest_of
from mandeldask.fractal.escape.perturbation.stage import _answer_around
from mandeldask.fractal.escape.tile import Tile
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.rationals import as_point, exponent_of

SEAHORSE = "-0.743643887037158704752191506114774+0.131825904205311970493132056385139j"
PERIOD_3 = "-0.12256116687665361997524555182074+0.74486176661974423659317042860439j"

NEAR = [
    (PERIOD_3, "1e-20", 3),
    (SEAHORSE, "1e-12", 998),
    ("1j", "1e-100", 265),
    ("1j", "1e-300", 795),
]


def lattice(center, width):
    grid = Grid.window(center, width, (256, 256))
    return grid, *prepared_reference.lattice_point(grid), bits_for(finest_of(grid))


@pytest.mark.parametrize(("center", "width", "period"), NEAR)
def test_a_nucleus_is_found_and_its_orbit_stops_at_its_period(center, width, period):
    _, middle, reach, bits = lattice(center, width)
    found = good_nucleus(middle, reach, bits, 200_000)
    assert abs(found.re - middle.re) ** 2 + abs(found.im - middle.im) ** 2 < Fraction(4) ** reach
    with ctx.workprec(2 * bits):
        z = c = acb(*(arb(fmpq(part.numerator, part.denominator)) for part in found))
        slope = acb(1)
        for _ in range(period - 1):
            slope, z = 2 * z * slope + 1, z * z + c
        assert abs(z / slope) < 2 ** -arb(bits - 110)
    orbit = orbit_of(found, bits, 200_000)
    assert orbit.ended
    assert len(orbit) == period


@pytest.mark.parametrize(
    ("center", "width", "maxiter"),
    [
        pytest.param("1j", "1e-100", 100, id="a short orbit is no work"),
        pytest.param("1j", "1e-100", 3000, id="a period of more than a sixteenth"),
        pytest.param("0.4+0.4j", "1e-40", 10**6, id="outside"),
        pytest.param("-0.1+0.1j", "1e-40", 10**6, id="inside, far from the nucleus"),
    ],
)
def test_without_one_that_pays_the_middle_stays(center, width, maxiter):
    _, middle, reach, bits = lattice(center, width)
    assert good_nucleus(middle, reach, bits, maxiter) is None


@pytest.mark.parametrize(("center", "width", "_"), NEAR[1:])
def test_counts_do_not_depend_on_it(center, width, _):
    _, middle, reach, bits = lattice(center, width)
    grid = Grid.window(center, width, (32, 32))
    tiles = []
    for point in (middle, good_nucleus(middle, reach, bits, 60_000)):
        assert point is not None
        tile = Tile.blank(grid, 60_000)
        _answer_around(
            tile, prepared_reference.prepared_reference_of(point, reach + 1, exponent_of(grid.spacing) - 9, 60_000)
        )
        tiles.append(tile)
    one, other = tiles
    both = ~np.isin(np.arange(one.counts.size), np.concatenate([one.open, other.open]))
    assert both.sum() > 900
    assert (one.counts == other.counts)[both].all()
    some = [divmod(pixel, 32) for pixel in np.flatnonzero(both)[::400].tolist()]
    assert wrong_pixels(grid, other.counts.reshape(grid.shape), 60_000, some) == []


def test_where_newton_fails_there_is_no_nucleus():
    assert nucleus._nucleus(as_point("0.5"), 1, 300) == as_point("0")
    assert nucleus._nucleus(as_point("-0.5"), 2, 300) is None  # a critical point of Z_2 = C^2 + C
