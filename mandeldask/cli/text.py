"""Text for numbers that are too large or too small for floats."""

from __future__ import annotations

from decimal import MAX_EMAX, MIN_EMIN, Decimal, localcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")


def pixels(size: int) -> str:
    """Return a number of pixels as digits, or a large power of two as ``2^n``.

    Examples
    --------
    >>> pixels(1024), pixels(2**59)
    ('1024', '2^59')
    """
    exponent = size.bit_length() - 1
    return f"2^{exponent}" if exponent > 16 and size == 1 << exponent else str(size)  # noqa: PLR2004  five digits


def scientific(value: Fraction) -> str:
    """Return four significant digits of a number of any size.

    Examples
    --------
    >>> from fractions import Fraction
    >>> scientific(Fraction(5, 2**59)), scientific(Fraction(1, 10**400)), scientific(Fraction(5, 1024))
    ('8.674e-18', '1e-400', '0.004883')
    """
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 40, MIN_EMIN, MAX_EMAX
        quotient = _leading(value.numerator) / _leading(value.denominator)
        context.prec = 4
        return f"{quotient.normalize():g}"


def _leading(value: int) -> Decimal:
    """Return `value` from its first 128 bits: Decimal would take 16 s for a million digits."""
    excess = max(0, value.bit_length() - 128)
    return Decimal(value >> excess) * Decimal(2) ** excess


def in_bytes(count: int) -> str:
    """Return a number of bytes in a binary unit, or as a power of ten beyond the largest unit.

    Examples
    --------
    >>> in_bytes(2**20), in_bytes(3 * 2**29), in_bytes(2**118)
    ('1.0 MiB', '1.5 GiB', '3.3e+35 B')
    """
    unit = max(0, count.bit_length() - 1) // 10
    if unit >= len(_UNITS):
        return f"{count:.1e} B"
    return f"{count / (1 << 10 * unit):.1f} {_UNITS[unit]}" if unit else f"{count} B"
