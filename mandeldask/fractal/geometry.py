"""Exact positions of pixels in the plane: an Axis is a `range` of rationals, and a Grid consists of two axes."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, overload

from mandeldask.fractal.rationals import CenterLike, Point, RationalLike, as_fraction, as_point

if TYPE_CHECKING:
    from typing import Self, SupportsIndex

_REACH = Fraction(2**1023)
"""Greatest distance of a grid from 0, so that its coordinates are floats."""

MAX_SIZE = 2**63 - 1
"""Greatest number of pixels along a dimension that Python's `len`, numpy and xarray can represent."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Exact positions of pixels along one direction, closed under slicing.

    Examples
    --------
    >>> axis = Axis(Fraction(-2), Fraction(1, 2), 8)
    >>> axis[2], axis[2:6:2]
    (Fraction(-1, 1), Axis(start=Fraction(-1, 1), step=Fraction(1, 1), size=2))
    """

    start: Fraction
    """Position of pixel 0, in plane units."""
    step: Fraction
    """Plane units from a pixel to the next; may be negative, never 0."""
    size: int
    """Number of pixels."""

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE:
            msg = f"size must be 0 to 2**63-1 pixels, not {self.size}"
            raise ValueError(msg)
        if self.step == 0:
            msg = "step must not be 0"
            raise ValueError(msg)

    def __len__(self) -> int:
        """Return the number of pixels."""
        return self.size

    @overload
    def __getitem__(self, item: SupportsIndex) -> Fraction: ...
    @overload
    def __getitem__(self, item: slice) -> Self: ...
    def __getitem__(self, item: SupportsIndex | slice) -> Fraction | Self:
        """Return one position, or the Axis of a slice, by the rules of `range`."""
        pixels = range(self.size)
        if isinstance(item, slice):
            picked = pixels[item]
            return type(self)(self.start + picked.start * self.step, self.step * picked.step, len(picked))
        return self.start + pixels[operator.index(item)] * self.step

    @property
    def middle(self) -> Fraction:
        """Position halfway between the first pixel and the last."""
        return self.start + self.step * (self.size - 1) / 2

    def index(self, position: Fraction) -> Fraction:
        """Return `position` in pixels from pixel 0: an integer at a pixel; it may lie outside the axis."""
        return (position - self.start) / self.step


@dataclass(frozen=True, slots=True)
class Grid:
    """Exact positions of the pixels of an image; a window of a Grid is a Grid.

    Pixel (row, col) samples ``c = re[col] + 1j * im[row]``.
    """

    im: Axis
    """Imaginary parts by row; the step is negative if row 0 is at the top."""
    re: Axis
    """Real parts by column."""

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels (height, width)."""
        return self.im.size, self.re.size

    @property
    def spacing(self) -> Fraction:
        """Plane units from a pixel to the next in its row."""
        return self.re.step

    def __getitem__(self, rows_cols: tuple[slice, slice]) -> Self:
        """Return the Grid of a window, by the rules of `range` in each direction."""
        rows, cols = rows_cols
        return type(self)(self.im[rows], self.re[cols])

    def point(self, row: int, col: int) -> Point:
        """Return the exact plane point of one pixel."""
        return Point(self.re[col], self.im[row])

    @classmethod
    def window(
        cls, center: CenterLike, width: RationalLike, shape: tuple[int, int], *, allow_huge: bool = False
    ) -> Self:
        """Return the Grid of `shape` (height, width) pixels around `center`.

        Pixel (row, col) is at ``re_c + (col - w/2) * spacing``, ``im_c - (row - h/2) * spacing``, spacing = width / w.

        Parameters
        ----------
        center : str, complex or (re, im)
            The exact centre; see `as_point`.
        width : str, Decimal, Fraction, int or float
            Exact width in plane units, from the first column to one past the last.
        shape : (int, int)
            Height and width, in pixels.

        Raises
        ------
        ValueError
            If `width` is not positive or `shape` is not two positive sizes.
        """
        re, im = as_point(center, allow_huge=allow_huge)
        extent = positive(width, "width", allow_huge=allow_huge)
        rows, cols = (positive_int(n, "shape") for n in _pair(shape))
        spacing = extent / cols
        check_reach(re, extent, "width")
        check_reach(im, spacing * rows, "height")
        return cls(
            Axis(im + Fraction(rows, 2) * spacing, -spacing, rows),
            Axis(re - Fraction(cols, 2) * spacing, spacing, cols),
        )


def check_reach(middle: Fraction, extent: Fraction, name: str) -> None:
    """Raise ValueError if `extent` plane units, called `name`, around `middle` exceed the range of float64."""
    if abs(middle) + extent > _REACH:
        msg = f"{name} and center exceed {float(_REACH):.1e}, where float64 has no coordinates"
        raise ValueError(msg)


def positive(value: RationalLike, name: str, *, allow_huge: bool = False) -> Fraction:
    """Return `value` as a Fraction above 0; otherwise raise ValueError with its `name`."""
    fraction = as_fraction(value, name, allow_huge=allow_huge)
    if fraction <= 0:
        msg = f"{name} must be positive, not {value}"
        raise ValueError(msg)
    return fraction


def positive_int(value: SupportsIndex, name: str, most: int = MAX_SIZE) -> int:
    """Return `value` as an int from 1 to `most`; otherwise raise ValueError or TypeError with its `name`."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        msg = f"{name} must be a positive integer, not {value!r}"
        raise TypeError(msg) if not isinstance(value, (float, str)) else ValueError(msg)
    number = operator.index(value)
    if not 1 <= number <= most:
        msg = f"{name} must be an integer from 1 to {most}, not {number}"
        raise ValueError(msg)
    return number


def _pair(shape: tuple[int, int]) -> tuple[int, int]:
    if not isinstance(shape, (tuple, list)) or len(shape) != 2:  # noqa: PLR2004  a pair
        msg = f"shape must be (height, width), not {shape!r}"
        raise ValueError(msg)
    return shape[0], shape[1]
