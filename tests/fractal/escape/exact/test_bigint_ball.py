"""The last resort against flint, and where it must know a tie or the set's own points."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractal.oracle import escape_count as judged
from fractal.places import PLACES
from mandeldask.fractal.escape.exact.bigint_ball import escape_count
from mandeldask.fractal.escape.proofs.closed_form import known_period
from mandeldask.fractal.rationals import Point, as_point

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")

coordinates = st.fractions(-2, 2, max_denominator=10**24)


@given(coordinates, coordinates)
def test_random_points(re, im):
    assert escape_count(Point(re, im), 300) == judged(re, im, 300)


@pytest.mark.parametrize("away", ["1e-9", "1e-30", "1e-200"])
@pytest.mark.parametrize("place", sorted(PLACES))
def test_beside_boundary_points(place, away):
    re, im = as_point(PLACES[place])
    distance = Fraction(away)
    for step in ((1, 1), (-1, 2), (0, -1)):
        c = Point(re + step[0] * distance, im + step[1] * distance)
        assert escape_count(c, 1500) == judged(*c, 1500)


@pytest.mark.parametrize("center", ["-2", "0.25", "1j", "-1j", "-1.4011551890920506", "-1.9", "0", "-0.75"])
def test_points_of_the_set_answer_any_maxiter(center):
    assert escape_count(as_point(center), 20_000) == 20_000


def test_late_ties_are_excluded_without_being_written_out():
    """120 digits: 0.56+1.92j is a tie at once, the other comes near 2 without one; in full it has 2^500 digits."""
    assert escape_count(as_point("0.56+1.92j"), 10) == 1
    late = as_point(f"{'0.' + '123456789' * 13}+0.9j")
    assert escape_count(late, 500) == judged(*late, 500)


@given(coordinates, coordinates)
def test_known_periods_never_escape(re, im):
    period = known_period(Point(re, im))
    if period is not None:
        assert judged(re, im, 60) == 60
