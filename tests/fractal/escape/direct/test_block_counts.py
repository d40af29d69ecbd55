"""Counts that a block's polynomial gives: how far a pixel may be from it, against exact rationals (Lemma 9)."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from fractal.exactly import Complex, exact, rational
from mandeldask.fractal.escape.arithmetic import taylor_model as tm
from mandeldask.fractal.escape.direct import block_counts as bc

evaluate, slope, bend, norm = (numba.njit(f) for f in (tm.evaluate, tm.slope, tm.second_derivative_bound, tm._norm))


@pytest.mark.parametrize("degrees", [0, 1, 8])
def test_a_pixel_is_within_what_a_part_allows(degrees):
    """Linear around the middle of its part, as `look` goes on from there."""
    rng = np.random.default_rng(degrees)
    for _ in range(400):
        size = 2.0 ** -rng.uniform(0, 8)
        re, im = (rng.uniform(-1, 1, 9) * size ** np.arange(9) for _ in range(2))
        re[degrees + 1 :] = im[degrees + 1 :] = 0.0
        b = (*re, *im)
        spread = sum(norm(x, y) for x, y in zip(re[1:], im[1:], strict=True))
        tx, ty = rng.uniform(-0.4, 0.4, 2)
        ax, ay = rng.uniform(-0.08, 0.08, 2)
        x, y = evaluate(b, tx, ty)
        dx, dy = slope(b, tx, ty)
        px, py = x + (dx * ax - dy * ay), y + (dx * ay + dy * ax)
        t, total = Complex.of(tx, ty) + Complex.of(ax, ay), Complex(rational(0), rational(0))
        for k in range(8, -1, -1):
            total = total * t + Complex.of(re[k], im[k])
        delta = np.hypot(ax, ay) * (1 + 2.0**-40)
        bound = bc._ROUNDING * (spread + 1.0) + 0.5 * bend(b, bc._TAU) * delta * delta
        assert (total - Complex.of(px, py)).square() <= exact(bound) ** 2
