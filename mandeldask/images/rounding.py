"""Quotients of sums by counts, each rounded once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def shifted(sums: NDArray[Any], bits: int) -> NDArray[Any]:
    """Return whole numbers divided by 2**`bits`, rounded to the nearest one, half to even.

    Their type must be able to represent 2**`bits` times the largest quotient, plus 2**(`bits` - 1).

    Examples
    --------
    >>> shifted(np.array([-6, -2, 2, 5, 6, 7]), 2)
    array([-2,  0,  0,  1,  2,  2])
    """
    if not bits:
        return sums
    one = sums.dtype.type(1)
    found: NDArray[Any] = sums >> sums.dtype.type(bits)
    found &= one
    found += sums
    found += sums.dtype.type((1 << (bits - 1)) - 1)
    found >>= sums.dtype.type(bits)
    return found


def rounded(quotient: NDArray[Any], rest: NDArray[Any], divisor: NDArray[Any]) -> NDArray[Any]:
    """Return quotients of whole numbers rounded to the nearest one, half to even."""
    twice = 2 * rest
    up = (twice > divisor) | ((twice == divisor) & (quotient & 1).astype(bool))
    return np.asarray(quotient + up)


def divided(sums: NDArray[np.float64], errors: NDArray[np.float64], counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return quotients of sums that are pairs of float64; the error is slightly above half a unit in the last place.

    The first quotient is corrected by the remainder (Dekker's product of two float64 is exact).
    """
    divisor = counts.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        quotient = (sums + errors) / divisor
        high = _high(quotient)
        product = quotient * divisor
        lost = (high * divisor - product) + (quotient - high) * divisor  # counts have 30 bits, halves 26
        rest = ((sums - product) - lost) + errors
        better = quotient + rest / divisor
    return np.where(np.isfinite(better), better, quotient)


def _high(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the upper bits of significands, whose products with counts are exact."""
    return (values.view(np.int64) & ~np.int64(2**31 - 1)).view(np.float64)
