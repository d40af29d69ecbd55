"""The unit of a dataset's distances: one for the whole dataset, however it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from mandeldask.fractal.rationals import as_key

_FINEST = Fraction(1, 2**100)
"""float32 holds 2^-126; 26 bits are left for distances below a pixel."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of `distance`."""

    name: str
    """Its name in the attribute ``units``."""
    size: Fraction = field(repr=False)  # digits past 4300 have no repr
    """Its size in plane units."""

    def __dask_tokenize__(self) -> tuple[str, str]:
        """Return a value that is equal for equal units, with any number of digits."""
        return self.name, as_key(self.size)


PLANE = Unit("plane units", Fraction(1))


def unit_for(spacing: Fraction, name: str = "pixels") -> Unit:
    """Return the unit for a dataset whose finest pixels are `spacing` plane units apart.

    Plane units, or pixels, called `name`, where these are too fine for float32.

    Examples
    --------
    >>> unit_for(Fraction(1, 2**80)).name, unit_for(Fraction(-1, 2**120)).size == Fraction(1, 2**120)
    ('plane units', True)
    """
    return PLANE if abs(spacing) >= _FINEST else Unit(name, abs(spacing))


def as_factor(ratio: Fraction) -> float:
    """Return a ratio of two units as float64, clipped to 2^-1000 and 2^1000."""
    return float(min(max(ratio, Fraction(1, 2**1000)), Fraction(2**1000)))
