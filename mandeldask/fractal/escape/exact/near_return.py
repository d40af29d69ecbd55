"""Near returns: an orbit that comes close to 0 repeats its beginning, up to a bound that float64 can follow.

So the bits of an orbit need not last longer than a period of a minibrot near the pixel: Lemma 31.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mandeldask.fractal.escape.arithmetic.jit import inner
from mandeldask.fractal.escape.arithmetic.power_of_two import power

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Floats

RETURN_RATIO = 2.0**-8
"""Share of the |z| of the last return below which another is tried: so there are few, each as long as `maxiter`."""
MOST_KEPT = 1 << 22
"""Iterates whose moduli are kept."""

_OUTWARD = 1.0 + 2.0**-40
"""Factor above 1 that covers the rounding of a bound itself."""
_LEAST = 2.0**-400
"""Replaces smaller moduli, so that a bound does not underflow."""
_RENORM = 500
"""Powers of two by which a bound is rescaled before it leaves the range of float64."""


@inner
def last_inside(moduli: Floats, n: int, modulus: float, exponent: int, maxiter: int) -> int:
    """Return the last iterate up to `maxiter` that is proven inside by |z_n| <= modulus 2^exponent; at least n.

    ``moduli[k]`` is at least |z_k|, for k up to n; bounds on the moduli of later iterates are added to it.
    """
    size = math.frexp(modulus)[1]
    difference, exponent = (modulus * power(-size)) ** 2 * _OUTWARD, 2 * (exponent + size)  # |z_{n+1} - z_1| = |z_n|^2
    for k in range(1, min(maxiter - n, moduli.size - 1) + 1):
        added = max(difference * power(exponent), 2.0**-_RENORM)
        bound = (moduli[k] + added) * _OUTWARD
        if not bound <= 2.0:
            return n + k - 1
        if n + k < moduli.size:
            moduli[n + k] = bound
        difference *= (2.0 * max(moduli[k], _LEAST) + added) * _OUTWARD
        if difference > 2.0**_RENORM:
            difference, exponent = difference * 2.0**-_RENORM, exponent + _RENORM
        elif difference < 2.0**-_RENORM:
            difference, exponent = difference * 2.0**_RENORM, exponent - _RENORM
    return min(maxiter, n + moduli.size - 1)
