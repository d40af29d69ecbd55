"""The last stage: the exact escape count of one point, in fixed point with as many bits as necessary.

A complex number is kept as ``(x, y)`` in units of 2^-p with a bound ``e`` (same units) on ``|z_kept - z_exact|``.
If a comparison with 2 stays open, the orbit is computed again with more bits: compiled up to
`limb_orbit.MOST_BITS` of them, in integers of Python or GMP beyond.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt, log2
from typing import TYPE_CHECKING, Any, NamedTuple

from mandeldask.cancellation import current
from mandeldask.fractal.escape.arithmetic.whole_numbers import Quotient, integer, product, scaled
from mandeldask.fractal.escape.exact.limb_orbit import LEAST_SLOPE, MOST_BITS, OrbitResult, Slope, decide_orbit
from mandeldask.fractal.escape.exact.ties import is_proven_tie
from mandeldask.fractal.escape.proofs.closed_form import known_period
from mandeldask.fractal.rationals import Point

if TYPE_CHECKING:
    from collections.abc import Callable

FEWEST_BITS = 192
"""Fractional bits to begin with, if no more are known to be needed: earlier stages have 159."""

_WORD = 64

_INTEGERS_INSIDE = 13
"""Number of Gaussian integers with |z| <= 2: an orbit of them that stays longer repeats itself."""

_NEAR = 4
"""Largest |re c| or |im c| for compiled orbits."""

_BITS_PER_CHECK = 1 << 15
"""Approximate number of bits processed between two checks of the cancellation flag: below 2 ms."""

_FAR_OUT_BITS = 24
"""As `fields.FAR_OUT`: |z|^2 > 2^24 (1 + |c|^2)."""
_FIELD_BITS = 20
"""Bits of z and dz/dc from which fields are computed."""


_ORIGIN = Point(Fraction(0), Fraction(0))


class Orbit(NamedTuple):
    """z_0, z_1 = z_0^2 + c, ...; a pixel is its c, or its z_0."""

    start: Point
    """z_0: exact, as c is."""
    c: Point
    by_c: bool = True
    """Whether the pixel is c, so that dz_n/d(pixel) is dz_n/dc; otherwise it is dz_n/dz_0."""

    @property
    def pixel(self) -> Point:
        """Which of its numbers the pixel is."""
        return self.c if self.by_c else self.start

    def first(self) -> tuple[Fraction | Quotient, Fraction | Quotient]:
        """Return real and imaginary part of z_1."""
        if self.start == _ORIGIN:
            return self.c
        (x, y), (c_x, c_y) = self.start, self.c
        below, a, b = x.denominator, x.numerator, y.numerator
        if below != y.denominator:
            below, a, b = product(below, y.denominator), product(a, y.denominator), product(b, below)
        square = product(below, below)
        return (
            _sum(Quotient(product(a - b, a + b), square), c_x),
            _sum(Quotient(2 * product(a, b), square), c_y),
        )

    @property
    def slope(self) -> Slope:
        """The start of the derivative."""
        return Slope() if self.by_c else Slope(2.0 * float(self.start.re), 2.0 * float(self.start.im), 0.0)


def escape_count(c: Point, maxiter: int) -> int:
    """Return the number of iterates z_1, z_2, ... of z^2 + c up to the first with |z| > 2, at most `maxiter`.

    Parameters
    ----------
    c : Point
        Exact rational point.
    maxiter : int
        The cap.

    Raises
    ------
    mandeldask.cancellation.Cancelled
        If the computation was cancelled.

    Examples
    --------
    >>> from mandeldask.fractal.rationals import as_point
    >>> [escape_count(as_point(c), 100) for c in ("-2", "1", "1.2+1.6j", "-0.75+0.1j")]
    [100, 2, 1, 32]
    """
    count, _ = escape(c, maxiter, FEWEST_BITS, fields=False)
    return count


def escape(c: Point, maxiter: int, bits: int, *, fields: bool) -> tuple[int, tuple[int, float, float] | None]:
    """Return the escape count of `c`; with `fields`, if it escapes, also the data for its potential.

    Parameters
    ----------
    c : Point
        Exact rational point.
    maxiter : int
        The cap.
    bits : int
        Fractional bits that are likely to be needed.
    fields : bool
        Whether the orbit is followed far out: n, ``log2 |z_n|^2`` and ``log2 |dz_n/dc|^2`` of an iterate there.

    Raises
    ------
    mandeldask.cancellation.Cancelled
        If the computation was cancelled.
    """
    if known_period(c) is not None:  # chaotic real orbits lose a bit of precision in every iterate
        return maxiter, None
    if c.re.denominator == c.im.denominator == 1:
        count = _gaussian_integer_count(c, maxiter)
        if count == maxiter or not fields:
            return count, None
    return decided(Orbit(_ORIGIN, c), maxiter, bits, is_proven_tie, fields=fields)


def decided(
    orbit: Orbit, maxiter: int, bits: int, is_tie: Callable[[Point, int, int], bool], *, fields: bool
) -> tuple[int, tuple[int, float, float] | None]:
    """Return what `escape` returns for an orbit, with enough bits; ``is_tie(pixel, n, bits)`` proves ties."""
    inside, bits = 0, -(-bits // _WORD) * _WORD
    while True:
        result = _attempt(orbit, maxiter, bits, inside, fields)
        if result.count is not None:
            return result.count, result.potential
        if _may_be_a_tie(result, bits) and is_tie(orbit.pixel, result.undecided, bits):
            inside = result.undecided
        else:
            bits = _next_bits(bits)


def _gaussian_integer_count(c: Point, maxiter: int) -> int:
    """Return the escape count of a Gaussian integer: if it does not escape soon, it never does."""
    z = cx, cy = int(c.re), int(c.im)
    for n in range(_INTEGERS_INSIDE + 1):
        if z[0] * z[0] + z[1] * z[1] > 4:
            return min(n, maxiter)
        z = z[0] * z[0] - z[1] * z[1] + cx, 2 * z[0] * z[1] + cy
    return maxiter


def steps_between_checks(bits: int) -> int:
    """Return the number of iterations with `bits` fractional bits between two checks of the cancellation flag."""
    return _BITS_PER_CHECK // bits + 1


def _may_be_a_tie(result: OrbitResult, bits: int) -> bool:
    """Only a ball much smaller than the distances in question suggests a tie."""
    return result.undecided > 0 and result.error < -bits / 2


def _next_bits(bits: int) -> int:
    """Return the bits to try after `bits`: half as many more, or twice as many if orbits are not compiled."""
    return min(-(-bits * 3 // (2 * _WORD)) * _WORD, MOST_BITS) if bits < MOST_BITS else 2 * bits


def _attempt(orbit: Orbit, maxiter: int, bits: int, inside: int, fields: bool) -> OrbitResult:
    z_1 = orbit.first()
    near = all(abs(part.numerator) <= _NEAR * part.denominator for part in (*z_1, *orbit.c))
    if near and bits <= MOST_BITS:
        first, c = ((scaled(re, bits), scaled(im, bits)) for re, im in (z_1, orbit.c))
        slope = orbit.slope if fields else None
        return decide_orbit(first, c, bits, maxiter, inside, slope, from_zero=orbit.start == _ORIGIN)
    result = _count(orbit, maxiter, bits, inside) if near else OrbitResult(0, 0, 0.0, None)
    if not fields or result.count is None or result.count == maxiter:
        return result
    potential = _potential(orbit, bits)
    return OrbitResult(None if potential is None else result.count, 0, 0.0, potential)


def _count(orbit: Orbit, maxiter: int, bits: int, inside: int) -> OrbitResult:
    """Count with `bits` fractional bits, until they no longer decide."""
    (x, y), (cx, cy) = _parts(orbit.first(), bits), _parts(orbit.c, bits)
    four, error, modulus = 4 << bits, 4, 0
    cancellation, interval = current(), steps_between_checks(bits)
    for n in range(1, maxiter + 1):
        if n % interval == 0:
            cancellation.check()
        square_x, square_y = product(x, x), product(y, y)
        square = (square_x + square_y) >> bits  # too small by less than a unit
        modulus, low_error = isqrt(int(square >> (bits - _WORD))) + 1, int(error >> (bits - _WORD // 2)) + 1
        slack = (product(2 * modulus + low_error, error) >> (_WORD // 2)) + 2  # of units, as what follows
        if n > inside:
            if square - slack > four:
                return OrbitResult(n - 1, 0, 0.0, None)
            if square + slack > four:
                return OrbitResult(None, n, int(error).bit_length() - bits, None)
        x, y = ((square_x - square_y) >> bits) + cx, (product(x, y) >> (bits - 1)) + cy
        error = slack + 4
    return OrbitResult(maxiter, 0, 0.0, None)


def _potential(orbit: Orbit, bits: int) -> tuple[int, float, float] | None:
    """Return n, log2 |z_n|^2 and log2 |dz_n/d(pixel)|^2 far out, or None where `bits` fractional bits are too few."""
    (x, y), (cx, cy) = _parts(orbit.start, bits), _parts(orbit.c, bits)
    one = integer(1) << bits
    far = (one * one + product(cx, cx) + product(cy, cy)) << _FAR_OUT_BITS
    added, dx, dy = (one, 0 * one, 0 * one) if orbit.by_c else (0 * one, one, 0 * one)
    error, slope_error, n = 4 * (not orbit.by_c), 0, 0
    cancellation, interval = current(), steps_between_checks(bits)
    while (square := product(x, x) + product(y, y)) <= far:
        if n % interval == 0:
            cancellation.check()
        modulus, slope = _root(square), _root(product(dx, dx) + product(dy, dy))
        if error << _FIELD_BITS > modulus + one or slope_error << _FIELD_BITS > slope + one:
            return None
        slope_error = ((2 * product(modulus + error, slope_error) + 2 * product(error, slope)) >> bits) + 3
        dx, dy = (
            ((2 * (product(x, dx) - product(y, dy))) >> bits) + added,
            (2 * (product(x, dy) + product(y, dx))) >> bits,
        )
        error = (product(2 * modulus + error, error) >> bits) + 7
        x, y, n = (product(x - y, x + y) >> bits) + cx, (product(x, y) >> (bits - 1)) + cy, n + 1
    slope_square = product(dx, dx) + product(dy, dy)
    least = integer(int(1 / LEAST_SLOPE))
    if (_root(slope_square) + slope_error) * least < one:
        slope_square, slope_error = (one // least) ** 2, 0
    if error << _FIELD_BITS > _root(square) or slope_error << _FIELD_BITS > _root(slope_square):
        return None
    return n, log2(int(square)) - 2 * bits, log2(int(slope_square)) - 2 * bits


def _sum(a: Quotient, b: Fraction) -> Quotient:
    """Return a + b."""
    above = product(a.numerator, b.denominator) + product(b.numerator, a.denominator)
    return Quotient(above, product(a.denominator, b.denominator))


def _parts(point: tuple[Fraction | Quotient, Fraction | Quotient], bits: int) -> tuple[Any, Any]:
    re, im = point
    return integer(scaled(re, bits)), integer(scaled(im, bits))


def _root(square: Any) -> Any:
    """Return an upper bound on the root of an integer, relatively within 2^-60 of it."""
    shift = max(0, square.bit_length() - 2 * _WORD) // 2 * 2
    return integer(isqrt(int(square >> shift)) + 1) << (shift // 2)
