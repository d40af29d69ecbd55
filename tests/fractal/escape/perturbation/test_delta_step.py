"""Steps of differences from a reference orbit and their bounds, against exact rationals (Lemmas 17, 18, 20 to 22)."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from fractal.exactly import Complex, along, exact, power_of_two, rational
from mandeldask.fractal.escape.limits import worst_for
from mandeldask.fractal.escape.perturbation import delta_skip, pixel_pool
from mandeldask.fractal.escape.perturbation import delta_step as ds
from mandeldask.fractal.escape.perturbation.pixel_pool import Place

advance, advance_slope = numba.njit(ds.advance), numba.njit(ds.advance_slope)
grow_error, bla_skip, bla_skip_slope = (
    numba.njit(ds.grow_error),
    numba.njit(delta_skip.bla_skip),
    numba.njit(delta_skip.bla_skip_slope),
)
step_without_bound, two_steps_without_bound = (
    numba.njit(delta_skip.step_without_bound),
    numba.njit(delta_skip.two_steps_without_bound),
)
classify = numba.njit(ds.classify)
rebase, pass_zero = numba.njit(ds.rebase), numba.njit(ds.pass_zero)
COUNT = 48
U53 = rational(1, 2**53)
ROWS = [ds.X, ds.Y, ds.GX, ds.GY, ds.DC_X, ds.DC_Y]


def group(rng, size=1.0, dc=2.0**-20, slope=1.0):
    """Return a workspace whose first pixels have w, g and dc of about those sizes, some of them much smaller."""
    w = np.zeros(ds.SIZE)
    for row, scale in zip(ROWS, (size, size, slope, slope, dc, dc), strict=True):
        some = rng.normal(size=COUNT) * scale * 2.0 ** -np.where(rng.random(COUNT) < 0.3, rng.uniform(0, 40, COUNT), 0)
        w[row : row + COUNT] = some
    return w


def at(w, row, i):
    return Complex.of(w[row + i], w[row + (ds.Y - ds.X) + i])


def wrong(value: Complex, rng, by=None) -> Complex:
    """Return an exact Z that `value` may be rounded from: it is wrong by up to 2.125 u of its modulus."""
    return value + along(
        complex(value) * np.exp(2j * np.pi * rng.random()), abs(complex(value)) * (by or 2.1) * 2.0**-53
    )


def rounded(dc: Complex) -> Complex:
    return Complex(dc.re * (1 + U53 * rational(99, 100)), dc.im * (1 - U53 * rational(99, 100)))


def radii(rng, kappa, lost, slope):
    """Sizes of an error before a step: none, about what kappa makes dearest, and larger."""
    return [0.0, lost / kappa / slope, 0.25 * lost / kappa / slope, slope * 2.0 ** -rng.uniform(5, 40)]


CASES = [  # |Z|, scale, size of w, dc_scale
    (1.2, 2.0**-30, 1.0, 2.0**-9),
    (1.9, 1.0, 0.03, 1e-3),
    (0.3, 1.0, 0.3, 1e-3),
    (1e-3, 1.0, 1.0, 1e-3),
    (0.0, 1.0, 0.8, 0.0),
    (1.0, 0.0, 2.0**40, 2.0**-9),
    (1e-80, 2.0**-200, 1.0, 1e-3),
    (0.5, 1.0, 2.0**-530, 2.0**-520),
]


@pytest.mark.parametrize("steps", [16, 1000, 100_000])
@pytest.mark.parametrize(("modulus", "scale", "size", "dc_scale"), CASES)
def test_s_bounds_the_error_of_a_step(modulus, scale, size, dc_scale, steps):
    rng, bound = np.random.default_rng(steps), ds.bound_for(steps)
    for _ in range(2):
        z = modulus * np.exp(2j * np.pi * rng.random())
        reference = Complex.of(z.real, z.imag)
        true_z = wrong(reference, rng) if modulus else reference
        before = group(rng, size)
        dc_size = max(abs(before[ds.DC_X : ds.DC_X + COUNT] + 1j * before[ds.DC_Y : ds.DC_Y + COUNT])) * dc_scale * 1.01
        after = before.copy()
        arguments = z.real, z.imag, scale, dc_scale, dc_size, bound
        advance(after, COUNT, *arguments)

        def image(i, v, true_z=true_z, before=before):
            w = at(before, ds.X, i) + v
            dc = rounded(at(before, ds.DC_X, i)) * exact(dc_scale)
            return (true_z + true_z + w * exact(scale)) * w + dc

        nothing = Complex(rational(0), rational(0))
        losses = [complex(image(i, nothing) - at(after, ds.X, i)) for i in range(COUNT)]
        for k in range(4):
            with_errors, starts = before.copy(), []
            for i in range(COUNT):
                slope = 2 * complex(reference + at(before, ds.X, i) * exact(scale)) or 1.0
                r = radii(rng, bound.kappa, abs(losses[i]), abs(slope))[k]
                with_errors[ds.S + i] = bound.u * r * r * (1 + 2.0**-50)
                starts.append((r, slope))
            advance(with_errors, COUNT, *arguments)
            for i, (r, slope) in enumerate(starts):
                for direction in (slope, losses[i] / slope / (abs(losses[i]) or 1.0) or 1.0, 1j):
                    lost = (image(i, along(direction, r)) - at(after, ds.X, i)).square()
                    assert exact(bound.u) * lost <= exact(with_errors[ds.S + i])


@pytest.mark.parametrize("steps", [16, 10_000])
@pytest.mark.parametrize(("modulus", "scale", "size", "dc_scale"), CASES[:4])
def test_q_bounds_the_error_of_a_derivative(modulus, scale, size, dc_scale, steps):
    """g' = 2 z g + spacing; where steps are done |Z| <= 2 |z|, so pixels with a smaller z are left out."""
    rng, bound, spacing = np.random.default_rng(steps), ds.bound_for(steps), dc_scale
    for share in (0.0, 2.0**-46, 2.0**-30, 2.0**-12):
        z = modulus * np.exp(2j * np.pi * rng.random())
        reference, w = Complex.of(z.real, z.imag), group(rng, size, slope=2.0 ** rng.uniform(-20, 20))
        true_z = wrong(reference, rng)
        start = w.copy()
        for i in range(COUNT):
            r, q = share * size, share * abs(complex(at(w, ds.GX, i)))
            w[ds.S + i], w[ds.Q + i] = bound.u * r * r * (1 + 2.0**-50), q * q * (1 + 2.0**-50)
        start_s, start_q = w[ds.S : ds.S + COUNT].copy(), w[ds.Q : ds.Q + COUNT].copy()
        advance_slope(w, COUNT, z.real, z.imag, scale, spacing, bound)
        for i in range(COUNT):
            dz = at(start, ds.X, i) * exact(scale)
            now = complex(reference + dz)
            if abs(z) > 2 * abs(now):
                continue
            r, q = math.sqrt(start_s[i] / bound.u) * (1 - 2.0**-50), math.sqrt(start_q[i]) * (1 - 2.0**-50)
            g, added = at(start, ds.GX, i), Complex(exact(spacing), rational(0))
            for direction in (1.0, 1j, now):
                true = true_z + dz + along(direction, r) * exact(scale)
                true_g = g + along(direction * complex(g) / (now or 1.0) or 1.0, q)
                lost = true * true_g * rational(2) + added - at(w, ds.GX, i)
                assert lost.square() <= exact(w[ds.Q + i])


def test_q_bounds_the_error_of_a_derivative_too_small_for_products_of_squares():
    bound, w = ds.bound_for(1000), np.zeros(ds.SIZE)
    r, g, q = 2.0**-20, 2.0**-430, 2.0**-449
    w[ds.X], w[ds.GX], w[ds.S], w[ds.Q] = 1.0, g, bound.u * r * r, q * q
    advance_slope(w, 1, 1.0, 0.0, 1.0, 0.0, bound)
    assert (2 * (exact(2.0) + exact(r)) * exact(q) + 2 * exact(r) * exact(g)) ** 2 <= exact(w[ds.Q])


@pytest.mark.parametrize("length", [1, 2, 7, 8])
def test_unlooked_steps_lose_no_more_than_lose_says(length):
    """As `delta_groups` takes safe steps: majorants G and D of the slope and of what dc becomes (Lemma 22)."""
    rng = np.random.default_rng(length)
    for steps, share in ((16, 0.0), (1000, 0.0), (1000, 2.0**-45), (100_000, 2.0**-20)):
        bound, scale, dc_scale = ds.bound_for(steps), 2.0 ** -rng.uniform(8, 60), 2.0**-6
        orbit = [(0.4 + 1.4 * rng.random()) * np.exp(2j * np.pi * rng.random()) for _ in range(length)]
        w = group(rng, 1.0, 1.0)
        size_w = max(abs(w[ds.X : ds.X + COUNT] + 1j * w[ds.Y : ds.Y + COUNT]))
        dc_size = max(abs(w[ds.DC_X : ds.DC_X + COUNT] + 1j * w[ds.DC_Y : ds.DC_Y + COUNT])) * dc_scale * (1 + 2.0**-40)
        r = share * size_w
        w[ds.S : ds.S + COUNT] = bound.u * r * r * (1 + 2.0**-50)
        start, most, growth, added = w.copy(), (size_w + r) * (1 + 2.0**-40), 1.0, 0.0
        for z in orbit:
            slope = 2.0 * (abs(z) + scale * most) * (1 + 2.0**-40)
            growth, added = slope * growth, slope * added + 1.0 + 2.0**-40
            most = ((2.0 * abs(z) + scale * most) * most + dc_size) * (1 + 2.0**-40)
        grow_error(w, COUNT, growth, added, length + 1, dc_size, bound)
        m = 0
        while m + 1 < length:
            one, two = orbit[m], orbit[m + 1]
            two_steps_without_bound(w, COUNT, one.real, one.imag, two.real, two.imag, scale, dc_scale)
            m += 2
        if m < length:
            step_without_bound(w, COUNT, orbit[m].real, orbit[m].imag, scale, dc_scale)
        true_orbit = [wrong(Complex.of(z.real, z.imag), rng) for z in orbit]
        for i in range(COUNT):
            now = at(start, ds.X, i) + along(complex(rng.normal(), rng.normal()), r)
            dc = rounded(at(start, ds.DC_X, i)) * exact(dc_scale)
            for z in true_orbit:
                now = (z + z + now * exact(scale)) * now + dc
            assert exact(bound.u) * (now - at(w, ds.X, i)).square() <= exact(w[ds.S + i])


@pytest.mark.parametrize(("gap", "r"), [(2.0**-48, 0.0), (2.0**-50, 0.0), (2.0**-30, 2.0**-31), (1e-3, 1e-3)])
def test_a_pixel_is_not_taken_for_one_on_the_other_side(gap, r):
    rng, bound = np.random.default_rng(11), ds.bound_for(1000)
    decided = 0
    for _ in range(60):
        z = 1.9 * rng.random() ** 0.2 * np.exp(2j * np.pi * rng.random())
        reference, w = Complex.of(z.real, z.imag), np.zeros(ds.SIZE)
        goal = (2.0 + gap * rng.normal(size=COUNT)) * np.exp(2j * np.pi * rng.random(COUNT))
        w[ds.X : ds.X + COUNT], w[ds.Y : ds.Y + COUNT] = (goal - z).real, (goal - z).imag
        w[ds.S : ds.S + COUNT], w[ds.RATIO : ds.RATIO + COUNT] = bound.u * r * r * (1 + 2.0**-50), 0.0
        classify(w, COUNT, z.real, z.imag, 1.0, bound, 4.0)
        true_z = wrong(reference, rng)
        for i in range(COUNT):
            mark, here = w[ds.MARK + i], true_z + at(w, ds.X, i)
            if mark == ds.OPEN:
                continue
            decided += 1
            outward = 1.0 if mark != ds.OUT else -1.0
            assert ((here + along(complex(here) * outward, r)).square() > 4) == (mark == ds.OUT)
    if gap > 2.0**-47:
        assert decided > 100


@pytest.mark.parametrize(("z_exponent", "exponent"), [(0, 0), (0, -3), (-400, -400), (-400, -420), (-500, -400)])
def test_a_rebased_pixel_is_within_its_error(z_exponent, exponent):
    rng, bound = np.random.default_rng(13), ds.bound_for(1000)
    pool = np.zeros((1, 11))
    for _ in range(400):
        z = rng.normal() + 1j * rng.normal()
        w = group(rng)
        if rng.random() < 0.6:  # cancelling: z is nearer to 0 than both
            factor = 2.0 ** (z_exponent - exponent)
            near = -z * factor * (1 + 2.0 ** -rng.uniform(1, 50) * np.exp(2j * np.pi * rng.random()))
            w[ds.X], w[ds.Y] = near.real, near.imag
        r = abs(z) * 2.0**-40 * (rng.random() < 0.5)
        w[ds.S] = bound.u * r * r * (1 + 2.0**-50)
        rebase(w, 0, pool, 0, exponent, z.real, z.imag, z_exponent, bound, 0.0, 0, 5, None)
        kept = Complex.of(pool[0, pixel_pool.X], pool[0, pixel_pool.Y]) * power_of_two(
            int(pool[0, pixel_pool.EXPONENT])
        )
        reference = Complex.of(z.real, z.imag)
        for direction in (complex(reference), 1j * complex(reference), complex(rng.normal(), rng.normal())):
            true_z = reference + along(direction, abs(z) * 2.1 * 2.0**-53)
            true_w = at(w, ds.X, 0) + along(direction, r)
            lost = true_z * power_of_two(z_exponent) + true_w * power_of_two(exponent) - kept
            unit = power_of_two(2 * int(pool[0, pixel_pool.EXPONENT]))
            assert exact(bound.u) * lost.square() <= exact(pool[0, pixel_pool.S]) * unit


@pytest.mark.parametrize(("z_exponent", "exponent"), [(-310, -310), (-310, -330), (-400, -200), (0, -5)])
def test_a_step_past_zero_is_within_its_error(z_exponent, exponent):
    rng, bound = np.random.default_rng(14), ds.bound_for(1000)
    place = Place(np.zeros(1), np.zeros(1), -900 if z_exponent else -30, 2.0, 2.0**-9, *worst_for(("iterations",), {}))
    for share in (0.0, 2.0**-44, 2.0**-10, 0.3):
        z, w = (rng.normal() + 1j * rng.normal()) * (rng.random() < 0.8), group(rng, dc=1.0)
        start, reference = w.copy(), Complex.of(z.real, z.imag)
        for i in range(COUNT):
            size = abs(complex(at(w, ds.X, i)))
            w[ds.S + i] = bound.u * (share * size) ** 2 * (1 + 2.0**-50)
        after = max(place.exponent, 2 * max(exponent, z_exponent) + 4)
        start_s = w[ds.S : ds.S + COUNT].copy()
        pass_zero(w, COUNT, z.real, z.imag, z_exponent, exponent, after, place, bound, None)
        for i in range(COUNT):
            r = math.sqrt(start_s[i] / bound.u) * (1 - 2.0**-50)
            dc = rounded(at(start, ds.DC_X, i)) * power_of_two(place.exponent)
            for direction in (complex(at(start, ds.X, i)), complex(reference) or 1.0, 1j):
                true_z = wrong(reference, rng) * power_of_two(z_exponent)
                dz = (at(start, ds.X, i) + along(direction, r)) * power_of_two(exponent)
                lost = ((true_z + true_z + dz) * dz + dc) * power_of_two(-after) - at(w, ds.X, i)
                if abs(complex(at(start, ds.DC_X, i))) <= place.most:
                    assert exact(bound.u) * lost.square() <= exact(w[ds.S + i])
