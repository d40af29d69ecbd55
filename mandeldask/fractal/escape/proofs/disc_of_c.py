"""Proofs for all c in one disc: a common count, or an attracting cycle of a common period."""

from __future__ import annotations

from mandeldask.fractal.escape.arithmetic.ball import OUTWARD, certainly_in, certainly_out, modulus_of
from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import inner
from mandeldask.fractal.escape.proofs.attracting_cycle import attracting_period

FAILED, TOO_LARGE, SPLIT, PROVEN = range(4)
"""Verdicts on a disc. TOO_LARGE: a smaller disc may be proven; SPLIT: a smaller disc in its middle can be proven."""

MOST_STEPS_TO_CYCLE = 1024
"""Iterates after which a middle without escape or cycle gives FAILED. Most cycles of period 100 are found before."""

_MOST_STEPS = 1 << 16
"""Most iterates of one disc: below 1 ms, since the cancellation flag is checked only between discs."""

_ROUNDING: ErrorBound = 2.0**-46
"""Bound on the rounding error of z and b in one step, for |z|, |c| <= 2.5 and |b|, rho <= 2: 68.1 units of 2^-53."""

_FIRST_WINDOW = 8


@inner
def classify(cx: float, cy: float, rho: float, probe: float, maxiter: int) -> tuple[int, int, int, int, float, float]:
    """Return the verdict on the disc of c, its count, its period (0 if not proven), the steps taken, and the last z.

    `probe` is the radius of the smallest disc for which a split pays; with 0, the search stops when the disc itself is
    too large. The iterates are divided into windows of doubling length. In each, the nearest return to the first
    iterate is tried as a cycle if the orbit contracts until then.
    """
    x, y, bx, by, errors = cx, cy, rho, 0.0, (0.0, 0.0)
    share, whole, n, window = probe / rho, True, 1, _FIRST_WINDOW
    longest = min(maxiter, _MOST_STEPS)
    while True:
        end = min(window, (longest if whole else min(longest, MOST_STEPS_TO_CYCLE)) + 1)
        x, y, bx, by, errors, n, candidate = _iterate_disc(x, y, bx, by, errors, cx, cy, rho, share, whole, n, end)
        if n > longest:
            return (PROVEN if whole and longest == maxiter else FAILED), maxiter, 0, longest, x, y
        if n < window or (n > MOST_STEPS_TO_CYCLE and not whole):
            modulus, spread = modulus_of(x, y), modulus_of(bx, by)
            if whole:
                if certainly_out(modulus, spread + errors[0]):
                    return PROVEN, n - 1, 0, n, x, y
                if probe == 0.0:
                    return TOO_LARGE, maxiter, 0, n, x, y
                whole = False
            else:
                return (SPLIT if certainly_out(modulus, share * spread + errors[1]) else FAILED), n - 1, 0, n, x, y
        else:
            for size in (rho, probe):
                period = attracting_period(cx, cy, size, x, y, candidate) if 0 < candidate <= MOST_STEPS_TO_CYCLE else 0
                if period:
                    return (PROVEN if size == rho else SPLIT), maxiter, period, n, x, y
                if whole:
                    break
            window *= 2


@inner
def _iterate_disc(
    x: float, y: float, bx: float, by: float, errors: tuple[float, float], cx: float, cy: float, rho: float,
    share: float, whole: bool, n: int, end: int,
) -> tuple[float, float, float, float, tuple[float, float], int, int]:  # fmt: skip
    """Iterate a disc until `end`, or until it (its `share`, if not `whole`) is not certainly within |z| <= 2.

    The iterates of all c = cx + i cy + rho t, |t| <= 1, are ``x + i y + (bx + i by) t`` up to the first error; up to
    the second where |t| is at most `share`. Returns all that changed, and how long after the start the orbit came
    nearest to it, 0 if it had not contracted.
    """
    error, small_error = errors
    x0, y0, start, slope, nearest, candidate = x, y, n, 1.0, 1e300, 0
    while n < end:
        modulus, spread = modulus_of(x, y), modulus_of(bx, by)
        if not certainly_in(modulus, spread + error if whole else share * spread + small_error):
            break
        error = _next_error(modulus, spread, error)
        small_error = _next_error(modulus, share * spread, small_error)
        bx, by = 2.0 * (x * bx - y * by) + rho, 2.0 * (x * by + y * bx)
        x, y = x * x - y * y + cx, 2.0 * x * y + cy
        n += 1
        slope *= 2.0 * modulus
        distance = abs(x - x0) + abs(y - y0)
        if distance < nearest:
            nearest = distance
            candidate = n - start if slope < 1.0 else 0
    return x, y, bx, by, (error, small_error), n, candidate


@inner
def _next_error(modulus: float, spread: float, error: float) -> float:
    """Return the error after one step from z + b t, where |z| is at most `modulus` and |b t| at most `spread`."""
    reach = spread + error
    return (reach * reach + 2.0 * modulus * error + _ROUNDING) * OUTWARD
