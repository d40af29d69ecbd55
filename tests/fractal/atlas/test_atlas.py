"""The atlas against published counts, known angles, and all roots isolated by FLINT."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import flint
import numpy as np
import pytest

import mandeldask as md
from mandeldask.fractal.atlas.nuclei import component_count
from mandeldask.fractal.atlas.sites import _SEEDS

A000740 = [1, 1, 3, 6, 15, 27, 63, 120, 252, 495]
"""Hyperbolic components by period, https://oeis.org/A000740."""
A006876 = [1, 0, 1, 3, 11, 20, 57, 108, 240, 472]
"""Those that are cardioids, https://oeis.org/A006876."""


def flint_roots(polynomial):
    """All complex roots of an integer polynomial, as balls that each hold one."""
    return [root for root, _ in polynomial.complex_roots()]


@cache
def orbit(n):
    """z_n as a polynomial in c."""
    c = flint.fmpz_poly([0, 1])
    return flint.fmpz_poly([0]) if n == 0 else orbit(n - 1) ** 2 + c


def as_acb(point):
    return flint.acb(*(flint.arb(flint.fmpq(part.numerator, part.denominator)) for part in point))


def assert_same_points(points, roots):
    """Every point lies within its error of one root, and each root has one point."""
    assert len(points) == len(roots)
    left = list(roots)
    for point in points:
        reach = flint.arb(flint.fmpq(point.error.numerator, point.error.denominator))
        near = [root for root in left if not (abs(root - as_acb(point.center)) > 2 * reach + flint.arb(2) ** -40)]
        assert len(near) == 1
        left.remove(near[0])


@pytest.mark.parametrize("period", range(1, 11))
def test_there_are_as_many_components_as_published(period):
    found = md.atlas.nuclei(period)
    assert len(found) == component_count(period) == A000740[period - 1]
    assert sum(each.kind == "cardioid" for each in found) == A006876[period - 1]


@pytest.mark.parametrize("period", [1, 2, 3, 5, 7])
def test_nuclei_are_the_roots_that_flint_isolates(period):
    polynomial = orbit(period)
    for part in range(1, period):
        if period % part == 0:
            polynomial = polynomial // orbit(part)  # periods here are prime
    assert_same_points(md.atlas.nuclei(period), flint_roots(polynomial))


@pytest.mark.parametrize("kind", [(2, 1), (3, 1), (2, 2), (4, 1), (3, 2), (4, 3)])
def test_misiurewicz_points_are_the_roots_that_flint_isolates(kind):
    m, n = kind
    polynomial = orbit(m + n - 1) + orbit(m - 1)
    others = [md.atlas.nuclei(part) for part in range(1, n + 1) if n % part == 0 and (m - 1) % part == 0]
    others += [md.atlas.misiurewicz(m, part) for part in range(1, n) if n % part == 0]
    lower = [as_acb(each.center) for some in others for each in some]
    roots = [
        root
        for root, _ in polynomial.factor_squarefree()[1][0][0].complex_roots()
        if all(abs(root - other) > flint.arb(2) ** -40 for other in lower)
    ]
    assert_same_points(md.atlas.misiurewicz(m, n), roots)


def lavaurs(most):
    """Pairs of external angles by P. Lavaurs' algorithm: nearest first, and no two pairs cross."""
    pairs = []
    for period in range(2, most + 1):
        whole = 2**period - 1
        lower = {Fraction(k, 2**part - 1) for part in range(1, period) if period % part == 0 for k in range(2**part)}
        angles = [angle for k in range(1, whole) if (angle := Fraction(k, whole)) not in lower]
        while angles:
            first = angles.pop(0)
            for second in angles:
                if not any((a < first < b) != (a < second < b) for a, b in pairs):
                    pairs.append((first, second))
                    angles.remove(second)
                    break
    return pairs


def test_external_angles_are_those_of_lavaurs():
    found = {tuple(sorted(each.angles)) for period in range(2, 8) for each in md.atlas.nuclei(period)}
    assert found == set(lavaurs(7))


def test_known_components():
    (main,), (disc,) = md.atlas.nuclei(1), md.atlas.nuclei(2)
    assert (main.center, main.size, main.kind) == ((0, 0), 1, "cardioid")
    assert (disc.center, float(disc.size), disc.kind) == ((-1, 0), 0.5, "disc")
    rabbit = max(md.atlas.nuclei(3), key=lambda each: each.center.im)
    assert rabbit.angles == (Fraction(1, 7), Fraction(2, 7))
    airplane = md.atlas.nuclei(3)[0]
    assert float(airplane.center.re) == -1.7548776662466927  # https://mrob.com/pub/muency/r2f12b1.html
    assert airplane.angles == (Fraction(3, 7), Fraction(4, 7))
    assert abs(float(airplane.size) - 0.019035515913132) < 1e-14


@pytest.mark.parametrize("depth", ["0.01", "1e-10", "1e-50", "1e-300"])
def test_the_nucleus_of_least_period_in_a_disc_is_one(depth):
    found = md.atlas.nucleus("1j", depth)
    with flint.ctx.workprec(4096):
        c = as_acb(found.center)
        z, near = flint.acb(0), []
        for n in range(1, found.period + 1):
            z = z * z + c
            if abs(z) < flint.arb(depth) ** 0.5 * flint.arb(2) ** -20:
                near.append(n)
    assert near == [found.period]
    assert abs(found.center.im - 1) <= Fraction(depth)
    again = md.atlas.nucleus(found.center, found.size / 8)
    assert again.period == found.period
    smaller = md.window(found.center, found.width, (16, 16), maxiter=found.period * 50, chunks=None)
    counts = smaller.iterations.values
    assert counts[8, 8] == counts.max() == found.period * 50  # the middle of the component is in the set


def test_where_there_is_no_nucleus_there_is_none():
    assert md.atlas.nucleus("2+2j", "0.01") is None
    assert md.atlas.nucleus("-0.1+0.1j", "1e-6", most=1000) is None


def test_the_period_found_is_the_least_of_all_nuclei_in_the_disc():
    listed = [(period, one.center) for period in range(1, 8) for one in md.atlas.nuclei(period)]
    rng = np.random.default_rng(8)
    for radius in 10 ** rng.uniform(-2, 0.3, 40):
        center = complex(rng.uniform(-2, 0.6), rng.uniform(-1.2, 1.2))
        inside = [period for period, c in listed if abs(complex(float(c.re), float(c.im)) - center) <= radius]
        found = md.nucleus(center, radius, most=7)
        assert (found and found.period) == min(inside, default=None), (center, radius)


def test_newtons_method_ends_where_an_orbit_escapes():
    """Its numbers would double their length at each of hundreds of steps."""
    center = "-0.7436438870371587+0.1318259042053119j"
    for radius, period in (("5e-10", 998), ("1e-9", 998), ("2e-9", 973)):
        found = md.atlas.nucleus(center, radius, most=2000)
        assert (found and found.period) == period


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: md.atlas.nuclei(0), "period must be an integer from 1 to 12"),
        (lambda: md.atlas.nuclei(13), "period must be an integer from 1 to 12"),
        (lambda: md.atlas.misiurewicz(1, 1), "preperiod must be at least 2"),
        (lambda: md.atlas.misiurewicz(12, 5), "more than 2048 points"),
        (lambda: md.atlas.nucleus("0", "0"), "radius must be positive"),
    ],
)
def test_what_cannot_be_listed_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_places_have_names_and_something_to_see():
    places = md.atlas.places()
    assert len(places) >= 55
    assert len({place.name for place in places}) == len(places)
    assert {f"minibrot {where}" for where, *_ in _SEEDS} <= {place.name for place in places}
    for place in places[::7]:
        counts = md.window(place.center, place.width, (24, 24), chunks=None).iterations.values
        assert np.unique(counts).size > 3, place.name
