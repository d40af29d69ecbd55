"""The closed forms in float64, against exact rationals (Lemma P5)."""

from __future__ import annotations

from fractions import Fraction

import numba
import numpy as np
import pytest

from mandeldask.fractal.escape.proofs import cardioid_and_disc as cd
from mandeldask.fractal.escape.proofs.closed_form import known_period
from mandeldask.fractal.rationals import Point, as_point

component_at, component_of = numba.njit(cd.component_at), numba.njit(cd.component_of)


def edge_points(period, count, rng):
    """Points on the edge of the cardioid or the disc, rounded."""
    w = np.exp(1j * rng.uniform(0.01, 6.27, count))
    return w / 2 - w * w / 4 if period == 1 else -1 + w / 4


@pytest.mark.parametrize("exponent", [1, -3, -20, -100])
@pytest.mark.parametrize("period", [1, 2])
def test_no_point_outside_is_taken_for_one_inside(period, exponent):
    """Offsets from middles near an edge that lie within a few roundings of the edge, found by bisection."""
    rng, inside, reported = np.random.default_rng(exponent + 200), 0, 0
    unit = Fraction(2) ** exponent
    for edge in edge_points(period, 6, rng):
        middle = Point(Fraction(float(edge.real)), Fraction(float(edge.imag)))
        known = cd.components(middle, exponent)
        for u in rng.uniform(-1, 1, 40):
            low, high = -1.0, 1.0
            here = [known_at(middle, unit, u, v) == period for v in (low, high)]
            if here[0] == here[1]:
                continue
            while high - low > 2.0**-50 * max(abs(low), abs(high)):
                half = 0.5 * (low + high)
                low, high = (half, high) if (known_at(middle, unit, u, half) == period) == here[0] else (low, half)
            for v in low + np.arange(-40, 41) * 2.0 ** -rng.uniform(48, 53) * max(abs(low), 2.0**-8):
                reported += 1
                found = component_at(known, u, v)
                inside += found == period
                if found:
                    assert known_at(middle, unit, u, v) == found
    assert inside or not reported


def known_at(middle, unit, u, v):
    c = Point(middle.re + Fraction(float(u)) * unit, middle.im + Fraction(float(v)) * unit)
    return known_period(c) or 0


def test_a_block_inside_is_inside_at_its_corners():
    rng, seen = np.random.default_rng(3), set()
    for edge in [*edge_points(1, 20, rng), *edge_points(2, 20, rng)]:
        middle = Point(Fraction(float(edge.real)), Fraction(float(edge.imag)))
        known, unit = cd.components(middle, -6), Fraction(1, 64)
        for u, v in rng.uniform(-0.9, 0.9, (60, 2)):
            reach = 2.0 ** -rng.uniform(1, 40)
            found = component_of(known, u, v, reach)
            seen.add(found)
            corners = [known_at(middle, unit, u + a * reach, v + b * reach) for a in (-1, 1) for b in (-1, 1)]
            if found in {cd.CARDIOID, cd.DISC}:
                assert corners == [found] * 4
            if found == cd.OUTSIDE:
                assert corners == [0] * 4
    assert seen == {cd.OUTSIDE, cd.CARDIOID, cd.DISC, cd.UNDECIDED}


def test_a_grid_far_from_both_meets_neither():
    assert cd.components(as_point("1+1j"), -4) == cd.NO_COMPONENTS
