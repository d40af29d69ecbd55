"""Complex numbers of any magnitude, for sizes and shapes: a value in float64, and a separate exponent."""

from __future__ import annotations

from fractions import Fraction
from math import frexp, ldexp
from typing import NamedTuple


class Scaled(NamedTuple):
    """The number ``value * 2**exponent``."""

    value: complex
    """The value: 0, or a number with a modulus of about 1."""
    exponent: int = 0
    """Power of two."""

    def times(self, other: Scaled) -> Scaled:
        """Return the product."""
        return scaled(self.value * other.value, self.exponent + other.exponent)

    def plus(self, other: Scaled) -> Scaled:
        """Return the sum."""
        if not self.value or not other.value:
            return self if self.value else other
        low, high = sorted((self, other), key=lambda each: each.exponent)
        shift = low.exponent - high.exponent
        small = low.value * ldexp(1.0, shift) if shift > -1000 else 0j  # noqa: PLR2004  below float64
        return scaled(high.value + small, high.exponent)

    def over(self, other: Scaled) -> Scaled:
        """Return the quotient."""
        return scaled(self.value / other.value, self.exponent - other.exponent)

    def modulus(self) -> Fraction:
        """Return the modulus, to float64's precision."""
        return Fraction(abs(self.value)) * Fraction(2) ** self.exponent


def scaled(value: complex, exponent: int = 0) -> Scaled:
    """Return ``value * 2**exponent`` with a value of about 1."""
    shift = frexp(max(abs(value.real), abs(value.imag)))[1]
    return Scaled(complex(ldexp(value.real, -shift), ldexp(value.imag, -shift)), exponent + shift)


ZERO, ONE, TWO = Scaled(0j), scaled(1 + 0j), scaled(2 + 0j)
