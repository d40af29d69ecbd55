"""The data of the kernels at depth: a reference orbit, positions of pixels, their states and results."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mandeldask.fractal.escape.arithmetic.layout import Layout
from mandeldask.fractal.escape.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


class Orbit(NamedTuple):
    """A reference orbit as the kernels read it."""

    x: np.ndarray
    y: np.ndarray
    x_low: np.ndarray
    """Rounding error of `x`."""
    y_low: np.ndarray
    tiny_at: np.ndarray
    """Indices of points below 2^-300, ascending, and one past the end."""
    tiny: np.ndarray
    """Those points by row: x, y, and the rounding errors of both, in units of 2^tiny_exponent."""
    tiny_exponent: np.ndarray
    edge_at: np.ndarray
    """Indices of points near the circle of radius 2, ascending, and one past the end."""
    edge: np.ndarray
    """Those points by row: |Z|^2 - 4 and its exponent, a bound on the error of Z and its exponent."""
    error: float
    """Bound on the error of the last point, in units of 2^error_exponent."""
    error_exponent: int


ROWS = Layout.of("X Y S RATIO EXPONENT DONE PIXEL M", 1)
X, Y, S, RATIO, EXPONENT, DONE, PIXEL, M = ROWS.offsets
"""The state of a pixel in a pool: w, where ``dz = w 2^exponent``; U times the square of a bound on the error
of w; |z / dz|^2 below which the reference is left; iterations done at m = 0; the pixel's index in the tile; and m, the
index into the reference."""
WITH_DERIVATIVE = ROWS.then("GX GY Q")
GX, GY, Q = WITH_DERIVATIVE.rows("GX GY Q")
"""If fields need it: dw/d(pixel), and the square of a bound on its error."""
DOUBLE_DOUBLE = WITH_DERIVATIVE.then("X_LOW Y_LOW")
X_LOW, Y_LOW = DOUBLE_DOUBLE.rows("X_LOW Y_LOW")
"""For double-double: the rounding errors of w."""
_PLAIN, _WITH_DERIVATIVE = ROWS.size, WITH_DERIVATIVE.size
"""Numbers per pixel without and with the derivative: they are contiguous, if possible in one cache line."""
_MOST_KEPT = 1 << 18
"""Pixels of the largest pools that are kept for reuse: new memory costs a tile tens of milliseconds."""

AT_START = -(1 << 40)
"""The exponent of a pixel at z_0 = 0, where dz is 0."""


class Place(NamedTuple):
    """Positions of pixels on a grid, relative to the reference."""

    dc_x: np.ndarray
    """Real parts of dc by column, in units of 2^exponent."""
    dc_y: np.ndarray
    """Imaginary parts by row."""
    exponent: int
    most: float
    """The greatest |dc|, in units of 2^exponent."""
    spacing: float
    """From a pixel to the next, in units of 2^exponent."""
    worst: float
    """What the square of the relative error of z may be far out, where fields are wanted."""
    worst_slope: float
    """The same of dz/dc."""


class DoubleDoublePlace(NamedTuple):
    """Positions of single pixels, relative to the reference."""

    x: np.ndarray
    """Real parts of dc by pixel, shape (2, pixels), high and low, in units of 2^exponent."""
    y: np.ndarray
    """Imaginary parts."""
    exponent: int
    spacing: float
    """From a pixel to the next, in units of 2^exponent."""
    worst: float
    """What the square of the relative error of z may be far out, where fields are wanted."""
    worst_slope: float
    """The same of dz/dc; infinite for `smooth` alone."""


class Answers(NamedTuple):
    """Results, by pixel."""

    count_and_proven: np.ndarray
    """Row 0: the escape count, or the iterations done if it is not proven; row 1: whether it is proven."""
    fields: np.ndarray | None
    """Rows smooth and distance, the latter in pixels; None if not wanted."""


@contextmanager
def lent_pools(size: int, *, slopes: bool) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Lend the block two pools for `size` pixels, shape (size, numbers per pixel).

    The thread keeps them for its next call, unless they are large or hold the derivatives, `slopes`.
    """
    if slopes or size > _MOST_KEPT:
        width = _WITH_DERIVATIVE if slopes else _PLAIN
        yield np.empty((size, width)), np.empty((size, width))
        return
    with _pools.lent(lambda kept: kept.shape[1] >= size, lambda: np.empty((2, size, _PLAIN))) as kept:
        yield kept[0], kept[1]


_pools: Scratch[NDArray[np.float64]] = Scratch()


@contextmanager
def lent_answers(size: int, *, fields: bool) -> Iterator[Answers]:
    """Lend the block blank answers for `size` pixels, with or without `fields`; the thread keeps them likewise."""
    if size > _MOST_KEPT:
        yield blank_answers(size, fields=fields)
        return
    with _answers.lent(lambda kept: kept.shape[1] >= 2 * size, lambda: np.empty((2, 2 * size))) as kept:
        counts, values = kept[:, : 2 * size].reshape(2, 2, size)
        yield _blank(Answers(counts.view(np.int64), values if fields else None))


_answers: Scratch[NDArray[np.float64]] = Scratch()


def blank_answers(size: int, *, fields: bool) -> Answers:
    """Return blank answers for `size` pixels."""
    return _blank(Answers(np.empty((2, size), np.int64), np.empty((2, size)) if fields else None))


def _blank(answers: Answers) -> Answers:
    """Return `answers` after blanking them: nothing is proven, no iterations are done, fields are NaN."""
    answers.count_and_proven.fill(0)
    if answers.fields is not None:
        answers.fields.fill(np.nan)
    return answers


def double_double_pool(size: int) -> NDArray[np.float64]:
    """Return a pool for `size` pixels at z_0 = 0, with the numbers that double-double needs."""
    pool = np.zeros((size, DOUBLE_DOUBLE.size))
    pool[:, EXPONENT], pool[:, PIXEL] = AT_START, np.arange(size)
    return pool
