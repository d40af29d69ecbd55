"""Taylor models of discs, against exact rationals (Lemmas 6, 7 and 9)."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from flint import fmpq

from fractal.exactly import Complex, along, exact, rational
from mandeldask.fractal.escape.arithmetic import taylor_model as tm

advance, shift, begin = numba.njit(tm.advance), numba.njit(tm.shift), numba.njit(tm.begin)
handed_over, evaluate, numbers = numba.njit(tm.error_at_pixels), numba.njit(tm.evaluate), numba.njit(tm.polynomial)
slope, bend, norm = numba.njit(tm.slope), numba.njit(tm.second_derivative_bound), numba.njit(tm._norm)
NEXT = tm._STATE


def models(rng, degrees, *, low=True):
    """Return a workspace of random models with coefficients up to the given degree, SPREAD and REACH included."""
    w = np.zeros(tm.SIZE)
    for k in range(tm.DISCS):
        size = 2.0 ** -rng.uniform(0, 40)
        w[tm.RE[0] + k], w[tm.IM[0] + k] = rng.uniform(-1.4, 1.4, 2)
        w[tm.LOW_X + k], w[tm.LOW_Y + k] = rng.uniform(-1, 1, 2) * 2.0**-54 * low
        w[tm._CX + k], w[tm._CY + k] = rng.uniform(-1.4, 1.4, 2)
        w[tm._CX_LOW + k], w[tm._CY_LOW + k] = rng.uniform(-1, 1, 2) * 2.0**-54 * low
        for i in range(1, degrees + 1):
            re, im = rng.normal(size=2) * size * rng.uniform(0.05, 1) ** i
            w[tm.RE[i] + k], w[tm.IM[i] + k] = re, im
        set_sizes(w, k)
    return w


def set_sizes(w, k):
    spread = sum(norm(*coefficient(w, k, i)) for i in range(1, tm.DEGREE + 1))
    w[tm.SPREAD + k] = spread * (1 + 2.0**-50)
    w[tm.REACH + k] = (np.hypot(w[tm.RE[0] + k], w[tm.IM[0] + k]) + spread) * (1 + 2.0**-48)


def coefficient(w, k, i, state=0):
    return w[state + tm.RE[0] + i * tm.DISCS + k], w[state + tm.IM[0] + i * tm.DISCS + k]


def value(w, k, t, state=0):
    """Return the polynomial of disc k at t, exactly."""
    total = Complex(rational(0), rational(0))
    for i in range(tm.DEGREE, 0, -1):
        total = (total + Complex.of(*coefficient(w, k, i, state))) * t
    low = Complex.of(w[state + tm.LOW_X + k], w[state + tm.LOW_Y + k])
    return total + Complex.of(*coefficient(w, k, 0, state)) + low


def center(w, k):
    return Complex.sum_of((w[tm._CX + k], w[tm._CY + k]), (w[tm._CX_LOW + k], w[tm._CY_LOW + k]))


def ts(rng, count):
    """Points of the unit disc, half of them on its edge."""
    for angle in rng.uniform(0, 2 * np.pi, count):
        yield along(np.exp(1j * angle), 1.0 if rng.random() < 0.5 else rng.random())


@pytest.mark.parametrize("degrees", [0, 1, 4, 8])
def test_the_next_model_holds_the_images_of_the_disc(degrees):
    """Without coefficients the middle's own rounding is all; up to degree 4 nothing is dropped; with 8 something is."""
    rng = np.random.default_rng(degrees)
    for _ in range(30):
        w, rho = models(rng, degrees), 2.0 ** -rng.uniform(5, 60) if degrees else 0.0
        errors = np.where(rng.random(tm.DISCS) < 0.5, 0.0, 2.0 ** -rng.uniform(10, 60, tm.DISCS))
        w[tm.ERROR : tm.ERROR + tm.DISCS] = errors
        advance(w, rho)
        for k in range(tm.DISCS):
            bound = exact(w[NEXT + tm.ERROR + k])
            for t in ts(rng, 2):
                z = value(w, k, t)
                z += along(complex(z), errors[k])
                image = z * z + center(w, k) + t * exact(rho)
                assert (image - value(w, k, t, NEXT)).square() <= bound**2


def test_bounds_are_rounded_up():
    """The formulas of Lemma 6 in exact numbers, from the same constants."""
    rng = np.random.default_rng(9)
    for _ in range(20):
        w, rho = models(rng, 8), 2.0**-20
        w[tm.ERROR : tm.ERROR + tm.DISCS] = 2.0 ** -rng.uniform(3, 60, tm.DISCS)
        advance(w, rho)
        for k in range(tm.DISCS):
            m = [abs(exact(re)) + abs(exact(im)) for re, im in (coefficient(w, k, i) for i in range(1, 9))]
            dropped = sum((m[i] * m[j] for i in range(8) for j in range(8) if i + j + 2 > 8), fmpq(0))
            spread, reach, error = (exact(w[row + k]) for row in (tm.SPREAD, tm.REACH, tm.ERROR))
            rounding = exact(tm._COEFFICIENT_ERROR) * (2 * reach * spread + exact(rho)) + exact(tm._CENTER_ERROR)
            assert exact(w[NEXT + tm.ERROR + k]) >= (2 * reach + error) * error + dropped + rounding
            after = [Complex.of(*coefficient(w, k, i, NEXT)) for i in range(9)]
            sums = sum((abs(one.re) + abs(one.im) for one in after[1:]), fmpq(0))
            assert exact(w[NEXT + tm.SPREAD + k]) >= sums
            assert exact(w[NEXT + tm.REACH + k]) >= sums
            assert (exact(w[NEXT + tm.REACH + k]) - sums) ** 2 >= after[0].square()


@pytest.mark.parametrize("degrees", [1, 8])
def test_a_part_of_a_disc_keeps_its_orbits(degrees):
    rng = np.random.default_rng(20 + degrees)
    part = np.zeros(tm.SIZE)
    for _ in range(40):
        whole = models(rng, degrees)
        for k in range(tm.DISCS):
            dx, dy = rng.choice([-0.375, -0.125, 0.125, 0.375], 2)
            dx, dy = dx * rng.uniform(0.9, 1.0), dy * rng.uniform(0.9, 1.0)
            shift(whole, k, part, k, dx, dy, 0.25, (0.1, 0.0, 0.2, 0.0))
            for t in ts(rng, 2):
                t_whole = Complex.of(dx, dy) + t * rational(1, 4)
                lost = (value(whole, k, t_whole) - value(part, k, t)).square()
                assert lost <= exact(part[tm.ERROR + k]) ** 2
                # the true middle is off by a rounding of d, 3u
                moved = along(1j * complex(value(whole, k, t_whole)), float(np.hypot(dx, dy)) * 3 * 2.0**-53)
                lost = (value(whole, k, t_whole + moved) - value(part, k, t)).square()
                assert lost <= exact(part[tm.ERROR + k]) ** 2


@pytest.mark.parametrize("degrees", [0, 1, 8])
def test_a_pixel_begins_within_the_bound(degrees):
    """Evaluated as lanes are entered: without the low part of the middle, at a rounded t."""
    rng = np.random.default_rng(30 + degrees)
    for _ in range(40):
        w = models(rng, degrees)
        for k in range(tm.DISCS):
            tx, ty = rng.uniform(-0.5, 0.5, 2)
            x, y = evaluate(numbers(w, k), tx, ty)
            t = Complex(exact(tx) * (1 + rational(4, 2**53)), exact(ty) * (1 - rational(4, 2**53)))
            assert (value(w, k, t) - Complex.of(x, y)).square() <= exact(handed_over(w, k)) ** 2


def test_the_second_derivative_is_bounded():
    rng = np.random.default_rng(40)
    for _ in range(20):
        w = models(rng, 8)
        for k in range(tm.DISCS):
            most = exact(bend(numbers(w, k), 0.7072))
            second = sum(
                (
                    (abs(exact(re)) + abs(exact(im))) * i * (i - 1) * exact(0.7072) ** (i - 2)
                    for i, (re, im) in ((i, coefficient(w, k, i)) for i in range(2, 9))
                ),
                fmpq(0),
            )
            assert most >= second
