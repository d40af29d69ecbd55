"""Powers of two, and the exponents of float64, by their bits: faster than calls of the C library."""

from __future__ import annotations

from typing import Any

from mandeldask.fractal.escape.arithmetic.jit import inlined
from mandeldask.internals.numba_names import float64, int64, intrinsic


@intrinsic
def _as_float(_context: Any, _bits: Any) -> Any:
    """Return the float64 that has these 64 bits."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(float64))

    return float64(int64), generate


@intrinsic
def _as_bits(_context: Any, _value: Any) -> Any:
    """Return the 64 bits of a float64."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(int64))

    return int64(float64), generate


@inlined
def power(exponent: int) -> float:
    """Return 2^exponent, 0 below 2^-1000 and at most 2^1000."""
    return _as_float((min(exponent, 1000) + 1023) << 52) if exponent > -1000 else 0.0


@inlined
def exponent_above(value: float) -> int:
    """Return the least e with ``value < 2^e``, for normal numbers above 0."""
    return (_as_bits(value) >> 52) - 1022
