"""Random models of blocks around a reference orbit, and the exact polynomials that they stand for."""

from __future__ import annotations

import numpy as np

from fractal.exactly import Complex, along, rational
from mandeldask.fractal.escape.perturbation import block_model as bm
from mandeldask.fractal.escape.perturbation.block_step import STEP_SIZE

A = [(bm.A1X, bm.A1Y), (bm.A2X, bm.A2Y), (bm.A3X, bm.A3Y), (bm.A4X, bm.A4Y), (bm.A5X, bm.A5Y)]
LOW = bm.L1X - bm.A1X
DC = 2.0**-12


def models(rng, degrees, middle=1.0):
    """Return lanes with random coefficients up to the given degree, no error, and dc up to `DC` in a part."""
    w = np.zeros(STEP_SIZE)
    for i in range(bm.LANES):
        size = 2.0 ** -rng.uniform(2, 30)
        w[bm.X + i], w[bm.Y + i] = rng.normal(size=2) * middle
        w[bm.X_LOW + i], w[bm.Y_LOW + i] = w[bm.X + i] * 2.0**-54 * rng.uniform(-1, 1), w[bm.Y + i] * 2.0**-55
        w[bm.DCX + i], w[bm.DCY + i] = rng.uniform(-DC, DC, 2)
        w[bm.DCX_LOW + i], w[bm.DCY_LOW + i] = w[bm.DCX + i] * 2.0**-54 * rng.uniform(-1, 1), 0.0
        for k, (x, y) in enumerate(A[:degrees]):
            w[x + i], w[y + i] = rng.normal(size=2) * size * 0.5**k
            w[x + LOW + i], w[y + LOW + i] = w[x + i] * 2.0**-54 * rng.uniform(-1, 1), w[y + i] * 2.0**-54
        w[bm.SPREAD + i] = sum(abs(w[x + i]) + abs(w[y + i]) for x, y in A)
    return w


def middle(w, i, rows=(bm.X, bm.X_LOW, bm.Y, bm.Y_LOW)):
    x, x_low, y, y_low = rows
    return Complex.sum_of((w[x + i], w[y + i]), (w[x_low + i], w[y_low + i]))


def model(w, i, t):
    total = Complex(rational(0), rational(0))
    for x, y in reversed(A):
        total = (total + Complex.sum_of((w[x + i], w[y + i]), (w[x + LOW + i], w[y + LOW + i]))) * t
    return total + middle(w, i)


def ts(rng, count=2):
    for angle in rng.uniform(0, 2 * np.pi, count):
        yield along(np.exp(1j * angle), 1.0 if rng.random() < 0.5 else rng.random())
