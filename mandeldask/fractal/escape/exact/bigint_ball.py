"""The last resort: the exact escape count of one point, in ball arithmetic on Python integers.

A complex number is kept as ``(x, y)`` in units of 2^-p with a bound ``e`` (same units) on ``|z_kept - z_exact|``.
Where a comparison with 2 stays open the orbit is computed again with twice the bits.
"""

from __future__ import annotations

from math import gcd, isqrt, lcm
from typing import TYPE_CHECKING

from mandeldask.cancellation import current
from mandeldask.fractal.escape.proofs.closed_form import known_period

if TYPE_CHECKING:
    from mandeldask.fractal.rationals import Point

_TIE_BITS = 512
"""Length of the power of the denominator that must divide |A_n|^2 before a tie is examined in full."""

_LOOK_BITS = 1 << 15
"""Bits that an orbit works through between two looks at the cancellation flag, about: below 2 ms."""


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
    if known_period(c) is not None:  # chaotic real orbits would cost a bit of precision for every iterate
        return maxiter
    bits = 96
    while (count := _count_with(c, maxiter, bits)) is None:
        bits *= 2
    return count


def _count_with(c: Point, maxiter: int, bits: int) -> int | None:
    """Count with `bits` fractional bits, or None where they do not decide."""
    (cx, ex), (cy, ey) = (
        scaled(c.re.numerator, c.re.denominator, bits),
        scaled(c.im.numerator, c.im.denominator, bits),
    )
    c_error = ex + ey
    four = 4 << (2 * bits)
    x, y, error = cx, cy, c_error
    cancellation, look = current(), steps_between_looks(bits)
    for n in range(1, maxiter + 1):
        if n % look == 0:
            cancellation.check()
        square = x * x + y * y
        modulus = isqrt(square) + 1
        slack = (2 * modulus + error) * error
        if square - slack > four:
            return n - 1
        if square + slack > four and (slack << (bits // 2) > four or not _is_tie(c, n, bits)):
            return None  # only a ball much smaller than the question can be suspected of a tie
        x, y, lost = squared(x, y, bits)
        x, y = x + cx, y + cy
        error = (slack >> bits) + (1 if slack else 0) + lost + c_error
    return maxiter


def steps_between_looks(bits: int) -> int:
    """Return the iterations with `bits` fractional bits between two looks at the cancellation flag."""
    return _LOOK_BITS // bits + 1


def scaled(numerator: int, denominator: int, bits: int) -> tuple[int, int]:
    """Return ``numerator / denominator`` in units of 2^-bits, rounded down, and a bound on what that lost."""
    value, rest = divmod(numerator << bits, denominator)
    return value, int(rest != 0)


def squared(x: int, y: int, bits: int) -> tuple[int, int, int]:
    """Return z^2 rounded down in each part, and a bound on what the rounding lost."""
    real, imag = (x - y) * (x + y), 2 * x * y
    mask = (1 << bits) - 1
    return real >> bits, imag >> bits, bool(real & mask) + bool(imag & mask)


def _is_tie(c: Point, n: int, bits: int) -> bool:
    """Whether |z_n| = 2 exactly; asked only once `bits` are many, where ties are the likely reason to be here.

    With c = a/q (Gaussian integer a, integer q), z_n = A_n / q^(2^(n-1)) where A_1 = a and
    A_{n+1} = A_n^2 + a q^(2^n - 1), so that |z_n| = 2 means |A_n|^2 = 4 q^(2^n). Modulo a power of q the orbit is
    cheap at any n, and an |A_n|^2 that the power does not divide excludes the tie. An even q excludes it at once: 2
    divides |a|^2 at most once, so that |z_n|^2 keeps a power of 2 in its denominator.
    """
    q = lcm(c.re.denominator, c.im.denominator)
    a = (int(c.re * q), int(c.im * q))
    if q == 1:  # the kept orbit is exact: |z|^2 - 4 is a whole number and the error is 0
        return True
    if bits < 2 * 96 or q % 2 == 0 or gcd(a[0] * a[0] + a[1] * a[1], q) == 1:
        return False
    power = q ** (1 + _TIE_BITS // q.bit_length())
    if _norm_modulo(a, q, n, power) != 4 * pow(q, 2**n, power) % power:
        return False
    whole: int = q ** (2**n)
    return _norm_modulo(a, q, n, 8 * whole) == 4 * whole


def _norm_modulo(a: tuple[int, int], q: int, n: int, modulus: int) -> int:
    """Return |A_n|^2 modulo `modulus`."""
    x, y = a
    power = q % modulus  # q^(2^k - 1), k = 1
    for _ in range(n - 1):
        x, y = (x * x - y * y + a[0] * power) % modulus, (2 * x * y + a[1] * power) % modulus
        power = power * power * q % modulus
    return (x * x + y * y) % modulus
