"""The Pyramid: all that a multiscale Mandelbrot dataset is determined by, exact and hashable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mandeldask.fractal.geometry import MAX_SIZE, Axis, Grid, check_reach, positive, positive_int
from mandeldask.fractal.rationals import CenterLike, Point, RationalLike, as_point, as_text, exponent_of, point_as_text
from mandeldask.fractal.tolerance import Packing, Tolerance, checked_tolerance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from mandeldask.fractal.tolerance import ToleranceLike

MAX_MAXITER = 2**32 - 1
"""The greatest escape count that a uint32 holds."""

FIELDS = ("iterations", "smooth", "distance", "period")
"""What can be computed at a pixel, in the order in which a dataset lists it."""

MaxiterLike = int | Literal["auto"] | tuple[int, ...]
"""One cap for all levels, a rule from depth, or a cap for each level, finest first."""


@dataclass(frozen=True, slots=True, init=False)
class Pyramid:
    """A multiscale dataset of the Mandelbrot set, or a Julia set: square levels around one centre, level 0 the finest.

    Level ``k`` is ``tilesize * 2**(levels - k)`` pixels square and every level spans `width` plane units, so that
    level ``k + 1`` is exactly level ``k`` decimated.

    Parameters
    ----------
    levels : int
        Number of levels.
    tilesize : int
        Pixels along a chunk; the coarsest level is two chunks square.
    maxiter : int, "auto" or tuple of int
        Greatest escape count: one for all levels, growing with depth, or one for each level, finest first.
    center : str, complex or (re, im)
        The middle of every level, exact; see `mandeldask.fractal.rationals.as_point`.
    width : str, Decimal, Fraction, int or float
        Plane units across every level, exact.
    fields : iterable of str
        Variables of every level, out of `FIELDS`.
    tolerance : mapping of str to number
        How wrong fields may be, where less than float32 is enough: ``{"smooth": "1/64"}``; see `mandeldask.window`.
    julia : str, complex or (re, im), optional
        The Julia set of this c, exact and within 2 of 0, in place of the Mandelbrot set: pixels are z_0.

    Raises
    ------
    ValueError, TypeError
        If a value is out of its range (the message says what is accepted).

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
    """The middle of every level."""
    width: Fraction
    """Plane units across every level."""
    fields: tuple[str, ...]
    """Variables of every level."""
    tolerance: Tolerance
    """How wrong fields may be."""
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
            Packing.of(dict(self.tolerance)["smooth"], most)  # refused at once, not when the finest level is read

    @property
    def grids(self) -> tuple[Grid, ...]:
        """Grid of every level, finest first."""
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
        """64 hexadecimal digits that two pyramids share only if every value of theirs is equal."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()

    def as_dict(self) -> dict[str, object]:
        """Return keywords that make this Pyramid again, as JSON values; numbers of any precision are strings."""
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
    """Return the greatest escape count that `maxiter="auto"` gives pixels `spacing` plane units apart.

    ``255 + min(16 d^2, 400 d)``, where d counts the halvings of the spacing past 2^-8: around a place of interest the
    counts grow with the square of the depth at first (seahorse valley), and in the long run with the depth. Measured
    in docs/explanation/depth.md: few pixels have the cap for their count that are not in the set.

    Examples
    --------
    >>> from fractions import Fraction
    >>> [auto_maxiter(Fraction(1, 2**bits)) for bits in (8, 28, 58, 1000)]
    [255, 6655, 20255, 397055]
    """
    d = max(0, -7 - exponent_of(spacing))
    return min(MAX_MAXITER, 255 + min(16 * d * d, 400 * d))


def checked_fields(fields: Iterable[str]) -> tuple[str, ...]:
    """Return `fields` as a tuple in the order of `FIELDS`, or raise ValueError (TypeError) naming what is none."""
    if not isinstance(fields, Iterable):
        msg = f"fields must be names out of {', '.join(FIELDS)}, not {fields!r}"
        raise TypeError(msg)
    asked = (fields,) if isinstance(fields, str) else tuple(fields)
    unknown = [field for field in asked if field not in FIELDS]
    if unknown or not asked:
        msg = f"fields must be one or more of {', '.join(FIELDS)}, not {unknown[0] if unknown else 'none'!r}"
        raise ValueError(msg)
    return tuple(field for field in FIELDS if field in asked)


def as_julia(julia: CenterLike | None, fields: Iterable[str], *, allow_huge: bool = False) -> Point | None:
    """Return the c of a Julia set as an exact Point, None as it is; raise as `as_point` and `checked_julia` do."""
    return None if julia is None else checked_julia(as_point(julia, "julia", allow_huge=allow_huge), fields)


def checked_julia(c: Point, fields: Iterable[str]) -> Point:
    """Return `c`, or raise ValueError where it has no Julia set within |z| <= 2, or none of the fields."""
    if c.re * c.re + c.im * c.im > 4:  # noqa: PLR2004  the circle
        msg = "julia must be within 2 of 0: farther out points of the set pass |z| = 2, at which iterates are counted"
        raise ValueError(msg)
    if "period" in fields:
        msg = "period is no field of a Julia set: all that is inside has the period of its c, which `locate` finds"
        raise ValueError(msg)
    return c


def checked_maxiter(maxiter: int) -> int:
    """Return `maxiter` as an int from 1 to 2^32-1, or raise ValueError naming it."""
    return positive_int(maxiter, "maxiter", MAX_MAXITER)


def _checked_levels(levels: int, tilesize: int) -> int:
    number = positive_int(levels, "levels")
    most = MAX_SIZE.bit_length() - tilesize.bit_length()
    if number > most:
        msg = (
            f"levels must be at most {most} at tilesize {tilesize}, not {number}: "
            f"level 0 would be {tilesize}*2**{number} pixels wide, past the 2**63-1 that an array can have"
        )
        raise ValueError(msg)
    return number


def _checked_maxiter(maxiter: MaxiterLike | Sequence[int], levels: int) -> MaxiterLike:
    if isinstance(maxiter, str):
        if maxiter != "auto":
            msg = f'maxiter must be an integer, "auto" or one integer a level, not {maxiter!r}'
            raise ValueError(msg)
        return "auto"
    if isinstance(maxiter, (tuple, list)):
        if len(maxiter) != levels:
            msg = f"maxiter must have one value for each of {levels} levels, not {len(maxiter)}"
            raise ValueError(msg)
        return tuple(checked_maxiter(value) for value in maxiter)
    return checked_maxiter(maxiter)  # type: ignore[arg-type]
