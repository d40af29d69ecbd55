"""Complex balls in fixed point: a centre and a radius in units of 2^-bits, as integers of any size.

Every operation returns a ball that contains the results for all points of its arguments.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from mandeldask.fractal.escape.arithmetic.whole_numbers import integer

if TYPE_CHECKING:
    from fractions import Fraction

    from mandeldask.fractal.rationals import Point

_ROUNDING = 2
"""Greatest error, in units, of rounding down both parts of a product."""


class Ball(NamedTuple):
    """All points within `radius` of ``x + iy``."""

    x: Any
    """Real part of the centre."""
    y: Any
    """Imaginary part of the centre."""
    radius: Any
    """Greatest distance from the centre."""

    @property
    def farthest(self) -> Any:
        """Return an upper bound of the modulus of all points."""
        return isqrt(int(self.x * self.x + self.y * self.y)) + 1 + self.radius

    @property
    def nearest(self) -> Any:
        """Return a lower bound of the modulus of all points; 0 if 0 may be in the ball."""
        return max(0, isqrt(int(self.x * self.x + self.y * self.y)) - self.radius)

    def plus(self, other: Ball) -> Ball:
        """Return the sum."""
        return Ball(self.x + other.x, self.y + other.y, self.radius + other.radius)

    def times(self, other: Ball, bits: int) -> Ball:
        """Return the product."""
        x, y = self.x * other.x - self.y * other.y, self.x * other.y + self.y * other.x
        error = self.farthest * other.radius + other.farthest * self.radius
        return Ball(x >> bits, y >> bits, (error >> bits) + 1 + _ROUNDING)

    def squared(self, bits: int) -> Ball:
        """Return the square."""
        x, y = (self.x - self.y) * (self.x + self.y), self.x * self.y
        error = (2 * self.farthest + self.radius) * self.radius
        return Ball(x >> bits, y >> (bits - 1), (error >> bits) + 1 + _ROUNDING)

    def doubled(self) -> Ball:
        """Return twice the ball."""
        return Ball(2 * self.x, 2 * self.y, 2 * self.radius)


def ball_of(point: Point, bits: int, radius: Fraction | int = 0) -> Ball:
    """Return a ball around an exact point; `radius` is in plane units."""
    x, y = (integer((part.numerator << bits) // part.denominator) for part in point)
    around = -((-radius.numerator << bits) // radius.denominator)
    return Ball(x, y, integer(around + _ROUNDING))


def number(value: int, bits: int) -> Ball:
    """Return the ball of an integer."""
    return Ball(integer(value << bits), integer(0), integer(0))
