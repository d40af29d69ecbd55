"""The oracle itself, against definitions that need no arithmetic but Fraction's."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractal.oracle import escape_count
from mandeldask.fractal.rationals import as_point

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")


def by_definition(re, im, maxiter):
    x, y = re, im
    for n in range(maxiter):
        if x * x + y * y > 4:
            return n
        x, y = x * x - y * y + re, 2 * x * y + im
    return maxiter


coordinates = st.fractions(Fraction(-9, 4), Fraction(9, 4), max_denominator=1 << 40)


@given(coordinates, coordinates)
def test_agrees_with_exact_rational_orbits(re, im):
    assert escape_count(re, im, 9) == by_definition(re, im, 9)


@pytest.mark.parametrize(
    ("center", "count"),
    [
        ("-2", 1000),  # |z_n| = 2 for every n, inside
        ("-2.0000000000000001", 0),
        ("1.2+1.6j", 1),  # |z_1| = 2 exactly, in decimals that no float holds
        ("-1.2-1.6j", 1),
        ("2j", 1),
        ("1", 2),  # |z_2| = 2
        ("0.56+1.92j", 1),
        ("1j", 1000),
        ("0.25", 1000),
        ("3", 0),
    ],
)
def test_ties_and_landmarks(center, count):
    assert escape_count(*as_point(center), 1000) == count


@pytest.mark.parametrize("n", range(1, 8))
def test_the_least_step_over_a_tie_counts(n):
    """-2 - t escapes at once; -2 + t, on the antenna, only after about log4(1/t) iterates."""
    assert escape_count(Fraction(-2) - Fraction(1, 10**n), Fraction(0), 99) == 0
    tiny = Fraction(1, 10**40)
    assert escape_count(Fraction(-2), tiny, 200) == 0
    assert escape_count(Fraction(-2) + tiny, tiny * n, 200) == by_definition_long(Fraction(-2) + tiny, tiny * n)


def by_definition_long(re, im):
    """The definition on 4000-bit integers: more than 200 iterates need here, |dz_n| < 4^n * 2^-4000."""
    bits = 4000
    cx, cy = (int(part * (1 << bits)) for part in (re, im))
    x, y = cx, cy
    for n in range(200):
        if x * x + y * y > 4 << 2 * bits:
            return n
        x, y = ((x * x - y * y) >> bits) + cx, (2 * x * y >> bits) + cy
    return 200
