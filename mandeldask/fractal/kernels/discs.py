"""What can be proven of all c in one disc: a common count, or an attracting cycle of a common period."""

from __future__ import annotations

from mandeldask.fractal.kernels.balls import certainly_in, certainly_out, modulus_of, widened
from mandeldask.fractal.kernels.compiled import inner
from mandeldask.fractal.kernels.cycles import attracting_period

FAILED, BROKEN, SPLIT, PROVEN = range(4)
"""Verdicts on a disc. BROKEN: too large; SPLIT: too large, but a smaller one in its middle can be answered."""

PATIENCE = 1024
"""Iterates after which a middle without escape or cycle says FAILED. Most cycles of period 100 show before."""

_LONGEST = 1 << 16
"""Iterates of one ball at most: below 1 ms, between two looks at the cancellation flag."""


_FIRST_WINDOW = 8


@inner
def judge(cx: float, cy: float, rho: float, probe: float, maxiter: int) -> tuple[int, int, int, int, float, float]:
    """Return the verdict on the disc of c, its count, its period (0 if not proven), the steps taken, and the last z.

    `probe` is the radius of the smallest disc worth a split, 0 to stop where the disc itself breaks. In windows of
    doubling length, the nearest return to a window's first iterate is tried as a cycle if the orbit contracts until
    then.
    """
    x, y, radius, small, whole = cx, cy, rho, probe, True
    x0, y0, start, slope, nearest, candidate = x, y, 1, 1.0, 1e300, 0
    longest = min(maxiter, _LONGEST)
    for n in range(1, longest + 1):
        modulus = modulus_of(x, y)
        if whole and not certainly_in(modulus, radius):
            if certainly_out(modulus, radius):
                return PROVEN, n - 1, 0, n, x, y
            if probe == 0.0:
                return BROKEN, maxiter, 0, n, x, y
            whole = False
        if not whole and (n > PATIENCE or not certainly_in(modulus, small)):
            return (SPLIT if certainly_out(modulus, small) else FAILED), n - 1, 0, n, x, y
        if n == max(_FIRST_WINDOW, 2 * start):
            for size in (rho, probe):
                period = attracting_period(cx, cy, size, x, y, candidate) if candidate else 0
                if period:
                    return (PROVEN if size == rho else SPLIT), maxiter, period, n, x, y
                if whole:
                    break
            x0, y0, start, slope, nearest, candidate = x, y, n, 1.0, 1e300, 0
        x, y = x * x - y * y + cx, 2.0 * x * y + cy
        radius = widened(modulus, radius, rho)
        small = widened(modulus, small, probe)
        slope *= 2.0 * modulus
        distance = abs(x - x0) + abs(y - y0)
        if distance < nearest:
            nearest = distance
            candidate = n + 1 - start if slope < 1.0 else 0
    return (PROVEN if whole and longest == maxiter else FAILED), maxiter, 0, longest, x, y
