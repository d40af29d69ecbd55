"""Fixed-point numbers of many limbs: unsigned 64-bit digits, least significant first. The last is the integer part.

A number of n limbs is ``sum a[i] 2^(64 (i - n + 1))``, a magnitude; signs are kept apart, 0 or 1. The unit is the last
fractional digit, 2^(-64 (n - 1)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.fractal.escape.arithmetic.jit import inlined, inner
from mandeldask.internals.numba_names import intrinsic, ir, types

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Limbs

_WORD = types.uint64
_SUM = types.UniTuple(_WORD, 3)


@intrinsic
def _plus_product(_context: Any, _low: Any, _middle: Any, _high: Any, _a: Any, _b: Any) -> Any:
    """Return ``low + 2^64 middle + 2^128 high + a b`` by words."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        double, word = ir.IntType(128), ir.IntType(64)
        low, middle, high, a, b = arguments
        product = builder.mul(builder.zext(a, double), builder.zext(b, double))
        total = builder.or_(builder.zext(low, double), builder.shl(builder.zext(middle, double), double(64)))
        total = builder.add(total, product)
        carry = builder.icmp_unsigned("<", total, product)
        high = builder.add(high, builder.zext(carry, word))
        parts = [builder.trunc(total, word), builder.trunc(builder.lshr(total, double(64)), word), high]
        return context.make_tuple(builder, signature.return_type, parts)

    return _SUM(_WORD, _WORD, _WORD, _WORD, _WORD), generate


@inner
def square(a: Limbs, out: Limbs) -> None:
    """Write ``a^2`` to `out`: too small by less than a unit for each limb."""
    last = a.size - 1
    carry = carry_high = types.uint64(0)
    for column in range(max(last - 1, 0), 2 * last + 1):  # lower columns sum to less than `last` units
        low = middle = high = types.uint64(0)
        for i in range(max(0, column - last), (column + 1) // 2):
            low, middle, high = _plus_product(low, middle, high, a[np.uint64(i)], a[np.uint64(column - i)])
        high = high << types.uint64(1) | middle >> types.uint64(63)
        middle = middle << types.uint64(1) | low >> types.uint64(63)
        low = low << types.uint64(1)
        half = a[column // 2] if column % 2 == 0 else types.uint64(0)
        low, middle, high = _plus_product(low, middle, high, half, half)
        low, middle, high = _plus_product(low, middle, high, carry, types.uint64(1))
        middle, high = _plus_word(middle, high, carry_high)
        if column >= last:
            out[column - last] = low
        carry, carry_high = middle, high


@inlined
def _plus_word(low: Any, high: Any, word: Any) -> tuple[Any, Any]:
    """Return ``low + 2^64 high + word`` by words."""
    low += word
    return low, high + types.uint64(low < word)


@inner
def add(a: Limbs, a_sign: int, b: Limbs, b_sign: int, out: Limbs) -> int:
    """Write ``|a + b|`` to `out`, which may be one of them, and return the sign of the sum."""
    if a_sign == b_sign:
        carry = types.uint64(0)
        for i in range(a.size):
            part = a[i] + carry
            carry = types.uint64(part < carry)
            part += b[i]
            carry += types.uint64(part < b[i])
            out[i] = part
        return a_sign
    if _is_less(a, b):
        _subtract(b, a, out)
        return b_sign
    _subtract(a, b, out)
    return a_sign


@inlined
def _is_less(a: Limbs, b: Limbs) -> bool:
    for i in range(a.size - 1, -1, -1):
        if a[i] != b[i]:
            return a[i] < b[i]
    return False


@inlined
def _subtract(a: Limbs, b: Limbs, out: Limbs) -> None:
    """Write ``a - b`` to `out`, for ``a >= b``."""
    borrow = types.uint64(0)
    for i in range(a.size):
        part = a[i] - borrow
        borrow = types.uint64(part > a[i])
        borrow += types.uint64(part < b[i])
        out[i] = part - b[i]


@inner
def leading(a: Limbs) -> tuple[float, int]:
    """Return `a` as ``value 2^(64 limb)`` units, with a relative error below 2^-52; ``(0, 0)`` for 0."""
    limb = a.size - 1
    while limb > 0 and a[limb] == 0:
        limb -= 1
    below = float(a[limb - 1]) * 2.0**-64 if limb > 0 else 0.0
    return float(a[limb]) + below, limb
