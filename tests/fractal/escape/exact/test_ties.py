"""Ties and near misses of the circle: each is decided by the digits that it takes, and at once."""

from __future__ import annotations

import json
import threading
from fractions import Fraction
from pathlib import Path

import pytest
from flint import arb, ctx, fmpq

from fractal.oracle import escape_count as judged
from mandeldask.cancellation import Cancellation, Cancelled, cancellable
from mandeldask.fractal.escape.arithmetic.whole_numbers import product, quotient, scaled
from mandeldask.fractal.escape.exact.bigint_ball import escape_count
from mandeldask.fractal.escape.exact.ties import is_proven_tie
from mandeldask.fractal.escape.proofs.closed_form import known_period
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.rationals import Point

CASES = json.loads(Path(__file__).with_name("near_ties.json").read_text())
"""|z_n| misses 2 by some 2^-200, next to a 5-adic miss of as many digits: n is the count."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["count"]))
def test_near_ties_are_decided_by_their_digits(case):
    c = Point(Fraction(case["re"]), Fraction(case["im"]))
    assert escape_count(c, case["maxiter"]) == case["count"]
    grid = Grid.window(c, "1e-300", (2, 2))
    assert Mandelbrot(case["maxiter"])(grid)["iterations"][1, 1] == case["count"]


def near_tie(n: int, q: int, bits: int, direction: tuple[int, int]) -> tuple[Point, Point]:
    """Return two points with denominator q on a ray, next to each other around one with |z_n| = 2."""
    with ctx.workprec(4 * bits + 200):

        def is_outside(t: arb) -> bool:
            x = y = arb(0)
            cx, cy = t * direction[0], t * direction[1]
            for _ in range(n):
                x, y = x * x - y * y + cx, 2 * x * y + cy
                if x * x + y * y > 4:
                    return True
            return False

        low, high = Fraction(1, 4), Fraction(2)
        for _ in range(bits + 20):
            middle = (low + high) / 2
            if is_outside(arb(fmpq(middle.numerator, middle.denominator))):
                high = middle
            else:
                low = middle
    whole = low.numerator * q // low.denominator
    points = (Point(Fraction(k * direction[0], q), Fraction(k * direction[1], q)) for k in (whole, whole + 1))
    return next(points), next(points)


@pytest.mark.parametrize("base", [3, 5, 7, 10, 13, 65])
@pytest.mark.parametrize("n", [1, 2, 5, 9, 14, 25])
def test_misses_of_a_200th_power_in_any_base(base, n):
    power = base
    while power.bit_length() < 210:
        power *= base
    for direction in ((0, 1), (2, 3)):
        for c in near_tie(n, power, 210, direction):
            assert escape_count(c, 200) == judged(*c, 200)


@pytest.mark.parametrize("triple", [(3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25), (33, 56, 65), (-3, -4, 5)])
@pytest.mark.parametrize("power", [1, 2, 40, 700])
def test_ties_at_once(triple, power):
    """c = 2 ((a + bi) / r)^k lies on the circle."""
    a, b, r = triple
    x, y = 1, 0
    for _ in range(power):
        x, y = x * a - y * b, x * b + y * a
    c = Point(Fraction(2 * x, r**power), Fraction(2 * y, r**power))
    assert c.re**2 + c.im**2 == 4
    assert escape_count(c, 50) == 1
    assert is_proven_tie(c, 1, 192)


def test_whole_points_tie_too():
    counts = {(1, 0): 2, (2, 0): 1, (0, 2): 1, (-2, 0): 50, (-1, 1): 2, (0, 1): 50, (10**400, 3): 0}
    assert {c: escape_count(Point(*map(Fraction, c)), 50) for c in counts} == counts


def test_edges_of_the_formulas_with_long_denominators():
    """Points of the edges have rational parts at rational points of the circle; 1e-600 to each side decides."""
    least = Fraction(1, 10**600)
    for m in (2, 3, 10**150 + 1):
        cos, sin = Fraction(m * m - 1, m * m + 1), Fraction(2 * m, m * m + 1)
        re, im = cos / 2 - (cos**2 - sin**2) / 4, sin / 2 - cos * sin / 2
        assert known_period(Point(re, im)) == 0
        assert known_period(Point(re * (1 - least), im * (1 - least))) == 1
        assert known_period(Point(re * (1 + least), im * (1 + least))) is None
        disc = Point(cos / 4 - 1, sin / 4)
        assert known_period(disc) == 0
        assert known_period(Point(disc.re, disc.im * (1 - least))) == 2


@pytest.mark.parametrize("bits", [100, 70_000, 300_000, 1_200_000])
def test_long_products_and_quotients(bits):
    a, b = 3 ** (bits * 12 // 19), 7 ** (bits * 5 // 14)
    for x, y in ((a, b), (-a, b), (a, a), (a, 12345), (-7, b * b)):
        assert product(x, y) == x * y
    if bits < 1_000_000:
        assert quotient(a * a, b) == a * a // b
        assert quotient(-a * a, b) == -a * a // b
    assert abs(scaled(Fraction(a, b), 640) - (a << 640) // b) < 2


def test_long_operations_are_cancelled():
    cancellation = Cancellation()
    cancellation.cancel()
    number = 1 << 1_500_000
    with cancellable(cancellation):
        with pytest.raises(Cancelled):
            product(number + 1, number + 3)
        with pytest.raises(Cancelled):
            quotient(number, 3**300_000)


def test_a_count_that_never_ends_is_cancelled():
    cancellation = Cancellation()
    timer = threading.Timer(0.2, cancellation.cancel)
    timer.start()
    with cancellable(cancellation), pytest.raises(Cancelled):
        escape_count(Point(Fraction(1, 10**4000), Fraction(1)), 2**32 - 1)
    timer.join()
