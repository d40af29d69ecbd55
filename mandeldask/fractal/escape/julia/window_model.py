"""The first iterates of all pixels of a window, as one polynomial with integer coefficients.

A pixel is ``z_0 = center + 2^exponent t`` with |t| < 0.7072 and ``z_n = Z + p_1 t + ... + p_8 t^8 + e``. As c is the
same for all, the orbits of pixels at any depth separate until float64 distinguishes them. There the polynomial ends,
and each pixel has its own orbit.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any

from mandeldask.cancellation import current
from mandeldask.fractal.escape.arithmetic.whole_numbers import integer, scaled
from mandeldask.fractal.escape.limits import JULIA_WINDOW_EXPONENT
from mandeldask.fractal.rationals import Point, exponent_of

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Axis, Grid

DEGREE = 8
"""Terms of the polynomial."""
LARGEST_SUM = -8
"""log2 of the largest sum of their moduli: beyond it, each pixel continues with its own orbit."""
ERROR_BITS = 150
"""e is below 2^-ERROR_BITS where the polynomial ends."""
_COEFFICIENT_BITS = 200
"""Bits of the largest coefficient, to within 20."""
_Z_BITS = 256
"""Fractional bits of Z as a factor."""
_MODULUS_BITS = 60
"""Fractional bits of moduli."""
_STEP_ERROR = 32
"""Bound on the error that the truncation of a step and the error of c add to e, in units of a coefficient."""
_CANCEL_INTERVAL = 64
"""Steps between two checks of the cancellation flag."""


@dataclass(frozen=True, slots=True)
class WindowModel:
    """z_n at every pixel of a window, up to 2^-ERROR_BITS."""

    n: int
    center: Point
    exponent: int
    """log2 of the unit of t."""
    z: tuple[int, int]
    """Z in units of 2^-bits."""
    bits: int
    terms: tuple[tuple[int, int], ...]
    """p_1, p_2, ... in units of 2^-unit."""
    unit: int
    error: int
    """Bound on |e| for |t| <= 1, in units of 2^-unit."""
    stays: bool
    """Whether no pixel escapes up to the cap."""

    @property
    def height(self) -> int:
        """log2 of the largest part of a term, rounded up."""
        return max(abs(part).bit_length() for term in self.terms for part in term) - self.unit


def window_model(grid: Grid, c: Point, maxiter: int, trap: NDArray[Any]) -> WindowModel:
    """Return the polynomial of `grid` for as many iterates as possible, none for windows that are not deep.

    Raises
    ------
    mandeldask.cancellation.Cancelled
        If the computation was cancelled.
    """
    center = Point(grid.re.middle, grid.im.middle)
    height, width = (abs(axis.step) * max(1, axis.size - 1) for axis in (grid.im, grid.re))
    exponent = exponent_of((height + width) * 3 / 4)  # L1 in place of L2, and a third less than 2^exponent
    bits = _COEFFICIENT_BITS + 56 + max(0, -exponent)
    polynomial = _Polynomial(center, c, bits, exponent, trap)
    cancellation = current()
    while exponent < JULIA_WINDOW_EXPONENT and polynomial.n < maxiter and not polynomial.stays and polynomial.step():
        if polynomial.n % _CANCEL_INTERVAL == 0:
            cancellation.check()
    parts = int(polynomial.z[0]), int(polynomial.z[1])
    terms = tuple((int(x), int(y)) for x, y in polynomial.terms)
    stays = polynomial.stays or (polynomial.n >= maxiter and exponent < JULIA_WINDOW_EXPONENT)
    return WindowModel(
        polynomial.n, center, exponent, parts, bits, terms, polynomial.unit, int(polynomial.error), stays
    )


def fixed_position(axis: Axis, pixel: int, middle: Fraction, exponent: int, bits: int) -> int:
    """Return t along one axis in units of 2^-bits, rounded down."""
    shift = bits - exponent
    offset = axis[pixel] - middle
    return (offset.numerator << max(0, shift)) // (offset.denominator << max(0, -shift))


def value_at(model: WindowModel, t: tuple[int, int], t_bits: int, bits: int) -> tuple[int, int]:
    """Return z_n at t, given in units of 2^-t_bits, in units of 2^-bits, within 2 units and 24 of a coefficient."""
    (tx, ty), (x, y) = t, (0, 0)
    for px, py in reversed(model.terms):
        x, y = x + px, y + py
        x, y = (x * tx - y * ty) >> t_bits, (x * ty + y * tx) >> t_bits
    down, up = model.unit - bits, model.bits - bits
    moved = (x >> down, y >> down) if down >= 0 else (x << -down, y << -down)
    start = tuple(part >> up if up >= 0 else part << -up for part in model.z)
    return moved[0] + start[0], moved[1] + start[1]


class _Polynomial:
    """The polynomial of a window, which is iterated step by step."""

    def __init__(self, center: Point, c: Point, bits: int, exponent: int, trap: NDArray[Any]) -> None:
        self.n, self.bits, self.unit, self.stays = 0, bits, _COEFFICIENT_BITS - exponent, False
        self.z = (integer(scaled(center.re, bits)), integer(scaled(center.im, bits)))
        self.c = (integer(scaled(c.re, bits)), integer(scaled(c.im, bits)))
        self.terms = [(integer(1) << _COEFFICIENT_BITS, integer(0))]
        self.error = integer(_STEP_ERROR)
        self.trap = trap

    def step(self) -> bool:
        """Advance to the next iterate; return False and change nothing if the polynomial is not accurate there."""
        sizes = [abs(x) + abs(y) for x, y in self.terms]
        modulus, radius = self._modulus(), self._as_modulus(sum(sizes))
        growth = 2 * (modulus + radius) + self._as_modulus(self.error)
        squares, dropped = self._squares(sizes)
        lost = _STEP_ERROR + (_STEP_ERROR << max(0, self.unit - self.bits))
        error = (growth * self.error >> _MODULUS_BITS) + dropped + lost + 1
        before = self.z, self.terms, self.error, self.unit
        self.terms = self._linear(squares)
        (x, y), (cx, cy) = self.z, self.c
        self.z = ((x - y) * (x + y) >> self.bits) + cx, (x * y >> (self.bits - 1)) + cy
        self.error = error
        self._rescale()
        if self._is_accurate():
            self.n += 1
            return True
        self.z, self.terms, self.error, self.unit = before
        return False

    def _squares(self, sizes: list[Any]) -> tuple[list[tuple[Any, Any]], Any]:
        """Return the square of the polynomial without Z, and a bound on its terms beyond `DEGREE`."""
        count = len(sizes)
        if 2 * sum(sizes).bit_length() <= self.unit:
            return [], integer(1)
        squares = [(integer(0), integer(0))] * min(DEGREE, 2 * count)
        dropped = integer(0)
        for i in range(count):
            for j in range(i, count):
                twice = 1 if i != j else 0
                if i + j + 2 > DEGREE:
                    dropped += sizes[i] * sizes[j] << twice
                    continue
                (a, b), (u, v), (x, y) = self.terms[i], self.terms[j], squares[i + j + 1]
                squares[i + j + 1] = x + ((a * u - b * v) << twice), y + ((a * v + b * u) << twice)
        return [(x >> self.unit, y >> self.unit) for x, y in squares], (dropped >> self.unit) + 1

    def _linear(self, squares: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
        """Return 2 Z p plus the squares."""
        down = self.bits - _Z_BITS
        zx, zy = self.z[0] >> down, self.z[1] >> down
        terms = list(squares) + [(integer(0), integer(0))] * (len(self.terms) - len(squares))
        for k, (x, y) in enumerate(self.terms):
            more = (zx * x - zy * y) >> (_Z_BITS - 1), (zx * y + zy * x) >> (_Z_BITS - 1)
            terms[k] = terms[k][0] + more[0], terms[k][1] + more[1]
        return terms

    def _rescale(self) -> None:
        """Round coefficients so that the largest has about `_COEFFICIENT_BITS`."""
        length = max(max(abs(x), abs(y)).bit_length() for x, y in self.terms)
        shift = length - _COEFFICIENT_BITS
        if shift > 20:
            self.terms = [(x >> shift, y >> shift) for x, y in self.terms]
            self.error = (self.error >> shift) + 2 * DEGREE + 1
            self.unit -= shift
        elif shift < -20 and length:
            self.terms = [(x << -shift, y << -shift) for x, y in self.terms]
            self.error <<= -shift
            self.unit -= shift

    def _is_accurate(self) -> bool:
        """Whether e and the terms are small, and all pixels are surely inside; sets `stays`."""
        radius = self._as_modulus(sum(abs(x) + abs(y) for x, y in self.terms)) + self._as_modulus(self.error)
        small = radius >> (_MODULUS_BITS + LARGEST_SUM) == 0 and self.error >> max(0, self.unit - ERROR_BITS) == 0
        if not (small and self._modulus() + radius < 2 << _MODULUS_BITS):
            return False
        if self.trap.shape[1]:
            self.stays = self._is_trapped(float(radius) * 2.0**-_MODULUS_BITS)
        return True

    def _is_trapped(self, radius: float) -> bool:
        x, y = (float(part >> (self.bits - _MODULUS_BITS)) * 2.0**-_MODULUS_BITS for part in self.z)
        discs = self.trap
        return bool((((discs[0] - x) ** 2 + (discs[1] - y) ** 2) ** 0.5 + radius < discs[2] - 2.0**-40).any())

    def _modulus(self) -> Any:
        """Return an upper bound on |Z|, in units of 2^-_MODULUS_BITS."""
        x, y = (abs(part) >> (self.bits - _MODULUS_BITS) for part in self.z)
        return integer(isqrt(int((x + 1) ** 2 + (y + 1) ** 2)) + 1)

    def _as_modulus(self, value: Any) -> Any:
        """Return a coefficient in units of 2^-_MODULUS_BITS, rounded up."""
        down = self.unit - _MODULUS_BITS
        return (value >> down) + 1 if down >= 0 else value << -down
