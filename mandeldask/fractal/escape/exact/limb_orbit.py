"""The orbit of one point in fixed point of up to 8192 bits, compiled: for pixels that triple-double leaves open.

A complex number is kept as two magnitudes of `limbs` and their signs, with a bound on its error in units of the last
digit, ``error 2^exponent``: Lemma 27.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, inf, log2, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mandeldask.cancellation import current
from mandeldask.fractal.escape.arithmetic.jit import inner, kernel
from mandeldask.fractal.escape.arithmetic.limbs import add, leading, square
from mandeldask.fractal.escape.arithmetic.power_of_two import power
from mandeldask.fractal.escape.exact.near_return import MOST_KEPT, RETURN_RATIO, last_inside
from mandeldask.fractal.escape.fields import FAR_OUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.escape.arithmetic.array_types import Flag, Floats, Ints, Limbs

MOST_BITS = 8192
"""The most fractional bits: beyond, integers of Python or GMP are no slower."""

_WORD = 64
"""Bits of a limb."""
_CANCEL_INTERVAL = 256
"""Iterations between two checks of the cancellation flag: at most about three milliseconds."""
_OUTWARD = 1.0 + 2.0**-40
"""Factor above 1 that covers the rounding of a bound itself."""
_LARGEST_FIELD_ERROR = 2.0**-20
"""Largest relative error of z and dz/dc from which fields are computed."""
LEAST_SLOPE = 2.0**-200
"""With a slope below this, the distance is beyond the range of float32; at z_0 = 0 and its images the slope is 0."""
_SLOPE = 2.0**-48
"""Bound on the rounding error of a float64 step of dz/dc, per |z dz/dc| + 1."""
_RENORM = 500
"""Powers of two by which an error is rescaled before it overflows."""
_CLEAR_DISTANCE = 2.0**-20
"""If |z|^2 differs from 4 by at least this, the two are compared in float64."""
_UNDERFLOW = 2.0**-900
"""Bound on the error of a modulus that comes from underflow."""
_SMALL_MODULUS = 2.0**-200
"""Below this modulus, a step makes an error so much smaller that it gets another exponent."""
_LEAST = 2.0**-1000
"""Replaces a power of two that underflows, where bounds are scaled."""

_INSIDE, _OUTSIDE, _UNDECIDED = range(3)


@dataclass(frozen=True, slots=True)
class OrbitResult:
    """How much of an orbit was decided."""

    count: int | None
    """The escape count; None if the bits do not decide it, or not the fields that were wanted."""
    undecided: int
    """The iterate that is not decided; 0 if none, or if only the fields are not good enough."""
    error: float
    """log2 of the bound on the error of that iterate."""
    potential: tuple[int, float, float] | None
    """If fields were wanted and the orbit escaped: n, ``log2 |z_n|^2`` and ``log2 |dz_n/dc|^2``, far out."""


class Slope(NamedTuple):
    """dz_1/d(pixel), and what every step adds to it: 1 if the pixel is c, 0 if it is z_0."""

    x: float = 1.0
    """Real part, wrong by less than 2^-50 of the modulus."""
    y: float = 0.0
    added: float = 1.0


def decide_orbit(
    first: tuple[int, int],
    c: tuple[int, int],
    bits: int,
    maxiter: int,
    inside: int,
    slope: Slope | None,
    *,
    from_zero: bool,
) -> OrbitResult:
    """Follow an orbit from z_1, for parts of z_1 and c of at most 4 in modulus.

    Parameters
    ----------
    first, c : (int, int)
        z_1 and c in units of 2^-bits, wrong by up to two units in each part.
    bits : int
        Fractional bits, a multiple of 64 up to `MOST_BITS`.
    maxiter : int
        The cap.
    inside : int
        Iterates up to this are known to be inside.
    slope : Slope or None
        The start of the derivative, if an orbit that escapes is to be iterated until it is far out.
    from_zero : bool
        Whether z_0 is 0, so that an orbit that returns to it repeats itself.

    Raises
    ------
    mandeldask.cancellation.Cancelled
        If the computation was cancelled.
    """
    size, cancellation = bits // _WORD + 1, current()
    limbs = np.array([_as_limbs(abs(part), size) for part in (*first, *c)])
    signs = np.array([part < 0 for part in (*first, *c)], np.int64)
    results, buffers = np.zeros(6), np.zeros((6, size), np.uint64)
    moduli = np.empty(min(maxiter, MOST_KEPT) + 1 if from_zero else 0)
    flag = cancellation.flag
    _iterate(limbs, signs, maxiter, inside, slope is not None, slope or Slope(), buffers, moduli, results, flag)
    cancellation.check()
    n, count, error, square, last_slope, shift = results.tolist()
    if count < 0:
        return OrbitResult(None, int(n), error, None)
    far = (int(n), log2(square), log2(last_slope) + 2 * shift) if square > 0.0 else None
    return OrbitResult(int(count), 0, error, far)


def _as_limbs(value: int, size: int) -> NDArray[np.uint64]:
    return np.frombuffer(value.to_bytes(size * _WORD // 8, "little"), "<u8").astype(np.uint64)


@kernel
def _iterate(
    limbs: Limbs, signs: Ints, maxiter: int, inside: int, fields: bool, first_slope: Slope, buffers: Limbs, moduli:
    Floats, results: Floats, flag: Flag,
) -> None:  # fmt: skip
    """Follow z from z_1, the first two of `limbs`; c is the other two; `moduli` is for near returns, if it has room.

    Write n, the count (-1 where it is not decided), log2 of the error, |z|^2, |dz/dc|^2 and its scale to `results`.
    """
    c, c_signs = limbs[2:], signs[2:]
    x, y, xx, yy, zz, xy = buffers[0], buffers[1], buffers[2], buffers[3], buffers[4], buffers[5]
    size = x.size
    for i in range(size):
        x[i], y[i] = limbs[0, i], limbs[1, i]
    x_sign, y_sign = signs[0], signs[1]
    per_unit = _WORD * (size - 1)
    rounding = 3.0 * size + 4.0  # of units: what a step drops, and the error of c
    error, exponent = 4.0, 0
    dx, dy, shift = first_slope.x, first_slope.y, 0
    slope_error = _SLOPE * (abs(dx) + abs(dy))
    far = FAR_OUT * (1.0 + _plain(c[0], 0, size) ** 2 + _plain(c[1], 0, size) ** 2)
    n, count, nearest = 1, -1, 1.0
    while True:
        if n % _CANCEL_INTERVAL == 0 and flag[0]:
            return
        square(x, xx)
        square(y, yy)
        add(xx, 0, yy, 0, zz)
        z_x, z_y = _plain(x, x_sign, size), _plain(y, y_sign, size)
        modulus = hypot(z_x, z_y) * _OUTWARD + _UNDERFLOW  # a square would underflow near 0
        radius = error * max(power(exponent - per_unit), _LEAST) + _UNDERFLOW
        unit = max(power(-exponent), _LEAST)
        if count < 0:
            side = _INSIDE if n <= inside else _side(zz, xy, modulus, radius, error, exponent)
            if side == _UNDECIDED:
                break
            if side == _OUTSIDE:
                count = n - 1
                if not fields:
                    break
            elif n == maxiter:
                count = maxiter
                break
        elif z_x * z_x + z_y * z_y > far:
            slope = sqrt(dx * dx + dy * dy)
            if slope_error >= _LARGEST_FIELD_ERROR * slope and slope + slope_error < LEAST_SLOPE * power(-shift):
                slope, slope_error = LEAST_SLOPE * power(-shift), 0.0
            if radius > _LARGEST_FIELD_ERROR * modulus or slope_error > _LARGEST_FIELD_ERROR * slope:
                count = -1
                n = 0
            else:
                results[3], results[4], results[5] = z_x * z_x + z_y * z_y, slope * slope, shift
            break
        if fields:
            one = first_slope.added * power(-shift)
            slope = sqrt(dx * dx + dy * dy)
            slope_error = (2.0 * (modulus + radius) * slope_error + 2.0 * radius * slope) * _OUTWARD
            slope_error += _SLOPE * (modulus * slope + one)
            dx, dy = 2.0 * (z_x * dx - z_y * dy) + one, 2.0 * (z_x * dy + z_y * dx)
            if abs(dx) + abs(dy) > 2.0**_RENORM:
                dx, dy, slope_error = dx * 2.0**-_RENORM, dy * 2.0**-_RENORM, slope_error * 2.0**-_RENORM
                shift += _RENORM
        if n < moduli.size:
            moduli[n] = (modulus + radius) * _OUTWARD
        lower = exponent
        if modulus < _SMALL_MODULUS:
            lower, modulus, radius = _near_zero(x, y, error, exponent, per_unit)
            unit = max(power(-lower), _LEAST)
        size_of_z = modulus * power(lower - exponent)
        if count < 0 and moduli.size > 0 and size_of_z < nearest:
            nearest = RETURN_RATIO * size_of_z
            inside = max(inside, last_inside(moduli, n, (modulus + radius) * _OUTWARD, lower - exponent, maxiter))
            if inside >= maxiter:
                count = maxiter
                break
            if radius > modulus:  # the bits do not resolve this return: the error would grow as fast as that bound
                n = inside + 1
                break
        exponent = lower
        error = ((2.0 * modulus + radius) * error + rounding * unit) * _OUTWARD
        if error > 2.0**_RENORM:
            error, exponent = error * 2.0**-_RENORM, exponent + _RENORM
        add(x, x_sign, y, y_sign, xy)
        square(xy, y)
        y_sign = add(y, 0, zz, 1, y)
        y_sign = add(y, y_sign, c[1], c_signs[1], y)
        x_sign = add(xx, 0, yy, 1, x)
        x_sign = add(x, x_sign, c[0], c_signs[0], x)
        n += 1
    results[0], results[1], results[2] = n, count, np.log2(error) + exponent - per_unit


@inner
def _near_zero(x: Limbs, y: Limbs, error: float, exponent: int, per_unit: int) -> tuple[int, float, float]:
    """Return a lower exponent for the error, and the modulus and the error of an iterate, both larger by as much."""
    (a, limb_of_x), (b, limb_of_y) = leading(x), leading(y)
    limb = max(limb_of_x, limb_of_y)
    lower = min(exponent, per_unit - _WORD * limb)
    scale = power(_WORD * limb - per_unit + lower)  # at most 1
    a, b = a * power(_WORD * (limb_of_x - limb)), b * power(_WORD * (limb_of_y - limb))
    larger = exponent + lower - per_unit
    radius = error * max(power(larger), _LEAST) + _UNDERFLOW if larger < _RENORM else inf
    return exponent - lower, hypot(a, b) * scale * _OUTWARD + _UNDERFLOW, radius


@inner
def _side(zz: Limbs, buffers: Limbs, modulus: float, radius: float, error: float, exponent: int) -> int:
    """Return the side of the circle on which an iterate is; `zz` is its |z|^2, too small by up to two units a limb."""
    size, slack = zz.size, (2.0 * modulus + radius) * radius * _OUTWARD
    square_of_z = _plain(zz, 0, size)
    if square_of_z + slack < 4.0 - _CLEAR_DISTANCE:
        return _INSIDE
    if square_of_z - slack > 4.0 + _CLEAR_DISTANCE:
        return _OUTSIDE
    for i in range(size):
        buffers[i] = 0
    buffers[size - 1] = 4
    within = add(zz, 0, buffers, 1, buffers)
    excess, limb = leading(buffers)
    excess *= power(_WORD * limb - exponent) * (1.0 - 2.0**-40)
    if excess > (2.0 * modulus + radius) * error * _OUTWARD + 2.0 * size * max(power(-exponent), _LEAST):
        return _INSIDE if within else _OUTSIDE
    return _UNDECIDED


@inner
def _plain(a: Limbs, sign: int, size: int) -> float:
    """Return a number as float64 with a relative error below 2^-51, or 0 if that underflows."""
    value, limb = leading(a)
    value *= power(_WORD * (limb - size + 1))
    return -value if sign else value
