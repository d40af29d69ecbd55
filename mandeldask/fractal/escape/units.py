"""In which unit a dataset tells distances."""

from __future__ import annotations

from fractions import Fraction

_FINEST = Fraction(1, 2**100)
"""float32 holds 2^-126; 26 bits are left for distances below a pixel."""


def in_pixels(spacing: Fraction) -> bool:
    """Return whether `distance` is in pixels: where pixels `spacing` plane units apart are too fine for float32.

    Elsewhere it is in plane units.
    """
    return abs(spacing) < _FINEST
