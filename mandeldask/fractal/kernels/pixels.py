"""What the kernels at depth read and write: a reference orbit, where pixels are, how far they are, what was found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Orbit(NamedTuple):
    """A reference orbit as the kernels read it."""

    x: np.ndarray
    y: np.ndarray
    tiny_at: np.ndarray
    """Indices of points below 2^-300, ascending, and one past the end."""
    tiny_x: np.ndarray
    tiny_y: np.ndarray
    tiny_exponent: np.ndarray
    edge_at: np.ndarray
    """Indices of points near the circle of radius 2, ascending, and one past the end."""
    edge_excess: np.ndarray
    edge_exponent: np.ndarray
    edge_error: np.ndarray
    edge_error_exponent: np.ndarray
    error: float
    """Bound on the error of the last point, in units of 2^error_exponent."""
    error_exponent: int


class Place(NamedTuple):
    """Where the pixels are, relative to the reference."""

    dc_x: np.ndarray
    """Real parts of dc by pixel, in units of 2^exponent."""
    dc_y: np.ndarray
    """Imaginary parts."""
    exponent: int
    most: float
    """The greatest |dc|, in units of 2^exponent."""
    spacing: float
    """From a pixel to the next, in units of 2^exponent."""


class Pixels(NamedTuple):
    """Pixels on their way, by place in a pool or a group.

    Two arrays, since every array taken out of a tuple costs a kernel as much as a step of ten pixels.
    """

    real: np.ndarray
    """Rows w_x, w_y (of dw), s (U times the square of a bound on the error of w), g_x, g_y (dw/d(pixel), followed only
    where fields need it), q (the square of a bound on the error of g), apart (|z / dz|^2 below which the reference is
    left)."""
    whole: np.ndarray
    """Rows exponent (dz = w 2^exponent), n (iterations done at m = 0), lane (index into `Place` and `Answers`) and, in
    pools only, m (index into the reference)."""


class Answers(NamedTuple):
    """What was found, by lane."""

    whole: np.ndarray
    """Rows count (where not proven: iterations followed) and whether it is proven."""
    fields: np.ndarray
    """Rows smooth and distance, the latter in pixels; no lanes where nobody asked."""


def pixels_at_start(size):
    """Return `size` Pixels at z_0 = 0."""
    whole = np.zeros((4, size), np.int64)
    whole[0], whole[2] = -(2**40), np.arange(size)
    real = np.zeros((7, size))
    real[6] = 1.0
    return Pixels(real, whole)
