"""Proofs that pixels inside a minibrot never escape: around its nucleus, p iterations are one of w' = w^2 + c'.

With w = A z, where A is the slope of p - 1 iterations around the nucleus of period p, ``f_c^p`` becomes ``w^2 + K dc``
up to an error that is bounded for all of |w| <= 2.5. A disc of w that returns into itself with that error proves, as in
`attracting_cycle`, that c is in the set: Lemma P4.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import inner, kernel
from mandeldask.fractal.escape.arithmetic.positions import FAR, positions
from mandeldask.fractal.escape.arithmetic.power_of_two import power
from mandeldask.fractal.escape.limits import NUCLEUS_PERIOD_SHARE
from mandeldask.fractal.escape.perturbation.nucleus import nucleus_of_period
from mandeldask.fractal.escape.perturbation.orbit_source import orbit_of
from mandeldask.fractal.escape.perturbation.prepared_reference import shared_reference
from mandeldask.fractal.escape.proofs.interior_stage import attracting_periods, periods_one_by_one
from mandeldask.fractal.rationals import exponent_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mandeldask.fractal.escape.arithmetic.array_types import Floats
    from mandeldask.fractal.escape.perturbation.reference_orbit import ReferenceOrbit
    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.rationals import Point

_NUCLEUS_RETURN = 2.0**-20
"""A reference orbit whose last point is closer to 0 than this is the orbit of a nucleus."""

_LARGEST_W = 2.5
"""|w| up to which the error is bounded: the largest of discs in `attracting_cycle`."""
_LARGEST_C = 2.1
"""|c'| of pixels that are tried."""
_SAMPLE_STRIDE = 37
"""One pixel in this many is tried first: in most tiles none of them is inside, and few others are."""
_STEP_ERROR: ErrorBound = 2.0**-49
"""Bound on the rounding error of one step of A and B, per sum of the terms: 16 units of 2^-53; 6 are needed."""
_OUTWARD: ErrorBound = 1.0 + 2.0**-40
_POSITION_ERROR: ErrorBound = 2.0**-46
"""Bound on the rounding error of c', of at most `_LARGEST_C`."""
_LARGEST_ERROR = 2.0**-8
"""The largest error with which a proof is tried."""
_MARGIN = 4
"""log2 of the largest first Newton step, relative to the distance of the pixels."""
_CONTAINED = 2
"""log2 of the |c'| of a reference, estimated, up to which it may lie in the minibrot: this is |A Z_p|."""
_LEAST_Z = 2.0**-840
"""Points of the orbit below half of this have too large a rounding error, up to 2^-900."""
_FLOOR = 2.0**-900
_TOO_LARGE = 400
"""An exponent with which any error is too large."""


class Renormalization(NamedTuple):
    """The map w' = w^2 + c' of a minibrot."""

    nucleus: Point
    slope: complex
    """c' = slope 2^exponent (c - nucleus)."""
    exponent: int
    error: float
    """Bound on the error of w', for |w| <= 2.5 and |c'| <= 2.1."""
    period: int
    """Iterations of f_c in one of the map, if cycles near 0 surely return to |w| <= 2.5 only then; otherwise 0."""


def answer_by_minibrot(tile: Tile, reference: ReferenceOrbit | None = None) -> None:
    """Answer open pixels of `tile` that lie inside a minibrot near the tile.

    Its nucleus is the end of `reference` or a near return of it; by default that is the orbit that tiles here share.
    """
    orbit = _nucleus_orbit(reference or shared_reference(tile).reference, tile)
    minibrot = None if orbit is None else _renormalization(orbit)
    if minibrot is None:
        return
    relative = _relative_positions(tile, minibrot)
    if relative is None:
        return
    find_periods = partial(attracting_periods, maxiter=tile.maxiter, flag=tile.cancellation.flag)
    if _periods(tile, minibrot, relative, tile.open[::_SAMPLE_STRIDE], find_periods).any():
        tile.close(_periods(tile, minibrot, relative, tile.open, find_periods) > 0)


def periods_around(tile: Tile, point: Point, pixels: NDArray[np.int64], bits: int) -> NDArray[np.uint32]:
    """Return the least periods proven for `pixels` by the minibrot that contains `point`, 0 where none is.

    Its period is that of one of the nearest returns of the orbit of `point` to 0.
    """
    orbit = orbit_of(point, bits, tile.maxiter)
    moduli = np.hypot(orbit.x, orbit.y)[1:]
    records = np.flatnonzero(moduli[1:] < np.minimum.accumulate(moduli)[:-1]) + 2
    periods = np.zeros(pixels.size, np.uint32)
    find_periods = partial(periods_one_by_one, flag=tile.cancellation.flag)
    for period in records.tolist():
        nucleus = nucleus_of_period(point, period, bits)
        minibrot = None if nucleus is None else _renormalization(orbit_of(nucleus, bits, period))
        relative = None if minibrot is None else _relative_positions(tile, minibrot)
        if minibrot is not None and relative is not None and minibrot.period:
            periods = minibrot.period * _periods(tile, minibrot, relative, pixels, find_periods)
            if periods.any():
                break
    return periods


def _relative_positions(
    tile: Tile, minibrot: Renormalization
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return positions of columns and rows from the nucleus; None if no pixel can be near it."""
    axes = (tile.grid.re, minibrot.nucleus.re), (tile.grid.im, minibrot.nucleus.im)
    most = max(abs(part) for axis, origin in axes for part in (axis.start - origin, axis.step))
    if most * Fraction(2) ** minibrot.exponent > FAR:
        return None  # few pixels can be near the nucleus
    re, im = (positions(axis, origin, -minibrot.exponent)[0] for axis, origin in axes)
    return None if abs(minibrot.slope) * np.hypot(_least(re), _least(im)) > 2.0 * _LARGEST_C else (re, im)


def _periods(
    tile: Tile,
    minibrot: Renormalization,
    relative: tuple[NDArray[np.float64], NDArray[np.float64]],
    pixels: NDArray[np.int64],
    find_periods: Callable[[NDArray[np.float64], NDArray[np.float64], float], NDArray[np.uint32]],
) -> NDArray[np.uint32]:
    """Return the periods that `find_periods` proves for the c' of `pixels`, 0 where it proves none.

    `relative` are the positions of columns and rows, relative to the nucleus.
    """
    rows, cols = np.divmod(pixels, tile.grid.re.size)
    c = minibrot.slope * (relative[0][cols] + 1j * relative[1][rows])
    near = np.flatnonzero(np.abs(c) <= _LARGEST_C)
    periods = np.zeros(pixels.size, np.uint32)
    periods[near] = find_periods(c.real[near], c.imag[near], minibrot.error + _POSITION_ERROR)
    return periods


def _least(values: NDArray[np.float64]) -> float:
    """Return the least distance from 0 along an axis."""
    return abs(float(np.clip(0.0, values.min(), values.max())))


def _nucleus_orbit(reference: ReferenceOrbit, tile: Tile) -> ReferenceOrbit | None:
    """Return the orbit of a nucleus up to its return to 0: `reference`, or that of its nearest return to 0.

    None if Newton's first step leads out of the tile, and the minibrot there is too small to reach back.
    """
    if reference.ended and math.hypot(reference.x[-1], reference.y[-1]) < _NUCLEUS_RETURN:
        return reference
    most = min(len(reference), tile.maxiter // NUCLEUS_PERIOD_SHARE)
    if most < 1:
        return None
    moduli = _log2_moduli(reference, most)
    period = 1 + int(np.argmin(moduli))
    contained = float(moduli[:period].sum()) + period - 1 < _CONTAINED
    reach = None if contained else _reach(tile, reference.center) + _MARGIN
    nucleus = nucleus_of_period(reference.center, period, reference.bits, reach)
    return None if nucleus is None else orbit_of(nucleus, reference.bits, period)


def _log2_moduli(reference: ReferenceOrbit, most: int) -> NDArray[np.float64]:
    """Return log2 |Z_m| for m = 1 ... `most`, roughly."""
    moduli = np.hypot(reference.x[1 : most + 1], reference.y[1 : most + 1])
    logarithms = np.log2(np.maximum(moduli, _FLOOR))
    for point in reference.tiny:
        x, y, exponent = point.scaled
        if 0 < point.m <= most and (modulus := math.hypot(x, y)):
            logarithms[point.m - 1] = math.log2(modulus) + exponent
    return logarithms


def _reach(tile: Tile, center: Point) -> int:
    """Return the exponent of the largest distance of a pixel from `center` along an axis."""
    axes = (tile.grid.re, center.re), (tile.grid.im, center.im)
    return exponent_of(max(abs(end - part) for axis, part in axes for end in (axis[0], axis[-1])))


def _renormalization(orbit: ReferenceOrbit) -> Renormalization | None:
    """Return the map of the minibrot around the nucleus of the given orbit, or None if its error is too large.

    That is also the case if the orbit does not return to 0.
    """
    a_x, a_y, a_exponent, b_x, b_y, b_exponent, lost, exponent, separate = _iterate_nucleus(
        orbit.x, orbit.y, len(orbit)
    )
    parts = (*_end(orbit), orbit.error, (lost, exponent))
    error = math.hypot(a_x, a_y) * sum(_ldexp(abs(value), shift + a_exponent) for value, shift in parts) * _OUTWARD
    if not error < _LARGEST_ERROR:
        return None
    slope = complex(a_x, a_y) * complex(b_x, b_y)
    return Renormalization(orbit.center, slope, a_exponent + b_exponent, error, len(orbit) if separate else 0)


def _end(orbit: ReferenceOrbit) -> tuple[tuple[float, int], ...]:
    """Return the parts of the last point, mantissas with exponents."""
    last = orbit.tiny[-1]
    return (last.x, last.y) if last.m == len(orbit) else ((float(orbit.x[-1]), 0), (float(orbit.y[-1]), 0))


def _ldexp(value: float, exponent: int) -> float:
    """Return ``value * 2**exponent``, rounded up where that is far from 1."""
    return (
        math.inf if value > 0.0 and exponent > _TOO_LARGE else math.ldexp(value, min(max(exponent, -1000), _TOO_LARGE))
    )


@kernel
def _iterate_nucleus(
    z_x: Floats, z_y: Floats, period: int
) -> tuple[float, float, int, float, float, int, float, int, bool]:
    """Return A, B and a bound on the rest of dz after `period` iterations, each with its exponent.

    The last value says whether all earlier iterates are surely outside of |z| <= `_LARGEST_W` / |A|.

    ``dz_period = A z^2 + B dc`` up to that bound, for |A z| <= `_LARGEST_W` and |A B dc| <= 1.01 `_LARGEST_C`.
    """
    a_x, a_y, a_exponent, b_x, b_y, b_exponent = 1.0, 0.0, 0, 1.0, 0.0, 0
    for j in range(1, period):
        x, y = 2.0 * z_x[j], 2.0 * z_y[j]
        if not max(abs(x), abs(y)) > _LEAST_Z:
            return 1.0, 0.0, 0, 1.0, 0.0, 0, np.inf, 0, False
        a_x, a_y = x * a_x - y * a_y, x * a_y + y * a_x
        b_x, b_y = x * b_x - y * b_y + power(-b_exponent), x * b_y + y * b_x
        a_x, a_y, a_exponent = _scaled(a_x, a_y, a_exponent)
        b_x, b_y, b_exponent = _scaled(b_x, b_y, b_exponent)
    a, b = np.hypot(a_x, a_y), np.hypot(b_x, b_y)
    # alpha, beta: bounds on |A_j z^2| and |B_j dc|, and lost: on what they leave of dz, in units of 2^exponent
    square, square_exponent = _LARGEST_W**2 / (a * a) * _OUTWARD, -2 * a_exponent
    dc, dc_exponent = 1.01 * _LARGEST_C / (a * b), -a_exponent - b_exponent
    exponent = max(square_exponent, dc_exponent)
    alpha, beta, lost = square * power(square_exponent - exponent), dc * power(dc_exponent - exponent), 0.0
    separate, radius = True, 1.01 * _LARGEST_W / a * power(-a_exponent)
    for j in range(1, period):
        added, scale = dc * power(dc_exponent - exponent), math.ldexp(1.0, max(exponent, -1000))
        growth, most = 2.0 * np.hypot(z_x[j], z_y[j]), alpha + beta + lost
        separate = separate and 0.49 * growth > radius + 1.01 * scale * most
        lost = (growth * lost + scale * most**2 + _STEP_ERROR * (growth * (alpha + beta) + added)) * _OUTWARD + _FLOOR
        alpha, beta = growth * alpha * _OUTWARD, (growth * beta + added) * _OUTWARD + _FLOOR
        most = alpha + beta + lost
        if not most < 2.0**300:
            return a_x, a_y, a_exponent, b_x, b_y, b_exponent, np.inf, 0, False
        if most > 2.0**60 or most < 2.0**-60:
            shift = math.frexp(most)[1]
            alpha, beta, lost = alpha * power(-shift), beta * power(-shift), lost * power(-shift)
            exponent += shift
    return a_x, a_y, a_exponent, b_x, b_y, b_exponent, lost, exponent, separate


@inner
def _scaled(x: float, y: float, exponent: int) -> tuple[float, float, int]:
    """Return a complex number in units of the power of two just above it."""
    shift = math.frexp(max(abs(x), abs(y)))[1]
    factor = power(-shift)
    return x * factor, y * factor, exponent + shift
