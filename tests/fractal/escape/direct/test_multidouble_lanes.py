"""Double-double and triple-double lanes: a step and its bound r, against exact rationals (Lemmas 10 to 12 and 14)."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from fractal.exactly import Complex, along, directions, exact, points, rational
from mandeldask.fractal.escape.direct import multidouble_lanes as ms

doubled, tripled = numba.njit(ms.iterate_double_double), numba.njit(ms.iterate_triple_double)
differentiate, error_after, gap = numba.njit(ms.differentiate), numba.njit(ms.error_after), numba.njit(ms.beyond_circle)
PARTS = {
    2: (doubled, ms._DOUBLE_DOUBLE_ERROR, (ms.X, ms.X_LOW), (ms.Y, ms.Y_LOW), (ms.CX, ms.CX_LOW), (ms.CY, ms.CY_LOW))
}
PARTS[3] = (
    *(tripled, ms._TRIPLE_DOUBLE_ERROR, (ms.X, ms.X_LOW, ms.X_LOWEST), (ms.Y, ms.Y_LOW, ms.Y_LOWEST)),
    *((ms.CX, ms.CX_LOW, ms.CX_LOWEST), (ms.CY, ms.CY_LOW, ms.CY_LOWEST)),
)


def lane(rng, rows, z, c):
    """Return a workspace whose first lane is at z for c, with low parts of all sizes."""
    w = np.zeros(ms.SIZE)
    for parts, value in zip(rows, (z.real, z.imag, c.real, c.imag), strict=True):
        for k, row in enumerate(parts):
            w[row] = value if k == 0 else w[parts[k - 1]] * 2.0**-53 * rng.uniform(-1, 1)
    return w


def held(w, parts_x, parts_y):
    return Complex.sum_of(*((w[x], w[y]) for x, y in zip(parts_x, parts_y, strict=True)))


@pytest.mark.parametrize("parts", [2, 3])
def test_r_bounds_the_error_of_a_step(parts):
    step, bound, *rows = PARTS[parts]
    rng = np.random.default_rng(parts)
    position_error = 2.0**-100 if parts == 2 else 2.0**-156
    for z, c in zip(points(rng, 2.1, 500), points(rng, 2.1, 500), strict=True):
        w = lane(rng, rows, z, c)
        now, kept = held(w, *rows[:2]), step(w, 0)
        half = len(kept) // 2
        computed = Complex.sum_of(*zip(kept[:half], kept[half : 2 * half], strict=True))
        true_c = held(w, *rows[2:]) + along(np.exp(2j * np.pi * rng.random()), position_error)
        lost = complex(now * now + true_c - computed)
        for r in (0.0, bound, bound * 2.0**20, 2.0 ** -rng.uniform(10, 80)):
            w[ms.R] = r
            after = exact(step(w, 0)[-1])
            for direction in directions(z, lost, rng):
                moved = now + along(direction, r)
                assert (moved * moved + true_c - computed).square() <= after**2


def test_r_is_rounded_up():
    rng = np.random.default_rng(5)
    for x, y, r in rng.uniform(-2, 2, (2000, 3)):
        after = exact(error_after(x, y, abs(r), 0.0)) - exact(abs(r)) ** 2
        assert after >= 0
        assert after**2 >= 4 * Complex.of(x, y).square() * exact(r) ** 2


def test_q_bounds_the_error_of_a_derivative():
    """The derivative follows the high part of z: its low part is one more rounding."""
    rng = np.random.default_rng(6)
    for z in points(rng, 2.1, 800):
        size = 2.0 ** rng.uniform(-30, 60)
        dx, dy = (float(v) * size for v in rng.normal(size=2))
        low = Complex.of(z.real * 2.0**-54, z.imag * 2.0**-54)
        for r, share in ((0.0, 0.0), (2.0**-60, 2.0**-52), (2.0**-20, 2.0**-20)):
            q = share * abs(complex(dx, dy))
            new_x, new_y, after = differentiate(z.real, z.imag, r, dx, dy, q, 1.0)
            for direction in (z, 1j * z, 1.0):
                true_z = Complex.of(z.real, z.imag) + low + along(direction or 1.0, r)
                true_p = Complex.of(dx, dy) + along(complex(dx, dy) * (direction / z if z else 1.0), q)
                true = true_z * true_p * rational(2) + Complex(rational(1), rational(0))
                assert (true - Complex.of(new_x, new_y)).square() <= exact(after) ** 2


def test_no_iterate_is_taken_for_one_on_the_other_side():
    rng, decided = np.random.default_rng(7), 0
    for _ in range(4000):
        r = rng.choice([0.0, 2.0**-97, 2.0**-60, 2.0**-30])
        angle, away = rng.uniform(0, 2 * np.pi), rng.normal() * rng.choice([2.0**-98, 2.0**-95, 4 * r])
        near = along(np.exp(1j * angle), exact(away) + 2)
        x, y = (int(part.p) / int(part.q) for part in near)
        x_low, y_low = (float(int((p - exact(h)).p) / int((p - exact(h)).q)) for p, h in zip(near, (x, y), strict=True))
        over, sure = gap(x, x_low, y, y_low, r)
        if sure:
            decided += 1
            here = Complex.sum_of((x, y), (x_low, y_low))
            moved = here + along(complex(here) * (-1 if over > 0 else 1), r)
            assert (moved.square() > 4) == (over > 0.0)
    assert decided > 300
