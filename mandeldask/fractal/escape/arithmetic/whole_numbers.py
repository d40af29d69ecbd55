"""Products and quotients of integers of any length, in pieces, so that other threads wait less than 5 ms.

An operation on Python's integers holds the GIL and cannot be cancelled until it is done. Here every piece is short, and
the cancellation flag is checked between pieces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mandeldask.cancellation import current

if TYPE_CHECKING:
    from fractions import Fraction

integer: Any = int
"""The type of long whole numbers: GMP's where gmpy2 is installed, 4 to 7 times faster past a thousand bits."""
try:
    from gmpy2 import mpz
except ImportError:  # pragma: no cover  the environment of the tests has it
    pass
else:
    integer = mpz

_PIECE_BITS = 1 << (16 if integer is int else 18)
"""Bits of the factors that are multiplied in one operation: about a millisecond."""

_QUOTIENT_AREA = 1 << 30
"""Bits of the divisor times bits of the quotient of one division: about a millisecond in Python."""

_SPARE_BITS = 64
"""Bits of a denominator that are used beyond those of the quotient."""


def product(a: Any, b: Any) -> Any:
    """Return ``a * b``, for integers of Python or GMP.

    Raises
    ------
    mandeldask.cancellation.Cancelled
        If the computation was cancelled.

    Examples
    --------
    >>> product(-(3**100_000), 5**100_000) == -(15**100_000)
    True
    """
    if min(a.bit_length(), b.bit_length()) <= _PIECE_BITS:
        return _by_pieces(a, b) if max(a.bit_length(), b.bit_length()) > 8 * _PIECE_BITS else a * b
    sign = -1 if (a < 0) != (b < 0) else 1
    return sign * _multiplied(abs(a), abs(b))


def quotient(a: int, b: int) -> int:
    """Return ``a // b`` of integers, `b` above 0.

    Raises
    ------
    mandeldask.cancellation.Cancelled
        If the computation was cancelled.

    Examples
    --------
    >>> quotient(-(10**20_000), 3**9_000) == -(10**20_000) // 3**9_000
    True
    """
    length = b.bit_length()
    step = max(1 << 10, _QUOTIENT_AREA // (length + 1))
    if a.bit_length() - length <= step:
        return a // b
    cancellation, shift = current(), (a.bit_length() - length) // step * step
    digits, rest = divmod(a >> shift, b)
    while shift:
        cancellation.check()
        shift -= step
        part, rest = divmod((rest << step) + (a >> shift & (1 << step) - 1), b)
        digits = (digits << step) + part
    return digits


class Quotient(NamedTuple):
    """A rational that is not reduced, as `Fraction` would at the cost of a greatest common divisor."""

    numerator: int
    denominator: int
    """Above 0."""


def scaled(value: Fraction | Quotient, bits: int) -> int:
    """Return `value` in units of 2^-bits, to less than two units: only the needed digits of long fractions are read.

    Examples
    --------
    >>> from fractions import Fraction
    >>> scaled(Fraction(-5, 2), 8), scaled(Fraction(10**3000, 3 * 10**3000), 8)
    (-640, 85)
    """
    numerator, denominator = value.numerator, value.denominator
    length = denominator.bit_length()
    excess = max(0, length - bits - _SPARE_BITS - max(0, numerator.bit_length() - length))
    return quotient((numerator >> excess) << bits, denominator >> excess)


def _multiplied(a: Any, b: Any) -> Any:
    """Return ``a * b`` of numbers that are not negative, by Karatsuba's three products of halves."""
    if min(a.bit_length(), b.bit_length()) <= _PIECE_BITS:
        return _by_pieces(a, b) if max(a.bit_length(), b.bit_length()) > 8 * _PIECE_BITS else a * b
    current().check()
    half = max(a.bit_length(), b.bit_length()) // 2
    mask = (1 << half) - 1
    a_low, a_high, b_low, b_high = a & mask, a >> half, b & mask, b >> half
    low, high = _multiplied(a_low, b_low), _multiplied(a_high, b_high)
    middle = _multiplied(a_low + a_high, b_low + b_high) - low - high
    return (high << 2 * half) + (middle << half) + low


def _by_pieces(a: Any, b: Any) -> Any:
    """Return ``a * b`` of a long and a short number, the long one cut into pieces."""
    long, short = (a, b) if a.bit_length() > b.bit_length() else (b, a)
    cancellation, magnitude, total = current(), abs(long), 0
    for shift in range((magnitude.bit_length() - 1) // _PIECE_BITS * _PIECE_BITS, -1, -_PIECE_BITS):
        cancellation.check()
        total = (total << _PIECE_BITS) + (magnitude >> shift & (1 << _PIECE_BITS) - 1) * short
    return -total if long < 0 else total
