"""The Pyramid: all parameters of a multiscale Mandelbrot dataset, exact and hashable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING, Literal

from mandeldask.fractal.geometry import MAX_SIZE, Axis, Grid, check_reach, positive, positive_int
from mandeldask.fractal.rationals import CenterLike, Point, RationalLike, as_point, as_text, exponent_of, point_as_text
from mandeldask.fractal.tolerance import Packing, Tolerance, checked_tolerance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from mandeldask.fractal.tolerance import ToleranceLike

MAX_MAXITER = 2**32 - 1
"""The greatest escape count that fits into uint32."""

_CIRCLE_WIDTH = 1e-9
"""At this distance from |c| = 2 and more, float64 decides whether c is outside."""

FIELDS = ("iterations", "smooth", "distance", "period")
"""Fields that can be computed, in their order in a dataset."""

MaxiterLike = int | Literal["auto"] | tuple[int, ...]
"""One cap for all levels, "auto" (depends on depth), or one cap per level, finest first."""


@dataclass(frozen=True, slots=True, init=False)
class Pyramid:
    """A multiscale dataset of the Mandelbrot set, or a Julia set: square levels around one centre, level 0 the finest.

    Level ``k`` has ``tilesize * 2**(levels - k)`` pixels along each side, and every level is `width` plane units wide.
    So level ``k + 1`` consists of exactly every second pixel of level ``k``.

    Parameters
    ----------
    levels : int
        Number of levels.
    tilesize : int
        Pixels along a chunk; the coarsest level has two chunks along each side.
    maxiter : int, "auto" or tuple of int
        Greatest escape count: one for all levels, "auto" (grows with depth), or one per level, finest first.
    center : str, complex or (re, im)
        The exact centre of every level; see `mandeldask.fractal.rationals.as_point`.
    width : str, Decimal, Fraction, int or float
        Exact width of every level in plane units.
    fields : iterable of str
        Variables of every level, from `FIELDS`.
    tolerance : mapping of str to number
        Allowed error of fields, if less than float32 precision is enough: ``{"smooth": "1/64"}``; see
        `mandeldask.window`.
    julia : str, complex or (re, im), optional
        Compute the Julia set of this exact c (``|c| <= 2``) instead of the Mandelbrot set: pixels are z_0.

    Raises
    ------
    ValueError, TypeError
        If a value is out of its range; the message states the range.

    Examples
    --------
    >>> Pyramid().grids[49].shape, Pyramid().grids[0].shape[0] == 2**59
    ((1024, 1024), True)
    """

    levels: int
    """Number of levels."""
    tilesize: int
    """Pixels along a chunk."""
    maxiter: int | Literal["auto"] | tuple[int, ...]
    """Greatest escape count; see `maxiter_at`."""
    center: Point
    """Centre of every level."""
    width: Fraction
    """Width of every level in plane units."""
    fields: tuple[str, ...]
    """Variables of every level."""
    tolerance: Tolerance
    """Allowed error of fields."""
    julia: Point | None
    """The c of a Julia set; None for the Mandelbrot set."""

    def __init__(  # noqa: PLR0913, PLR0917  the public names of the dataset
        self,
        levels: int = 50,
        tilesize: int = 512,
        maxiter: MaxiterLike | Sequence[int] = 255,
        center: CenterLike = "0",
        width: RationalLike = "5",
        fields: Iterable[str] = ("iterations",),
        *,
        tolerance: ToleranceLike = (),
        julia: CenterLike | None = None,
        allow_huge: bool = False,
    ) -> None:
        put = object.__setattr__
        put(self, "tilesize", positive_int(tilesize, "tilesize"))
        put(self, "levels", _checked_levels(levels, self.tilesize))
        put(self, "maxiter", _checked_maxiter(maxiter, self.levels))
        put(self, "center", as_point(center, allow_huge=allow_huge))
        put(self, "width", positive(width, "width", allow_huge=allow_huge))
        for part in self.center:
            check_reach(part, self.width, "width")
        put(self, "fields", checked_fields(fields))
        put(self, "julia", as_julia(julia, self.fields, allow_huge=allow_huge))
        put(self, "tolerance", checked_tolerance(tolerance, self.fields))
        if dict(self.tolerance).get("smooth"):
            most = max(map(self.maxiter_at, range(self.levels)))
            Packing.of(dict(self.tolerance)["smooth"], most)  # refuse it now, not when the finest level is read

    @property
    def grids(self) -> tuple[Grid, ...]:
        """Grids of all levels, finest first."""
        return tuple(self.grid(level) for level in range(self.levels))

    def grid(self, level: int) -> Grid:
        """Return the Grid of `level`; level 0 is the finest."""
        size = self.tilesize << (self.levels - range(self.levels)[level])
        spacing = self.width / size
        re_min, im_max = self.center.re - self.width / 2, self.center.im + self.width / 2
        return Grid(Axis(im_max, -spacing, size), Axis(re_min, spacing, size))

    def maxiter_at(self, level: int) -> int:
        """Return the greatest escape count of `level`."""
        if isinstance(self.maxiter, tuple):
            return self.maxiter[level]
        if self.maxiter == "auto":
            return auto_maxiter(self.grid(level).spacing)
        return self.maxiter

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits; equal for two pyramids only if all their parameters are equal."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()

    def as_dict(self) -> dict[str, object]:
        """Return keywords that recreate this Pyramid, as JSON values; exact numbers are strings."""
        return {
            "levels": self.levels,
            "tilesize": self.tilesize,
            "maxiter": list(self.maxiter) if isinstance(self.maxiter, tuple) else self.maxiter,
            "center": point_as_text(self.center),
            "width": as_text(self.width),
            "fields": list(self.fields),
            **({"tolerance": {field: as_text(value) for field, value in self.tolerance}} if self.tolerance else {}),
            **({} if self.julia is None else {"julia": point_as_text(self.julia)}),
        }


def auto_maxiter(spacing: Fraction) -> int:
    """Return the greatest escape count of `maxiter="auto"` for a pixel spacing of `spacing` plane units.

    It is ``255 + min(16 d^2, 400 d)``, where d is the number of halvings of the spacing below 2^-8. Around interesting
    places, counts first grow with the square of the depth (seahorse valley), and later with the depth. As measured in
    docs/explanation/depth.md, only few pixels outside the set reach this cap.

    Examples
    --------
    >>> from fractions import Fraction
    >>> [auto_maxiter(Fraction(1, 2**bits)) for bits in (8, 28, 58, 1000)]
    [255, 6655, 20255, 397055]
    """
    d = max(0, -7 - exponent_of(spacing))
    return min(MAX_MAXITER, 255 + min(16 * d * d, 400 * d))


def checked_fields(fields: Iterable[str]) -> tuple[str, ...]:
    """Return `fields` as a tuple in the order of `FIELDS`; raise ValueError or TypeError if one is not valid."""
    if not isinstance(fields, Iterable):
        msg = f"fields must be names from {', '.join(FIELDS)}, not {fields!r}"
        raise TypeError(msg)
    asked = (fields,) if isinstance(fields, str) else tuple(fields)
    unknown = [field for field in asked if field not in FIELDS]
    if unknown or not asked:
        msg = f"fields must be one or more of {', '.join(FIELDS)}, not {unknown[0] if unknown else 'none'!r}"
        raise ValueError(msg)
    return tuple(field for field in FIELDS if field in asked)


def as_julia(julia: CenterLike | None, fields: Iterable[str], *, allow_huge: bool = False) -> Point | None:
    """Return the c of a Julia set as an exact Point, or None; raise the errors of `as_point` and `checked_julia`."""
    return None if julia is None else checked_julia(as_point(julia, "julia", allow_huge=allow_huge), fields)


def checked_julia(c: Point, fields: Iterable[str]) -> Point:
    """Return `c`; raise ValueError if its Julia set is not within |z| <= 2, or does not have the fields."""
    if _is_outside(c):
        msg = "julia must have a modulus of at most 2: otherwise points of the set exceed |z| = 2, the escape radius"
        raise ValueError(msg)
    if "period" in fields:
        msg = "a Julia set has no field period: all its points have the period of its c, which `locate` finds"
        raise ValueError(msg)
    return c


def _is_outside(c: Point) -> bool:
    """Whether |c| > 2; a sum of fractions of many digits, which holds the GIL, is only computed next to the circle."""
    if max(abs(c.re), abs(c.im)) > 2:  # noqa: PLR2004  the escape radius
        return True
    modulus = hypot(c.re, c.im)
    return modulus > 2 if abs(modulus - 2) > _CIRCLE_WIDTH else c.re * c.re + c.im * c.im > 4  # noqa: PLR2004  as above


def checked_maxiter(maxiter: int) -> int:
    """Return `maxiter` as an int from 1 to 2^32-1; otherwise raise ValueError."""
    return positive_int(maxiter, "maxiter", MAX_MAXITER)


def _checked_levels(levels: int, tilesize: int) -> int:
    number = positive_int(levels, "levels")
    most = MAX_SIZE.bit_length() - tilesize.bit_length()
    if number > most:
        msg = (
            f"levels must be at most {most} at tilesize {tilesize}, not {number}: "
            f"level 0 would be {tilesize}*2**{number} pixels wide, more than the 2**63-1 that an array can have"
        )
        raise ValueError(msg)
    return number


def _checked_maxiter(maxiter: MaxiterLike | Sequence[int], levels: int) -> MaxiterLike:
    if isinstance(maxiter, str):
        if maxiter != "auto":
            msg = f'maxiter must be an integer, "auto" or one integer per level, not {maxiter!r}'
            raise ValueError(msg)
        return "auto"
    if isinstance(maxiter, (tuple, list)):
        if len(maxiter) != levels:
            msg = f"maxiter must have one value for each of {levels} levels, not {len(maxiter)}"
            raise ValueError(msg)
        return tuple(checked_maxiter(value) for value in maxiter)
    return checked_maxiter(maxiter)  # type: ignore[arg-type]
