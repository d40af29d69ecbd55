"""Cut a place out of a pyramid: the pixels of each level around a point, and their positions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mandeldask.fractal.geometry import positive
from mandeldask.fractal.places import as_place
from mandeldask.fractal.rationals import as_point

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from fractions import Fraction

    from mandeldask.fractal.geometry import Axis, Grid
    from mandeldask.fractal.pyramid import Pyramid
    from mandeldask.fractal.rationals import CenterLike, Point, RationalLike

    PlaceLike = str | tuple[CenterLike, RationalLike]

Pixels = tuple[slice, slice]
"""Rows and columns."""

_SPAN = re.compile(r"([A-Za-z_]\w*)=(\d*):(\d*)")


def pixels_around(grid: Grid, center: Point, across: Fraction, down: Fraction) -> Pixels:
    """Return the pixels of `grid` in the rectangle `across` wide and `down` high around a point.

    Raises
    ------
    ValueError
        If there are no such pixels.
    """
    rows = _between(grid.im, center.im + down / 2, center.im - down / 2)
    cols = _between(grid.re, center.re - across / 2, center.re + across / 2)
    if not range(*rows.indices(grid.im.size)) or not range(*cols.indices(grid.re.size)):
        msg = f"the window lies outside the pyramid, or between two of its pixels, which are {grid.spacing} apart"
        raise ValueError(msg)
    return rows, cols


def windows_of(pyramid: Pyramid, levels: Iterable[int], place: PlaceLike) -> dict[int, Pixels]:
    """Return the pixels of each level in a square of the plane.

    Parameters
    ----------
    pyramid : Pyramid
        The pyramid to cut.
    levels : iterable of int
        Levels to cut.
    place : str or (center, width)
        A link or file that names a place and its width, or the middle and the plane units across.

    Raises
    ------
    ValueError, TypeError
        If `place` is not a square, or if a level has no pixels in it.
    """
    center, width = square_of(place)
    return {level: pixels_around(pyramid.grid(level), center, width, width) for level in levels}


def square_of(place: PlaceLike) -> tuple[Point, Fraction]:
    """Return the middle and the width of a place.

    Raises
    ------
    ValueError, TypeError
        If the place has no width.
    """
    if isinstance(place, str):
        found = as_place(place)
        if found.width is None:
            msg = f"the window {place[:80]!r} has no width: use a link that contains one, or (center, width)"
            raise ValueError(msg)
        return found.center, found.width
    center, width = place
    return as_point(center), positive(width, "width")


def as_window(text: str) -> str | tuple[str, str] | dict[str, slice]:
    """Read a window from text: pixels (``"y=0:512,x=256:768"``), a centre and a width, or a link.

    Raises
    ------
    ValueError
        If the text is none of these.

    Examples
    --------
    >>> as_window("y=0:512,x=256:"), as_window("-0.75+0.1j,1e-3")
    ({'y': slice(0, 512, None), 'x': slice(256, None, None)}, ('-0.75+0.1j', '1e-3'))
    """
    spans = [_SPAN.fullmatch(part.strip()) for part in text.split(",")]
    found = [span for span in spans if span is not None]
    if len(found) == len(spans):
        return {span[1]: slice(*(int(end) if end else None for end in span.group(2, 3))) for span in found}
    center, comma, width = text.rpartition(",")
    window = (center.strip(), width.strip()) if comma and "=" not in text else text
    square_of(window)
    return window


def translations(windows: Mapping[int, Pixels]) -> dict[int, tuple[int, int]]:
    """Return the position of each level's first pixel, in pixels of the first level, relative to its first pixel."""
    first = next(iter(windows))
    (top, left) = (part.start for part in windows[first])
    return {
        level: (int(rows.start * 2 ** (level - first)) - top, int(cols.start * 2 ** (level - first)) - left)
        for level, (rows, cols) in windows.items()
    }


def _between(axis: Axis, first: Fraction, last: Fraction) -> slice:
    """Return the pixels of the axis from `first` (included) to `last` (excluded)."""
    start, stop = (-(-place.numerator // place.denominator) for place in (axis.index(first), axis.index(last)))
    return slice(max(0, start), min(max(0, stop), axis.size))
