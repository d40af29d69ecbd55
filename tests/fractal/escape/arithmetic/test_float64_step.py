"""A float64 step and its bounds, against exact rationals (Lemmas 3, 4 and 14)."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from fractal.exactly import Complex, along, directions, exact, points, rational, sizes
from mandeldask.fractal.escape.arithmetic import float64_step

iterate = numba.njit(float64_step.iterate)
G = rational((1025**2) * (2**40 + 1), 2 ** (20 + 40))
"""(1 + kappa)^2 (1 + 2^-40), what S grows by in a step, paid in advance."""
ONE = Complex(rational(1), rational(0))
NU = rational(256 * 1025, 2**106) * G**8


@numba.njit
def slope(x, y, s, dx, dy, q):
    """One step of dz/dc and its bound."""
    q, _ = float64_step.next_slope_bound(x, y, s, q, float64_step.slope_square(dx, dy))
    return *float64_step.differentiate(x, y, dx, dy), q


@numba.njit
def slopes(x, y, s, dx, dy, q, cx, cy):
    """Two steps of z and dz/dc, as lanes do them."""
    q, p = float64_step.next_slope_bound(x, y, s, q, float64_step.slope_square(dx, dy))
    dx, dy = float64_step.differentiate(x, y, dx, dy)
    x, y, s = iterate(x, y, s, cx, cy)
    q, _ = float64_step.next_slope_bound(x, y, s, q, p)
    dx, dy = float64_step.differentiate(x, y, dx, dy)
    x, y, s = iterate(x, y, s, cx, cy)
    return x, y, s, dx, dy, q


def step(z: Complex, c: Complex) -> Complex:
    """The exact map of doubled numbers."""
    return z * z * rational(1, 2) + c


def starts(rng, least, most, count):
    """Doubled z of a modulus from `least` to `most`, and doubled c rounded from an exact one."""
    z, c = points(rng, most, count), points(rng, 4.2, count)
    moduli = np.maximum(abs(z), 1e-300)
    z *= np.where(moduli < least, (least + (most - least) * rng.random(count)) / moduli, 1.0)
    for one, other in zip(z, c, strict=True):
        cx, cy = float(other.real), float(other.imag)
        shift = rational(999, 1000 * 2**53)  # c is rounded to the nearest: by this of it at most
        yield float(one.real), float(one.imag), cx, cy, Complex(exact(cx) * (1 + shift), exact(cy) * (1 - shift))


@pytest.mark.parametrize("steps_left", [0, 3, 7])
def test_s_bounds_the_error_of_a_step_inside(steps_left):
    """What is carried before a step is at least g^(k + 1) 256 r^2 + 127 nu: so it is after it, with k for k + 1."""
    rng = np.random.default_rng(3 + steps_left)
    for x, y, cx, cy, c in starts(rng, 0.0, 4.2, 400):
        z, computed = Complex.of(x, y), Complex.of(*iterate(x, y, 0.0, cx, cy)[:2])
        lost = complex(step(z, c) - computed)
        for r in sizes(abs(lost), abs(complex(x, y)), rng):
            carried = float(G ** (steps_left + 1) * 256 * exact(r) ** 2 + 127 * NU) * (1 + 2.0**-52)
            s = exact(iterate(x, y, carried, cx, cy)[2])
            for direction in directions(complex(x, y), lost, rng):
                error = (step(z + along(direction, r), c) - computed).square()
                assert G**steps_left * 256 * error + 127 * NU <= s


def test_s_bounds_the_error_of_a_step_outside():
    rng = np.random.default_rng(4)
    for x, y, cx, cy, c in starts(rng, 4.0, 8.0, 1500):
        z, computed = Complex.of(x, y), Complex.of(*iterate(x, y, 0.0, cx, cy)[:2])
        lost = complex(step(z, c) - computed)
        m = x * x + y * y
        for r in sizes(abs(lost), abs(complex(x, y)), rng):
            carried = float(G * 256 * exact(r) ** 2 + 127 * NU) * (1 + 2.0**-52)
            s = exact(iterate(x, y, carried, cx, cy)[2] + float64_step.FAR_ROUNDING * m * m)
            for direction in directions(complex(x, y), lost, rng):
                assert 256 * (step(z + along(direction, r), c) - computed).square() + 127 * NU <= s


def test_s_pays_for_the_worst_case_of_every_rounding():
    """Lemma 3 bounds what a step loses by 2uM + 13u, more than random points lose; kappa multiplies it by 1025."""
    rng = np.random.default_rng(14)
    for m in [*rng.uniform(0.0, 16.0, 200), *rng.uniform(16.0, 64.0, 200)]:
        x, y = np.sqrt(m) * np.array([0.6, 0.8])
        far = float64_step.FAR_ROUNDING * m * m if m > 16.0 else 0.0
        after = exact(iterate(x, y, float(127 * NU), 0.1, 0.2)[2] + far) - 127 * NU
        assert after >= 256 * 1025 * ((2 * exact(m) + 13) * rational(1, 2**53)) ** 2


def test_eight_steps_stay_within_what_they_pay_in_advance():
    rng = np.random.default_rng(5)
    for x, y, cx, cy, c in starts(rng, 0.0, 4.0, 300):
        for r in (0.0, 2.0**-50, 2.0**-9 * abs(complex(x, y))):
            z = Complex.of(x, y) + along(complex(x, y) or 1.0, r)
            s = (256.0 * r * r + float64_step.ROUNDING) * float64_step.GROWTH
            now = x, y, s
            for _ in range(float64_step.STEPS):
                now, z = iterate(*now, cx, cy), step(z, c)
                if not now[0] ** 2 + now[1] ** 2 < 17.6:
                    break
            else:
                assert 256 * (z - Complex.of(*now[:2])).square() <= exact(now[2])


def test_rounding_is_the_least_s():
    """Sureness takes S to be no less than this, whatever came before."""
    rng = np.random.default_rng(6)
    for x, y, cx, cy, _ in starts(rng, 0.0, 4.2, 100):
        assert iterate(x, y, 0.0, cx, cy)[2] >= float64_step.ROUNDING > 0.0


def test_no_iterate_is_taken_for_one_on_the_other_side():
    """Points within 2^-20 of the circle, with errors that just reach to it, or do not quite."""
    rng, surely = np.random.default_rng(7), numba.njit(lambda m, s: not float64_step.is_undecided(m, s))
    decided = 0
    for angle, gap, share in zip(
        rng.uniform(0, 2 * np.pi, 4000), 2.0 ** -rng.uniform(20, 52, 4000), rng.uniform(0.5, 1.5, 4000), strict=True
    ):
        x, y = (4.0 + gap * rng.choice([-1, 1])) * np.array([np.cos(angle), np.sin(angle)])
        z, m = Complex.of(x, y), x * x + y * y
        r = share * abs(float(z.square()) - 16.0) / 8.0
        if surely(m, 256.0 * r * r + float64_step.ROUNDING):
            decided += 1
            towards = along(complex(x, y) * (-1 if m > 16.0 else 1), r)
            assert ((z + towards).square() > 16) == (m > 16.0)
    assert decided > 500


def test_q_bounds_the_error_of_the_derivative():
    """Two steps from errors of z and dz/dc that are as large as S and Q say, along what they are multiplied with."""
    rng = np.random.default_rng(8)
    growth = float64_step.DERIVATIVE_GROWTH ** (2 / float64_step.STEPS)
    for x, y, cx, cy, c in starts(rng, 0.0, 4.0, 400):
        size = 2.0 ** rng.uniform(-30, 30)
        dx, dy = (float(v) for v in rng.normal(size=2) * size * (rng.random() < 0.9))
        p = Complex.of(dx, dy)
        for r in (0.0, 2.0**-44, 2.0**-20):
            s = (256.0 * r * r + float64_step.ROUNDING) * float64_step.GROWTH
            for ratio in (0.0, 2.0**-50, 2.0 ** -rng.uniform(2, 12) * r, 128.0 * r / max(abs(complex(x, y)), 0.1)):
                e = ratio * (abs(dx) + abs(dy) + 2.0**-20)
                q = e * e / float64_step.DERIVATIVE_SHARE * growth * (1 + 2.0**-50)
                kept = slopes(x, y, s, dx, dy, q, cx, cy)
                if not kept[0] ** 2 + kept[1] ** 2 < 1e3:
                    continue
                for direction in directions(complex(x, y), complex(dx, dy), rng):
                    z = Complex.of(x, y) + along(direction, r)
                    derivative = p + along(complex(dx, dy) * (direction / complex(x, y) if x or y else 1.0) or 1.0, e)
                    derivative = z * derivative + ONE  # doubled z: (2z) p + 1
                    between = slope(x, y, s, dx, dy, q)
                    error = (derivative - Complex.of(*between[:2])).square()
                    assert error <= exact(float64_step.DERIVATIVE_SHARE * between[2])
                    z = step(z, c)
                    derivative = z * derivative + ONE
                    error = (derivative - Complex.of(kept[3], kept[4])).square()
                    assert error <= exact(float64_step.DERIVATIVE_SHARE * kept[5])
