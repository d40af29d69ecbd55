"""A prepared reference: an orbit and its bilinear approximations as arrays, shared by tiles, levels and threads."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from math import ldexp
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.cancellation import current
from mandeldask.fractal.escape.perturbation.bla import Bilinear, bilinear
from mandeldask.fractal.escape.perturbation.nucleus import good_nucleus
from mandeldask.fractal.escape.perturbation.orbit_source import orbit_of
from mandeldask.fractal.escape.perturbation.pixel_pool import Orbit
from mandeldask.fractal.escape.perturbation.reference_orbit import bits_for, finest_of
from mandeldask.fractal.rationals import Point, exponent_of
from mandeldask.shared_cache import SharedCache

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from mandeldask.fractal.escape.perturbation.reference_orbit import ReferenceOrbit, Scaled, Tiny
    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.geometry import Grid

_FAR = 2**40
"""Larger than any index of an orbit and any exponent."""

_CANCEL_INTERVAL = 4096
"""Points of an orbit that are copied to arrays between two checks of the cancellation flag."""

MAX_BYTES = 256 << 20
"""Most bytes of prepared references that a process keeps."""


@dataclass(frozen=True, slots=True)
class PreparedReference:
    """A reference orbit and its tables, for pixels with |dc| < 2^exponent."""

    reference: ReferenceOrbit
    """The orbit."""
    exponent: int
    """log2 of the reach in the plane."""
    orbit: Orbit
    """The orbit as arrays for the kernels."""
    table: Bilinear
    """Its bilinear approximations."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.reference.nbytes + self.table.nbytes


references: SharedCache[PreparedReference] = SharedCache(
    MAX_BYTES, lambda reference: reference.nbytes, name="references", keeps_last=True
)


def prepared_reference_of(center: Point, exponent: int, finest: int, maxiter: int) -> PreparedReference:
    """Return the PreparedReference of `center` that reaches 2^exponent, with an orbit as long as `maxiter` needs.

    Parameters
    ----------
    center : Point
        The point of the reference, exact.
    exponent : int
        All pixels are closer than 2^exponent to it.
    finest : int
        Pixels are 2^finest apart, or farther: sets the precision.
    maxiter : int
        Iterations that a pixel may need.
    """

    def fits(kept: PreparedReference) -> bool:
        return kept.reference.ended or len(kept.reference) >= maxiter

    def make(_: PreparedReference | None) -> PreparedReference:
        reference = orbit_of(center, bits_for(finest), maxiter)
        return PreparedReference(
            reference, exponent, _as_arrays(reference), bilinear(reference.x, reference.y, float(exponent))
        )

    return references.extended((center, exponent, finest), fits, make)


def prepared_reference_for(grid: Grid, maxiter: int) -> PreparedReference:
    """Return the PreparedReference that `grid` shares with its neighbours."""
    finest = finest_of(grid)
    center, reach = reference_point(grid, finest, maxiter)
    return prepared_reference_of(center, reach, finest, maxiter)


def shared_reference(tile: Tile) -> PreparedReference:
    """Return the PreparedReference of the grid of `tile`, looked up by the first stage that needs it."""
    found: PreparedReference = tile.reference or prepared_reference_for(tile.grid, tile.maxiter)
    tile.reference = found
    return found


def reference_point(grid: Grid, finest: int, maxiter: int) -> tuple[Point, int]:
    """Return a reference for `grid` and its neighbours, and its reach. Parameters: see `prepared_reference_of`."""
    center, reach = lattice_point(grid)
    nucleus = good_nucleus(center, reach, bits_for(finest), maxiter)
    return (center, reach) if nucleus is None else (nucleus, reach + 1)


def lattice_point(grid: Grid) -> tuple[Point, int]:
    """Return the point near `grid` of a lattice coarse enough for its neighbours to share, and its reach.

    The reach, 16 to 64 times the extent of `grid`, is an exponent: every pixel is closer than ``2**exponent``.
    """
    extent = max(abs(grid.re.step) * grid.re.size, abs(grid.im.step) * grid.im.size)
    exponent = exponent_of(extent) + 4
    cell = Fraction(2) ** exponent
    middle = (axis.start + axis.size // 2 * axis.step for axis in (grid.re, grid.im))
    return Point(*(round(part / cell) * cell for part in middle)), exponent


def _as_arrays(reference: ReferenceOrbit) -> Orbit:
    """Return the reference as arrays for the kernels."""
    tiny, edge = reference.tiny, reference.edge
    tiny_exponent = [_exponent(entry) for entry in tiny]
    return Orbit(
        x=reference.x,
        y=reference.y,
        x_low=reference.x_low,
        y_low=reference.y_low,
        tiny_at=_column(chain((entry.m for entry in tiny), (_FAR,))),
        tiny=np.array([[_ldexp(part, -e) for part in entry[1:]] for entry, e in zip(tiny, tiny_exponent, strict=True)]),
        tiny_exponent=np.array(tiny_exponent),
        edge_at=_column(chain((entry.m for entry in edge), (_FAR,))),
        edge=_column(chain.from_iterable((*entry.excess, *entry.error) for entry in edge), np.float64).reshape(-1, 4),
        error=reference.error.mantissa,
        error_exponent=reference.error.exponent,
    )


def _column(values: Iterable[float], dtype: type = np.int64) -> NDArray[Any]:
    """Return `values` as an array. This can be cancelled: next to -2 there are as many values as iterations."""
    return np.fromiter(_cancellable(values), dtype)


def _cancellable(values: Iterable[float]) -> Iterator[float]:
    """Yield `values`, with checks of the cancellation flag."""
    cancellation = current()
    for i, value in enumerate(values):
        if i % _CANCEL_INTERVAL == 0:
            cancellation.check()
        yield value


def _exponent(point: Tiny) -> int:
    """Return the exponent of the larger part; that of 0 is below any other."""
    return max((part.exponent for part in (point.x, point.y) if part.mantissa), default=-_FAR)


def _ldexp(value: Scaled, exponent: int) -> float:
    """Return ``value * 2**exponent`` as a float; far below the others it underflows to 0."""
    return ldexp(value.mantissa, max(value.exponent + exponent, -1000))
