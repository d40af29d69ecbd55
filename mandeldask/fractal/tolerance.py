"""Fields that may be a little wrong: what may be asked for, and how `smooth` is then kept, in steps of fixed point."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.fractal.rationals import RationalLike, as_fraction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    ToleranceLike = Mapping[str, RationalLike] | Iterable[tuple[str, RationalLike]]

Tolerance = tuple[tuple[str, Fraction], ...]
"""How wrong fields may be, by name: `smooth` in iterations, `distance` relatively."""

RANGES = {"smooth": (Fraction(1, 4096), Fraction(1)), "distance": (Fraction(1, 4096), Fraction(1, 16))}
"""The least and the greatest tolerance of the fields that have one."""

OFFSET = -16
"""What a stored 0 stands for: less than `smooth` is anywhere that has coordinates."""

_ROOM = 64
"""Iterations that `smooth` may be past `maxiter`, where orbits leave the circle slowly: 2^-128 from -2."""


def checked_tolerance(tolerance: ToleranceLike, fields: Iterable[str]) -> Tolerance:
    """Return `tolerance` by field, in the order of `fields`.

    Raises
    ------
    ValueError, TypeError
        If a field has none, is not among `fields`, or may not be as wrong, or must be closer, than that.

    Examples
    --------
    >>> checked_tolerance({"smooth": "1/64"}, ("iterations", "smooth"))
    (('smooth', Fraction(1, 64)),)
    """
    asked, there = dict(tolerance), tuple(fields)
    for field, value in asked.items():
        if field not in RANGES or field not in there:
            msg = f"tolerance must be of {' or '.join(RANGES)}, and of a field that is asked for, not {field!r}"
            raise ValueError(msg)
        least, most = RANGES[field]
        if not least <= as_fraction(value, f"tolerance of {field}") <= most:
            msg = f"tolerance of {field} must be {least} to {most}, not {value}"
            raise ValueError(msg)
    return tuple((field, as_fraction(asked[field])) for field in there if field in asked)


@dataclass(frozen=True, slots=True)
class Packing:
    """`smooth` as whole numbers: ``OFFSET + step * stored``, NaN where that is `missing`."""

    step: Fraction
    """Iterations from a number to the next."""
    dtype: np.dtype[Any]
    """uint16 where it holds all values, else uint32."""

    @classmethod
    def of(cls, step: Fraction, maxiter: int) -> Packing:
        """Return the packing in steps of `step` up to `maxiter`, and a little more.

        Raises
        ------
        ValueError
            If 32 bits are too few.
        """
        numbers = (maxiter + _ROOM - OFFSET) / step
        for dtype in (np.dtype(np.uint16), np.dtype(np.uint32)):
            if numbers < np.iinfo(dtype).max:
                return cls(step, dtype)
        msg = f"smooth to {step} of an iteration up to maxiter {maxiter} takes more than 32 bits"
        raise ValueError(msg)

    @property
    def missing(self) -> int:
        """What stands for NaN: pixels that do not escape."""
        return int(np.iinfo(self.dtype).max)

    @property
    def attributes(self) -> Mapping[str, Any]:
        """CF's attributes, by which xarray and others turn what is stored into iterations."""
        return {"scale_factor": float(self.step), "add_offset": float(OFFSET), "_FillValue": self.missing}

    def packed(self, values: NDArray[np.float64]) -> NDArray[Any]:
        """Return `values` as they are stored.

        Raises
        ------
        OverflowError
            If a value is past the range: next to -2, where orbits leave the circle too slowly.
        """
        inside = np.isnan(values)
        stored = np.rint((values - OFFSET) / float(self.step))
        if not inside.all() and float(np.nanmax(stored)) >= self.missing:
            msg = f"smooth is past {maxiter_of(self)} here: ask for it without a tolerance, or with a coarser one"
            raise OverflowError(msg)
        stored[inside] = self.missing
        return stored.astype(self.dtype)


def maxiter_of(packing: Packing) -> int:
    """Return the greatest iteration that a packing holds."""
    return int(packing.missing * packing.step) + OFFSET
