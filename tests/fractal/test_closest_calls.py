"""Adversarial points, found by search: |z_n| as close to 2 as the grid allows, and c within ulps of an edge."""

from __future__ import annotations

from fractions import Fraction
from math import cos, pi, sin

import numpy as np
import pytest

from fractal.oracle import escape_count, wrong_pixels
from mandeldask.fractal.geometry import Axis, Grid
from mandeldask.fractal.mandelbrot import Mandelbrot


def closest_call(angle, n, bits):
    """Return (re, im) of `bits` binary places next to where the ray from 0 at `angle` leaves {|z_1|, ..., |z_n| <= 2}.

    By bisection with the oracle: at the exact spot |z_n| = 2.
    """
    end = Fraction(3 * cos(angle)), Fraction(3 * sin(angle))
    inside, outside = Fraction(0), Fraction(1)
    while outside - inside > Fraction(1, 4 << bits):
        middle = (inside + outside) / 2
        if escape_count(middle * end[0], middle * end[1], n) == n:
            inside = middle
        else:
            outside = middle
    return tuple(Fraction(int(inside * part * 2**bits), 2**bits) for part in end)


def neighbourhood(re, im, spacing):
    return Grid(Axis(im + 2 * spacing, -spacing, 5), Axis(re - 2 * spacing, spacing, 5))


def judge(grid, maxiter):
    counts = Mandelbrot(maxiter)(grid)["iterations"]
    pixels = [(row, col) for row in range(counts.shape[0]) for col in range(counts.shape[1])]
    return counts, wrong_pixels(grid, counts, maxiter, pixels)


@pytest.mark.parametrize("bits", [50, 58, 70, 130])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 6, 10, 25, 60, 140, 250])
def test_closest_calls_to_the_circle(n, bits):
    """At the middle pixel ||z_n| - 2| is about |dz_n/dc| 2^-bits: both sides of the circle are in sight."""
    rng = np.random.default_rng(1000 * bits + n)
    for angle in rng.uniform(0, 2 * pi, 3):
        c = closest_call(angle, n, bits)
        counts, wrong = judge(neighbourhood(*c, Fraction(1, 1 << bits)), n + 3)
        assert not wrong, c
        assert counts.min() < n <= counts.max()


@pytest.mark.parametrize("bits", [52, 56, 90])
@pytest.mark.parametrize("turn", [0.0, 1e-3, 0.1, 0.25, 1 / 3, 0.4142135623730951, 0.5])
@pytest.mark.parametrize("edge", ["cardioid", "disc", "circle of radius 2"])
def test_within_ulps_of_an_edge(edge, turn, bits):
    angle = 2 * pi * turn
    unit = complex(cos(angle), sin(angle))
    c = {"cardioid": unit / 2 - unit * unit / 4, "disc": unit / 4 - 1, "circle of radius 2": 2 * unit}[edge]
    re, im = Fraction(c.real), Fraction(c.imag)
    _, wrong = judge(neighbourhood(re, im, Fraction(1, 1 << bits)), 700)
    assert not wrong


@pytest.mark.parametrize(("re", "im"), [(3, 4), (5, 12), (8, 15), (20, 21), (12, 35), (9, 40)])
def test_pythagorean_ties(re, im):
    """|c| = 2 exactly, in fractions that no binary grid holds; one part in 10^80 farther out is outside."""
    hypotenuse = Fraction(round((re * re + im * im) ** 0.5), 2)
    c = re / hypotenuse, im / hypotenuse
    for spacing in (Fraction(1, 10**12), Fraction(1, 10**80)):
        counts, wrong = judge(neighbourhood(*c, spacing), 50)
        assert not wrong
        assert counts[2, 2] == 1
        assert counts[0, 4] == 0
