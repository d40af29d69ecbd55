"""Tolerances of fields: the allowed values, and the fixed-point format in which `smooth` is then stored."""

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
"""Allowed error of fields, by name: of `smooth` in iterations, of `distance` relative to its value."""

RANGES = {"smooth": (Fraction(1, 4096), Fraction(1)), "distance": (Fraction(1, 4096), Fraction(1, 16))}
"""Smallest and greatest tolerance of the fields that have one."""

OFFSET = -16
"""The value of a stored 0: smaller than `smooth` at any pixel with coordinates."""

_RESERVE = 64
"""Number of iterations by which `smooth` may exceed `maxiter`: orbits leave the circle slowly near -2 (down to
2^-128)."""


def checked_tolerance(tolerance: ToleranceLike, fields: Iterable[str]) -> Tolerance:
    """Return `tolerance` by field, in the order of `fields`.

    Raises
    ------
    ValueError, TypeError
        If a field cannot have a tolerance or is not among `fields`, or if a tolerance is out of its range.

    Examples
    --------
    >>> checked_tolerance({"smooth": "1/64"}, ("iterations", "smooth"))
    (('smooth', Fraction(1, 64)),)
    """
    try:
        asked, there = dict(tolerance), tuple(fields)
    except (TypeError, ValueError):
        msg = f'tolerance must be a mapping such as {{"smooth": "1/64"}}, not {tolerance!r}'
        raise TypeError(msg) from None
    for field, value in asked.items():
        if field not in RANGES or field not in there:
            msg = f"tolerance must be for {' or '.join(RANGES)}, and for a requested field, not {field!r}"
            raise ValueError(msg)
        least, most = RANGES[field]
        if not least <= as_fraction(value, f"tolerance of {field}") <= most:
            msg = f"tolerance of {field} must be {least} to {most}, not {value}"
            raise ValueError(msg)
    return tuple((field, as_fraction(asked[field])) for field in there if field in asked)


@dataclass(frozen=True, slots=True)
class Packing:
    """`smooth` as integers: its value is ``OFFSET + step * stored``, or NaN if `stored` is `missing`."""

    step: Fraction
    """Iterations per unit of the stored integer."""
    dtype: np.dtype[Any]
    """uint16 if all values fit into it, otherwise uint32."""

    @classmethod
    def of(cls, step: Fraction, maxiter: int) -> Packing:
        """Return the packing in steps of `step`, up to slightly more than `maxiter`.

        Raises
        ------
        ValueError
            If 32 bits are too few.
        """
        numbers = (maxiter + _RESERVE - OFFSET) / step
        for dtype in (np.dtype(np.uint16), np.dtype(np.uint32)):
            if numbers < np.iinfo(dtype).max:
                return cls(step, dtype)
        msg = f"smooth with a tolerance of {step} up to maxiter {maxiter} needs more than 32 bits"
        raise ValueError(msg)

    @property
    def missing(self) -> int:
        """The stored value of NaN, for pixels that do not escape."""
        return int(np.iinfo(self.dtype).max)

    @property
    def attributes(self) -> Mapping[str, Any]:
        """CF attributes with which xarray and other readers decode the stored values."""
        return {"scale_factor": float(self.step), "add_offset": float(OFFSET), "_FillValue": self.missing}

    def packed(self, values: NDArray[np.float64]) -> NDArray[Any]:
        """Return `values` in their stored form.

        Raises
        ------
        OverflowError
            If a value is out of range: near -2, orbits leave the circle too slowly.
        """
        inside = np.isnan(values)
        stored = np.rint((values - OFFSET) / float(self.step))
        if not inside.all() and float(np.nanmax(stored)) >= self.missing:
            msg = f"smooth exceeds {maxiter_of(self)} here: request it without a tolerance, or with a coarser one"
            raise OverflowError(msg)
        stored[inside] = self.missing
        return stored.astype(self.dtype)


def maxiter_of(packing: Packing) -> int:
    """Return the greatest number of iterations that a packing can store."""
    return int(packing.missing * packing.step) + OFFSET
