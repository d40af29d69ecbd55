"""Counts, sums and areas that others have published.

OEIS counts the iterate that escapes; we count those before it, so that our count is one less.
"""

from __future__ import annotations

from fractions import Fraction
from math import pi

import numpy as np
import pytest

from mandeldask.fractal.geometry import Axis, Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.pyramid import Pyramid


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
