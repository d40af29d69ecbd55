"""Plain lanes with derivatives, and the bounds that they carry, against exact rationals (Lemma 23)."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from fractal.exactly import Complex, along, exact, rational
from mandeldask.fractal.escape.arithmetic.float64_step import DERIVATIVE_SHARE, ROUNDING, SCALE, STEPS
from mandeldask.fractal.escape.perturbation import pixel_pool
from mandeldask.fractal.escape.perturbation import plain_lanes as pl

advance, follow, enter_slope = (numba.njit(f) for f in (pl._advance_slopes, pl._step_to_last_inside, pl._enter_slope))
put_back = numba.njit(pl._return_to_pool)
COUNT, SLOPES = 24, np.empty(0)


def lanes(rng, r, q):
    """Return lanes with a random c, derivatives of 1 to 2, and bounds r of 2z and q of the derivative."""
    w = np.zeros(pl.SIZE)
    for i in range(COUNT):
        z, c = (size * np.exp(2j * np.pi * rng.random()) for size in (rng.uniform(0.1, 2), rng.uniform(0, 1.2)))
        g = rng.uniform(1, 1.4) * np.exp(2j * np.pi * rng.random())
        values = (
            z.real,
            z.imag,
            max(SCALE * r * r, ROUNDING),
            c.real,
            c.imag,
            g.real,
            g.imag,
            2.0 * q * q,
        )
        for row, value in zip((pl.X, pl.Y, pl.S, pl.CX, pl.CY, pl.GX, pl.GY, pl.Q), values, strict=True):
            w[row + i] = value
        w[pl.ONE + i] = rng.choice([0.0, 2.0**-60, 0.24])
    return w


def orbit(w, i, r, q, steps):
    """Return 2z and g after some steps, exactly, from the worst start that the bounds allow; None if z leaves."""
    start, c = Complex.of(w[pl.X + i], w[pl.Y + i]), Complex.of(w[pl.CX + i], w[pl.CY + i])
    z = start + along(complex(start) or 1.0, r)
    g = Complex.of(w[pl.GX + i], w[pl.GY + i])
    g += along(complex(z) * complex(g), q)
    for _ in range(steps):
        if z.square() > exact(4.2) ** 2:
            return None
        g = (z * g + Complex(exact(w[pl.ONE + i]), rational(0))).trimmed()
        z = (z * z * rational(1, 2) + c).trimmed()
    return z, g


@pytest.mark.parametrize(("r", "q"), [(0.0, 0.0), (2.0**-30, 0.0), (2.0**-40, 2.0**-20), (0.0, 2.0**-10)])
def test_bounds_hold_for_derivatives_in_any_unit(r, q):
    rng, seen = np.random.default_rng(1), 0
    for _ in range(6):
        w = lanes(rng, r, q)
        start, ahead = w.copy(), w.copy()
        advance(w, COUNT)
        follow(ahead, COUNT, SLOPES)
        for i in range(COUNT):
            for after, steps in ((w, STEPS), (ahead, int(ahead[pl.STEPS_SINCE + i]))):
                true = orbit(start, i, r, q, steps)
                if true is None:
                    continue
                z, g = true
                assert (z - Complex.of(after[pl.X + i], after[pl.Y + i])).square() * exact(SCALE) <= exact(
                    after[pl.S + i]
                )
                lost = (g - Complex.of(after[pl.GX + i], after[pl.GY + i])).square()
                assert lost <= exact(DERIVATIVE_SHARE) * exact(after[pl.Q + i])
                seen += steps > 0
    assert seen > COUNT


def test_derivatives_enter_and_return_with_their_bounds():
    rng = np.random.default_rng(2)
    for _ in range(50):
        pool, w = np.zeros((1, pixel_pool.WITH_DERIVATIVE.size)), np.zeros(pl.SIZE)
        exponent = int(rng.integers(-300, 5))
        pool[0, pixel_pool.GX], pool[0, pixel_pool.GY] = rng.normal(size=2) * 2.0 ** rng.uniform(-60, 60)
        pool[0, pixel_pool.Q] = 2.0 ** rng.uniform(-200, 0)
        before = pool.copy()
        place = pixel_pool.Place(np.zeros(1), np.zeros(1), -400, 1.0, 0.3, 0.0, 0.0)
        enter_slope(w, 0, pool[0], exponent, place)
        assert 1.0 <= max(abs(w[pl.GX]), abs(w[pl.GY])) < 2.0
        assert 0.0 <= w[pl.ONE] < 0.25
        put_back(w, 0, 0, 512.0, pool, 0, SLOPES)
        shift = 2.0 ** (pool[0, pixel_pool.EXPONENT] - exponent)
        assert pool[0, pixel_pool.GX] * shift == before[0, pixel_pool.GX]
        assert pool[0, pixel_pool.GY] * shift == before[0, pixel_pool.GY]
        assert pool[0, pixel_pool.Q] * shift**2 >= before[0, pixel_pool.Q]
