"""Ties: iterates with |z_n| = 2 exactly, which no ball of any size decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mandeldask.fractal.escape.arithmetic.whole_numbers import product

if TYPE_CHECKING:
    from mandeldask.fractal.rationals import Point

_PRIME = 2**61 - 1
"""An equation that fails modulo this prime is false."""

_LATEST = 64
"""log2 of a number of bits: longer numbers are never computed."""

_SHARE = 16
"""Bits that a proof may take for each bit of the orbit's precision."""


def is_proven_tie(c: Point, n: int, bits: int) -> bool:
    """Return whether ``|z_n| = 2`` can be proven with about the work of an orbit of `bits` fractional bits.

    With c = a/q (Gaussian integer a, integer q), z_n = A_n / q^(2^(n-1)) where A_1 = a and
    A_{n+1} = A_n^2 + a q^(2^n - 1), so that |z_n| = 2 means |A_n|^2 = 4 q^(2^n). These numbers double in length with
    n: False says that there is no tie or that it takes more bits, and the orbit is then computed again with more.
    An even q excludes a tie at once: 2 divides |a|^2 at most once, so that |z_n|^2 keeps a power of 2 in its
    denominator.

    Examples
    --------
    >>> from mandeldask.fractal.rationals import as_point
    >>> [is_proven_tie(as_point(c), 1, 128) for c in ("1.2+1.6j", "1.2+1.7j", "1.25+1.5j", "0.56+1.92j")]
    [True, False, False, True]
    """
    if n > _LATEST or c.re.denominator % 2 == 0 or c.im.denominator % 2 == 0:
        return False
    q = c.re.denominator  # a common multiple: the least would take longer to find than this to use
    if c.im.denominator != q:
        q = product(q, c.im.denominator)
    length = q.bit_length()
    if length << n > max(_SHARE * bits, 4 * length):
        return False
    a = c.re.numerator * (q // c.re.denominator), c.im.numerator * (q // c.im.denominator)
    return _holds_modulo(a, q, n) and _holds(a, q, n)


def is_proven_tie_of_start(z: Point, n: int, bits: int, *, c: Point) -> bool:
    """Return the same for the n-th iterate of `z`.

    With z = a/q and c = d/q, z_n = A_n / q^(2^n) where A_0 = a and A_{n+1} = A_n^2 + d q^(2^(n+1) - 1), so that
    |z_n| = 2 means |A_n|^2 = 4 q^(2^(n+1)).

    Examples
    --------
    >>> from mandeldask.fractal.rationals import as_point
    >>> [is_proven_tie_of_start(as_point(z), 1, 128, c=as_point("-0.25")) for z in ("1.5", "1.4", "0.9+1.2j")]
    [True, False, False]
    """
    if n > _LATEST:
        return False
    q = 1
    for denominator in {part.denominator for part in (*z, *c)}:
        q = product(q, denominator)
    length = q.bit_length()
    if length << n > max(_SHARE * bits, 4 * length):
        return False
    a, d = (tuple(product(part.numerator, q // part.denominator) for part in point) for point in (z, c))
    return all(_start_holds(a, d, q, n, modulus) for modulus in (_PRIME, 0))


def _start_holds(a: tuple[int, ...], d: tuple[int, ...], q: int, n: int, modulus: int) -> bool:
    """Whether |A_n|^2 = 4 q^(2^(n+1)): modulo a number, or at all where that is 0."""

    def times(one: Any, other: Any) -> Any:
        return product(one, other) % modulus if modulus else product(one, other)

    (x, y), power = a, 1  # q^(2^k - 1), k = 0
    for _ in range(n):
        power = times(times(power, power), q)
        x, y = times(x - y, x + y) + times(d[0], power), 2 * times(x, y) + times(d[1], power)
    whole = times(power, q)
    difference = times(x, x) + times(y, y) - 4 * times(whole, whole)
    return bool((difference % modulus if modulus else difference) == 0)


def _holds_modulo(a: tuple[int, int], q: int, n: int) -> bool:
    """Whether |A_n|^2 = 4 q^(2^n) modulo `_PRIME`."""
    x, y = real, imag = a[0] % _PRIME, a[1] % _PRIME
    base = power = q % _PRIME  # q^(2^k - 1), k = 1
    for _ in range(n - 1):
        x, y = (x * x - y * y + real * power) % _PRIME, (2 * x * y + imag * power) % _PRIME
        power = power * power * base % _PRIME
    return (x * x + y * y - 4 * power * base) % _PRIME == 0


def _holds(a: tuple[int, int], q: int, n: int) -> bool:
    """Whether |A_n|^2 = 4 q^(2^n)."""
    (x, y), power = a, q
    for _ in range(n - 1):
        x, y = product(x - y, x + y) + product(a[0], power), 2 * product(x, y) + product(a[1], power)
        power = product(product(power, power), q)
    return bool(product(x, x) + product(y, y) == 4 * product(power, q))
