"""Published counts, sums and areas.

OEIS counts the iterate that escapes; we count those before it, so our count is one less.
"""

from __future__ import annotations

from fractions import Fraction
from math import pi

import numpy as np
import pytest
from flint import acb, arb, ctx

from fractal.oracle import wrong_pixels
from fractal.published import E14, E113, FLAKE, M_4_1, M_22_1, ULTRA_5, WIKI_14
from mandeldask.fractal.geometry import Axis, Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.pyramid import Pyramid
from mandeldask.fractal.rationals import as_fraction


def count(re, im=0, maxiter=100_000):
    grid = Grid(Axis(Fraction(im), Fraction(1), 1), Axis(Fraction(re), Fraction(1), 1))
    return int(Mandelbrot(maxiter)(grid)["iterations"][0, 0])


def tenth(n):
    return Fraction(1, 10**n)


@pytest.mark.parametrize(("n", "escapes_at"), list(enumerate([3, 33, 315, 3143, 31417])))
def test_a097486_pi_at_the_root_of_the_period_2_disc(n, escapes_at):
    assert count(Fraction(-3, 4), tenth(n)) == escapes_at - 1


@pytest.mark.parametrize(("n", "escapes_at"), list(enumerate([2, 8, 30, 97, 312, 991, 3140, 9933, 31414])))
def test_a299415_pi_at_the_cusp(n, escapes_at):
    assert count(Fraction(1, 4) + tenth(n)) == escapes_at - 1


@pytest.mark.parametrize(("n", "escapes_at"), list(enumerate([1, 18, 159, 1586, 15731])))
def test_a300078_pi_at_the_root_of_the_period_4_disc(n, escapes_at):
    assert count(Fraction(-5, 4) - tenth(2 * n), tenth(n)) == escapes_at - 1


@pytest.mark.slow
def test_a_million_iterates_at_the_cusp():
    assert count(Fraction(1, 4) + tenth(12), maxiter=4_000_000) == 3_141_590


def test_julia_microbenchmark_mandelperf():
    """Julia's own test asserts this sum, as its ports to Python, Fortran, Scala and Swift do."""
    grid = Grid(Axis(Fraction(1), Fraction(-1, 10), 21), Axis(Fraction(-2), Fraction(1, 10), 26))
    assert Mandelbrot(80)(grid)["iterations"].sum() == 14791


def test_area_and_centre_of_gravity():
    """1.50659 (Förstemann 2012) and -0.28677 (Munafo 2012); 0.3 % more by pixels and by counts cut off at 2000."""
    grid = Pyramid().grid(49)
    inside = Mandelbrot(2000)(grid)["iterations"] == 2000
    area = inside.sum() * float(grid.spacing) ** 2
    assert area == pytest.approx(1.50659, rel=4e-3)
    re = float(grid.re.start) + float(grid.spacing) * np.arange(1024)
    assert (inside.sum(axis=0) * re).sum() / inside.sum() == pytest.approx(-0.28677, abs=0.004)  # pixels are 0.005 wide


def test_areas_of_components():
    """Of period 1: 3 pi / 8; of period 2: pi / 16; of period 4, all six: 0.0232751 (girving/mandelbrot, notes 2026)."""
    grid = Grid.window("-0.75", "2.6", (2 * 512, 2 * 512))
    period = Mandelbrot(255, ("period",))(grid)["period"]
    pixel = float(grid.spacing) ** 2
    for cycle, area, tolerance in ((1, 3 * pi / 8, 1e-3), (2, pi / 16, 3e-3), (4, 0.0232751, 2e-2)):
        assert (period == cycle).sum() * pixel == pytest.approx(area, rel=tolerance), cycle


@pytest.mark.parametrize(
    ("center", "width", "maxiter", "escapes_at"),
    [
        pytest.param(WIKI_14, "4e-11", 14_000, 3085, id="Wikipedia 14"),
        pytest.param(E14, "4e-14", 4_036, 557, id="1e14"),
        pytest.param(E113, "8e-114", 35_494, 22_905, id="1e113"),
        pytest.param(FLAKE, "1.7e-157", 60_000, 35_170, id="flake"),
        pytest.param(ULTRA_5, "1.9e-275", 15_000, 9_943, id="Ultra Zoom 5"),
        pytest.param(M_4_1, "1e-98", 5_000, 1_083, id="M(4,1), 133 digits"),
    ],
)
def test_centres_of_deep_zooms(center, width, maxiter, escapes_at):
    """As computed by mpmath for mandelbrot.site's tests, or pinned for rust-fractal's and DeepDrill's locations."""
    counts = Mandelbrot(maxiter)(Grid.window(center, width, (8, 8)))["iterations"]
    assert counts[4, 4] == escapes_at - 1


@pytest.mark.parametrize(
    ("center", "width", "least", "most"),
    [(("0", "1"), "4.4e-277", 735, 740), (M_22_1, "1e-1000", 2090, 2105)],
    ids=["i", "M(22,1)"],
)
def test_bands_around_misiurewicz_points(center, width, least, most):
    """As mandelbrot.site's tests found them in the tile at the point; here, of most pixels of a window around it."""
    if center == M_22_1:
        center = misiurewicz(*M_22_1, 22, digits=1030)
    grid = Grid.window(center, width, (8, 8))
    counts = Mandelbrot(5_000)(grid)["iterations"]
    assert least <= np.median(counts) + 1 <= most
    assert wrong_pixels(grid, counts, 5_000, [(0, 0), (2, 5), (7, 3)]) == []


def misiurewicz(re, im, preperiod, digits):
    """Return the point near (re, im) whose orbit lands on a fixed point after `preperiod` steps, by Newton's method."""
    bits = int(3.33 * digits) + 64
    with ctx.workprec(bits):
        c = acb(arb(re), arb(im))
        for _ in range(bits.bit_length()):
            z, slope = acb(0), acb(0)
            for _ in range(preperiod + 1):
                before, slope_before = z, slope
                z, slope = z * z + c, 2 * z * slope + 1
            c -= (z - before) / (slope - slope_before)
            c = acb(c.real.mid(), c.imag.mid())
        return tuple(as_fraction(part.str(digits, radius=False), "c") for part in (c.real, c.imag))
