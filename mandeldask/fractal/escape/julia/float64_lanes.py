"""Float64 orbits of one c in lockstep lanes: step and bound S as for the Mandelbrot set, with other starts.

A batch of steps runs unchecked. A lane that is certainly inside afterwards was inside all the time. A lane in a disc of
the trap never escapes. Any other lane repeats the batch alone, with a check after every step.
"""

from __future__ import annotations

from math import hypot, isnan, sqrt
from typing import TYPE_CHECKING, NamedTuple

from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.float64_step import GROWTH, ROUNDING, STEPS, is_undecided, iterate
from mandeldask.fractal.escape.arithmetic.jit import inlined, inner, kernel
from mandeldask.fractal.escape.fields import fields_at, smooth_at

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mandeldask.fractal.escape.arithmetic.array_types import Bools, Counts, Flag, Floats, Ints

LANES = 128
"""Pixels iterated at a time."""
_ROW = LANES + 8
X, Y, S, GX, GY, F = range(0, 6 * _ROW, _ROW)
"""2z, S, dz/d(pixel), and the bound F on its relative error."""
_OLD = 6 * _ROW
"""Their values before the batch."""
N, PIXEL = 12 * _ROW, 13 * _ROW
SIZE = 14 * _ROW

_FAR = 4.1**2
"""|2z|^2 beyond which z_0 is certainly outside, so that no step is necessary."""
_LEAST_S = ROUNDING
"""S of z_0, for an error of 2^-45."""
_LARGEST_TRAP_S = 2.0**-32
"""Largest S of a lane that is tested for the trap: an error of 2^-21."""
TRAP_SLACK: ErrorBound = 2.0**-18
"""Twice that error, as z is doubled, and more than the distance from a disc's middle is rounded by."""
_DISCS_CHECKED = 4
"""Approximate number of discs tested after a batch of steps."""
SLOPE_ROUNDING: ErrorBound = 2.0**-50
"""Bound on the relative rounding error of dz/d(pixel) in a step."""
_OUTWARD: ErrorBound = 1.0 + 2.0**-40
"""Factor above 1 that covers the rounding of a bound itself."""


class LaneStarts(NamedTuple):
    """Starts of the orbits, by pixel: within 2^-46."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    gx: NDArray[np.float64]
    """Real part of dz/d(pixel); empty where no derivative is wanted."""
    gy: NDArray[np.float64]
    f: NDArray[np.float64]
    """Bound on its relative error."""
    n: int
    """Iterations done."""


@kernel
def iterate_lanes(
    w: Floats, starts: LaneStarts, c: tuple[float, float], trap: Floats, maxiter: int, pixels: Ints, counts: Counts,
    smooths: Floats | None, distances: Floats | None, worst: tuple[float, float], proven: Bools, flag: Flag,
) -> None:  # fmt: skip
    """Write the proven results of `pixels`, and which are complete to `proven`; `trap` has rows x, y, radius."""
    active = following = block = 0
    stride = 1 + trap.shape[1] // _DISCS_CHECKED
    while not flag[0]:
        while active < LANES and following < pixels.size:
            active += _load(w, active, starts, c, following, pixels, counts, smooths, distances, worst, proven)
            following += 1
        if active == 0:
            break
        for i in range(_OLD):
            w[_OLD + i] = w[i]
        _advance(w, active, c, distances)
        looks, block = block % stride == 0, block + 1
        for i in range(active - 1, -1, -1):
            m = w[X + i] * w[X + i] + w[Y + i] * w[Y + i]
            going = (m < 16.0) & (not is_undecided(m, w[S + i])) & (w[N + i] + STEPS < maxiter)
            trapped = going and looks and trap.shape[1] > 0 and _is_trapped(w, i, trap)
            if going and not trapped:
                w[N + i] += STEPS
                continue
            k = int(w[PIXEL + i])
            if trapped:
                counts[pixels[k]], proven[k] = maxiter, True
            else:
                proven[k] = _finish(w, i, c, maxiter, pixels[k], counts, smooths, distances, worst)
            active -= 1
            for at in range(0, SIZE, _ROW):
                w[at + i] = w[at + active]


@inner
def _load(
    w: Floats, i: int, starts: LaneStarts, c: tuple[float, float], k: int, pixels: Ints, counts: Counts,
    smooths: Floats | None, distances: Floats | None, worst: tuple[float, float], proven: Bools,
) -> int:  # fmt: skip
    """Put a pixel into lane `i` and return 1; or answer it at once, if z_0 is outside, and return 0."""
    x, y = 2.0 * starts.x[k], 2.0 * starts.y[k]
    w[X + i], w[Y + i], w[S + i], w[N + i], w[PIXEL + i] = x, y, _LEAST_S, starts.n, k
    if distances is not None:
        w[GX + i], w[GY + i], w[F + i] = starts.gx[k], starts.gy[k], starts.f[k]
    if x * x + y * y <= _FAR:
        return 1
    counts[pixels[k]] = 0
    r = 2.0**-51 * hypot(x, y)
    proven[k] = _write_fields(w, i, x, y, r, 0, c, pixels[k], smooths, distances, worst)
    return 0


@inner
def _advance(w: Floats, active: int, c: tuple[float, float], derivative: Floats | None) -> None:
    """Advance lanes by STEPS iterations, unchecked."""
    cx, cy = 2.0 * c[0], 2.0 * c[1]
    for i in range(active):
        w[S + i] *= GROWTH
    for _ in range(STEPS):
        if derivative is not None:
            for i in range(active):
                w[GX + i], w[GY + i], w[F + i] = differentiate(
                    w[X + i], w[Y + i], w[S + i], w[GX + i], w[GY + i], w[F + i]
                )
        for i in range(active):
            w[X + i], w[Y + i], w[S + i] = iterate(w[X + i], w[Y + i], w[S + i], cx, cy)


@inlined
def differentiate(x: float, y: float, s: float, gx: float, gy: float, f: float) -> tuple[float, float, float]:
    """Return 2z times dz/d(pixel), the next one, and the bound on its relative error; z and S as in lanes."""
    e = sqrt(s / (x * x + y * y)) * (2.0**-4 * _OUTWARD)
    return x * gx - y * gy, x * gy + y * gx, ((1.0 + e) * f + e + SLOPE_ROUNDING) * _OUTWARD


@inner
def _is_trapped(w: Floats, i: int, trap: Floats) -> bool:
    """Whether lane `i` is certainly in a disc of the trap."""
    if not w[S + i] < _LARGEST_TRAP_S:
        return False
    for k in range(trap.shape[1]):
        dx, dy, radius = w[X + i] - 2.0 * trap[0, k], w[Y + i] - 2.0 * trap[1, k], 2.0 * trap[2, k] - TRAP_SLACK
        if radius > 0.0 and dx * dx + dy * dy < radius * radius:
            return True
    return False


@inner
def _finish(
    w: Floats, i: int, c: tuple[float, float], maxiter: int, pixel: int, counts: Counts, smooths: Floats | None,
    distances: Floats | None, worst: tuple[float, float],
) -> bool:  # fmt: skip
    """Repeat the batch for lane `i`, step by step; return whether all results are proven and written."""
    x, y, s, n, certain = w[_OLD + X + i], w[_OLD + Y + i], w[_OLD + S + i] * GROWTH, int(w[N + i]), True
    gx, gy, f = w[_OLD + GX + i], w[_OLD + GY + i], w[_OLD + F + i]
    for _ in range(STEPS):
        if distances is not None:
            gx, gy, f = differentiate(x, y, s, gx, gy, f)
        x, y, s = iterate(x, y, s, 2.0 * c[0], 2.0 * c[1])
        m, n = x * x + y * y, n + 1
        known = not is_undecided(m, s)
        if known and m > 16.0:
            if not certain:
                return False
            counts[pixel] = n - 1
            w[GX + i], w[GY + i], w[F + i] = gx, gy, f
            return _write_fields(w, i, x, y, sqrt(s) * 2.0**-4 * _OUTWARD, n, c, pixel, smooths, distances, worst)
        certain = known
        if n >= maxiter:
            counts[pixel] = maxiter
            return certain
    return False


@inner
def _write_fields(
    w: Floats, i: int, x: float, y: float, r: float, n: int, c: tuple[float, float], pixel: int,
    smooths: Floats | None, distances: Floats | None, worst: tuple[float, float],
) -> bool:  # fmt: skip
    """Write the wanted fields, from 2 z_n and a bound on its error, if they are proven; return whether they are."""
    if smooths is None and distances is None:
        return True
    x, y, r = 0.5 * x, 0.5 * y, 0.5 * r
    if distances is None:
        smooth = smooth_at(n, x, y, r, c[0], c[1], worst[0])
    else:
        gx, gy = w[GX + i], w[GY + i]
        q = w[F + i] * hypot(gx, gy) * _OUTWARD
        smooth, distance = fields_at(n, x, y, r, c[0], c[1], gx, gy, q, 0, 0.0, worst[0], worst[1])
        if not isnan(smooth):
            distances[pixel] = distance
    if smooths is not None and not isnan(smooth):
        smooths[pixel] = smooth
    return not isnan(smooth)
