"""The stages for Julia sets, from cheap to strong, over the same `Tile`: each answers what it can prove."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from math import ldexp
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mandeldask.fractal.escape.arithmetic.layout import workspace
from mandeldask.fractal.escape.arithmetic.positions import as_pair, positions
from mandeldask.fractal.escape.arithmetic.tripledouble import as_triple
from mandeldask.fractal.escape.direct.far_stage import answer_far_out
from mandeldask.fractal.escape.direct.multidouble_stage import OrbitStarts, proven
from mandeldask.fractal.escape.exact.bigint_ball import FEWEST_BITS, Orbit, decided
from mandeldask.fractal.escape.exact.stage import answer_each
from mandeldask.fractal.escape.exact.ties import is_proven_tie_of_start
from mandeldask.fractal.escape.julia import float64_lanes
from mandeldask.fractal.escape.julia.closed_form import known_count
from mandeldask.fractal.escape.julia.float64_lanes import LaneStarts
from mandeldask.fractal.escape.julia.trap import trap_of
from mandeldask.fractal.escape.julia.window_model import fixed_position, value_at, window_model
from mandeldask.fractal.escape.limits import JULIA_FAR_OUT_EXPONENT
from mandeldask.fractal.escape.plan import reach_of
from mandeldask.fractal.escape.units import as_factor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.escape.julia.window_model import WindowModel
    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.rationals import Point

_START_ERROR = 2.0**-44
"""Bound on the rounding error of the polynomial, or its slope, in float64, relative to the moduli of its terms."""
_LARGEST_SLOPE_ERROR = 2.0**-30
"""Relative error of a slope from which only its upper bound is used."""
_BITS = 200
"""Bits after the point of starts in several float64."""
_PART_ERRORS = {2: 2.0**-100, 3: 2.0**-148}
"""Bound on the error of starts of that many parts."""


def answer(tile: Tile, c: Point) -> None:
    """Answer every pixel of `tile`, each a z_0 for that c, |c| <= 2."""
    tile.take_unit()
    if tile.wants_orbits and reach_of(tile.grid) >= JULIA_FAR_OUT_EXPONENT:
        tile.stage = "far out"
        answer_far_out(tile, 0, JULIA_FAR_OUT_EXPONENT)
    trap = trap_of(c)
    model = window_model(tile.grid, c, tile.maxiter, trap)
    if model.stays:
        tile.stage = "window"
        tile.close(np.ones(tile.open.size, np.bool_))
    stages = {
        "float64": partial(_answer_in_float64, tile, c, model, trap),
        "double-double": partial(_answer_in_multi_double, tile, c, model, triple_double=None),
        "triple-double": partial(_answer_in_multi_double, tile, c, model, triple_double=True),
        "exact": partial(_answer_in_integers, tile, c),
    }
    for name, stage in stages.items():
        if tile.open.size:
            tile.stage = name
            stage()


def _answer_in_float64(tile: Tile, c: Point, model: WindowModel, trap: NDArray[Any]) -> None:
    """Answer the pixels that float64 lanes prove."""
    known = np.zeros(tile.open.size, np.bool_)
    distances = None if tile.distance is None else np.zeros(tile.counts.size)
    starts, upper_only = _start_values(tile, model)
    float64_lanes.iterate_lanes(
        workspace(float64_lanes.SIZE), starts, (float(c.re), float(c.im)), trap, tile.maxiter,
        tile.open, tile.counts, tile.smooth, distances, tile.worst, known, tile.cancellation.flag,
    )  # fmt: skip
    _close(tile, model, known, distances, upper_only, 0)


def _start_values(tile: Tile, model: WindowModel) -> tuple[LaneStarts, NDArray[np.bool_]]:
    """Return the starts of the open pixels, and which slopes are upper bounds."""
    rows, cols = np.divmod(tile.open, tile.grid.re.size)
    tx, ty = (
        positions(axis, middle, model.exponent)[0]
        for axis, middle in ((tile.grid.re, model.center.re), (tile.grid.im, model.center.im))
    )
    t = tx[cols] + 1j * ty[rows]
    if model.n == 0:
        re, im = positions(tile.grid.re)[0], positions(tile.grid.im)[0]
        x, y = re[cols], im[rows]
    else:
        z = _polynomial([complex(*(ldexp(part, -model.unit) for part in term)) for term in model.terms], t) * t
        (x_high, x_low), (y_high, y_low) = (as_pair(Fraction(part, 1 << model.bits)) for part in model.z)
        x, y = x_high + (x_low + z.real), y_high + (y_low + z.imag)
    if tile.distance is None:
        nothing = np.empty(0)
        return LaneStarts(x, y, nothing, nothing, nothing, model.n), np.zeros(t.size, np.bool_)
    gx, gy, f, upper_only = _slopes(model, t)
    return LaneStarts(x, y, gx, gy, f, model.n), upper_only


def _slopes(
    model: WindowModel, t: NDArray[np.complex128]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return dz_n/dt at t, scaled to about 1, as two parts and a bound on the relative error.

    Where that error is large, the slope is an upper bound on its modulus, and its entry in the last array is true.
    """
    shift = model.unit + model.height
    terms = [(k + 1) * complex(*(ldexp(part, -shift) for part in term)) for k, term in enumerate(model.terms)]
    g = _polynomial(terms, t)
    error = _START_ERROR * sum(map(abs, terms)) + 2.0 ** min(900, 3 + model.error.bit_length() - shift)
    modulus = np.abs(g)
    upper_only = error > _LARGEST_SLOPE_ERROR * modulus
    g = np.where(upper_only, modulus + 2 * error, g)
    return g.real.copy(), g.imag.copy(), error / np.where(upper_only, np.inf, modulus), upper_only


def _polynomial(terms: list[complex], t: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return ``terms[0] + terms[1] t + ...``."""
    value = np.full(t.shape, terms[-1])
    for term in reversed(terms[:-1]):
        value = value * t + term
    return value


def _answer_in_multi_double(tile: Tile, c: Point, model: WindowModel, triple_double: Literal[True] | None) -> None:
    """Answer the pixels that double-double, or triple-double, proves."""
    parts = 3 if triple_double else 2
    x, y = _starts(tile, model, parts)
    starts, upper_only = _start_values(tile, model)
    slopes = np.zeros((3, tile.open.size))
    if tile.distance is not None:
        slopes[:] = starts.gx, starts.gy, starts.f * np.hypot(starts.gx, starts.gy)
    distances, known_distance = tile.distance, None
    if distances is not None:
        known_distance = tile.distance = np.zeros(tile.counts.size, np.float32)
    c_x, c_y = as_triple(c.re)[:parts], as_triple(c.im)[:parts]
    orbits = OrbitStarts(c_x, c_y, _PART_ERRORS[parts], slopes)
    known = proven(tile, x, y, orbits, triple_double, tile.maxiter - model.n)
    tile.distance = distances
    _close(tile, model, known, known_distance, upper_only, model.n)


def _starts(tile: Tile, model: WindowModel, parts: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return z_n at the open pixels as sums of that many float64, shape (parts, pixels)."""
    rows, cols = np.divmod(tile.open, tile.grid.re.size)
    bits = _BITS + 60
    tx, ty = (
        {i: fixed_position(axis, i, middle, model.exponent, bits) for i in set(pixels.tolist())}
        for axis, middle, pixels in (
            (tile.grid.re, model.center.re, cols),
            (tile.grid.im, model.center.im, rows),
        )
    )
    starts = np.empty((2, parts, tile.open.size))
    for k, (row, col) in enumerate(zip(rows.tolist(), cols.tolist(), strict=True)):
        if k % 256 == 0:
            tile.cancellation.check()
        for axis, whole in enumerate(value_at(model, (tx[col], ty[row]), bits, _BITS)):
            rest = whole
            for part in range(parts):
                high = float(rest)
                starts[axis, part, k] = high
                rest -= int(high)
    starts *= 2.0**-_BITS
    return starts[0], starts[1]


def _close(
    tile: Tile,
    model: WindowModel,
    known: NDArray[np.bool_],
    distances: NDArray[Any] | None,
    upper_only: NDArray[np.bool_],
    before: int,
) -> None:
    """Close the proven pixels; counts lack the first `before` iterations, and distances are in the model's unit.

    A distance is a lower bound where only an `upper_only` bound on the slope is known. It is proven if it exceeds the
    largest float32.
    """
    unit = Fraction(2) ** (model.exponent - model.height) / tile.unit
    if distances is not None and upper_only.any():
        with np.errstate(over="ignore"):
            largest = distances[tile.open] * as_factor(unit) >= np.finfo(np.float32).max
        known &= ~upper_only | largest | (tile.counts[tile.open] + before >= tile.maxiter)
    pixels = tile.open[known]
    if before:
        tile.counts[pixels] += np.uint32(before)
        if tile.smooth is not None:
            tile.smooth[pixels] += before
    if distances is not None:
        escaped = pixels[tile.counts[pixels] < tile.maxiter]
        tile.put_distances(escaped, distances[escaped], unit)
    tile.close(known)


def _answer_in_integers(tile: Tile, c: Point) -> None:
    """Answer every open pixel."""

    def escape(z: Point, bits: int) -> tuple[int, tuple[int, float, float] | None]:
        count = known_count(z, c, tile.maxiter)
        if count is not None and (count == tile.maxiter or not tile.wants_orbits):
            return count, None
        is_tie = partial(is_proven_tie_of_start, c=c)
        return decided(Orbit(z, c, by_c=False), tile.maxiter, max(FEWEST_BITS, bits), is_tie, fields=tile.wants_orbits)

    answer_each(tile, escape)
