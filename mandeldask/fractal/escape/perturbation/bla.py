"""Bilinear approximation (BLA): many steps of a delta orbit in one, ``dz' = A dz + B dc``, while ``|dz| < R``.

Steps of a reference orbit are merged in a tree (Zhuoran 2021; C. Heiland-Allen, "Deep zoom theory and practice"), with
radii so small that the omitted squares are below the rounding error: Lemma 26.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mandeldask.cancellation import current
from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import inner, kernel
from mandeldask.fractal.escape.perturbation.delta_step import CIRCLE

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Flag, Floats, Ints

BASE = 3
"""log2 of the steps that an entry of the lowest row covers: fewer would cost memory and gain little."""

_RADIUS_BITS: ErrorBound = 53.0
"""dz must be smaller than 2^-53 |2 Z|: then the omitted square is below the rounding error of the linear term."""

NEVER = -(2.0**60)
"""The logarithm of a radius that excludes every dz."""

_LARGEST = 2.0**300
_SMALLEST = 2.0**-200
"""Largest moduli of A and B for which the error bound, a square, does not overflow."""


class Bilinear(NamedTuple):
    """Entries of all rows, one after another; entry j of row l covers the steps from m = 1 + j 2^(BASE + l)."""

    maps: np.ndarray
    """Rows Re A, Im A, Re B, Im B, and a bound on |B| that grows like it but without cancellation."""
    radius: np.ndarray
    """log2 of R, rounded down; `NEVER` if the entry cannot be used."""
    first: np.ndarray
    """Index of the first entry of each row, and one past the last of all."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(int(array.nbytes) for array in self)


def bilinear(z_x: Floats, z_y: Floats, dc_most: float) -> Bilinear:
    """Return the Bilinear of a reference orbit for pixels with ``log2|dc| <= dc_most``."""
    sizes = []
    size = (z_x.size - 2) >> BASE
    while size > 0:
        sizes.append(size)
        size >>= 1
    first = np.zeros(len(sizes) + 1, np.int64)
    first[1:] = np.cumsum(np.array(sizes, np.int64))
    table = Bilinear(np.empty((first[-1], 5)), np.empty(first[-1]), first)
    cancellation = current()
    _fill(table, z_x, z_y, dc_most, cancellation.flag)
    cancellation.check()
    return table


@kernel
def _fill(table: Bilinear, z_x: Floats, z_y: Floats, dc_most: float, flag: Flag) -> None:
    first = table.first
    for row in range(first.size - 1):
        for j in range(first[row + 1] - first[row]):
            if flag[0]:
                return
            if row == 0:
                m = 1 + (j << BASE)
                entry = _single(z_x[m], z_y[m])
                for k in range(m + 1, m + (1 << BASE)):
                    entry = _merged(entry, _single(z_x[k], z_y[k]), dc_most)
            else:
                x = first[row - 1] + 2 * j
                entry = _merged(_entry(table, x), _entry(table, x + 1), dc_most)
            i = first[row] + j
            for k in range(5):
                table.maps[i, k] = entry[k]
            table.radius[i] = entry[5]


@inner
def _entry(table: Bilinear, i: int) -> tuple[float, float, float, float, float, float]:
    maps = table.maps[i]
    return maps[0], maps[1], maps[2], maps[3], maps[4], table.radius[i]


@inner
def _single(z_x: float, z_y: float) -> tuple[float, float, float, float, float, float]:
    """Return the entry of one step: the square is below 2^-53 |2 Z| |dz| while |dz| < 2^-53 |2 Z|."""
    modulus = 2.0 * np.sqrt(z_x * z_x + z_y * z_y)
    radius = np.log2(modulus) - _RADIUS_BITS if modulus > _SMALLEST else NEVER
    return 2.0 * z_x, 2.0 * z_y, 1.0, 0.0, 1.0, radius


@inner
def _merged(
    x: tuple[float, float, float, float, float, float], y: tuple[float, float, float, float, float, float],
    dc_most: float,
) -> tuple[float, float, float, float, float, float]:  # fmt: skip
    """Return the entry of `x` followed by `y`."""
    ax_x, ax_y, bx_x, bx_y, bx_most, x_radius = x
    ay_x, ay_y, by_x, by_y, by_most, y_radius = y
    a_x, a_y = ay_x * ax_x - ay_y * ax_y, ay_x * ax_y + ay_y * ax_x
    b_x, b_y = ay_x * bx_x - ay_y * bx_y + by_x, ay_x * bx_y + ay_y * bx_x + by_y
    ax, ay = np.sqrt(ax_x * ax_x + ax_y * ax_y), np.sqrt(ay_x * ay_x + ay_y * ay_y)
    b_most = ay * bx_most + by_most
    radius = NEVER
    if x_radius > NEVER and y_radius > NEVER and _SMALLEST < ax * ay < _LARGEST and b_most < _LARGEST:
        # |A_x| R + |B_x| |dc| must stay below R_y
        taken = np.log2(bx_most) + dc_most - y_radius
        if taken < -0.1:
            left = y_radius + np.log2(1.0 - 2.0**taken) - np.log2(ax) - 1e-6
            radius = min(x_radius, left)
    else:
        a_x = a_y = b_x = b_y = b_most = 0.0
    return a_x, a_y, b_x, b_y, b_most, radius


@inner
def longest_skip(
    radius: Floats, first: Ints, z_x: Floats, z_y: Floats, m: int, most: float, exponent: int
) -> tuple[int, int]:
    """Return the index of the entry with the most steps from m, for pixels below ``most * 2**exponent``.

    Returns its number of steps too: 0 if there is none. It must end inside the circle: then no pixel has escaped
    before, since the modulus of an escaped orbit only grows.
    """
    if m == 0 or (m - 1) & ((1 << BASE) - 1) or not most > 0.0:
        return 0, 0
    log2_dz = np.log2(most) + exponent + 1e-9
    for row in range(first.size - 2, -1, -1):
        steps = 1 << (BASE + row)
        if (m - 1) & (steps - 1):
            continue
        entry = first[row] + ((m - 1) >> (BASE + row))
        if entry < first[row + 1] and radius[entry] > log2_dz:
            end = m + steps
            if end < z_x.size - 1 and np.hypot(z_x[end], z_y[end]) < CIRCLE - 2.0**-30:
                return entry, steps
    return 0, 0
