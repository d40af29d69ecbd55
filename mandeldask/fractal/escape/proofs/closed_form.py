"""Points that never escape by a formula, exact at any precision: main cardioid, disc of period 2, real segment.

Writing w = c - 1/4, the multiplier of the fixed point is below 1 in modulus where
``|w|^2 (|w|^2 + re w) < (im w)^2 / 4``; that of the 2-cycle, 4 (c + 1), where ``|c + 1|^2 < 1/16``. Edges belong to
the set, which is closed. For real c in [-2, 1/4] the orbit of 0 stays in [-b, b], ``b = (1 + sqrt(1 - 4c)) / 2 <= 2``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mandeldask.fractal.rationals import Point

_QUARTER = Fraction(1, 4)


def known_period(c: Point) -> int | None:
    """Return the period of the attracting cycle at `c` where a formula gives it.

    0: `c` never escapes, and no cycle is known to attract. None says nothing: `c` may escape or not.

    Examples
    --------
    >>> from mandeldask.fractal.rationals import as_point
    >>> [known_period(as_point(c)) for c in ("0.1j", "-1.1", "0.25", "-2", "-0.1+0.75j")]
    [1, 2, 0, 0, None]
    """
    edges = (_cardioid(c), _disc(c))
    for period, edge in enumerate(edges, start=1):
        if edge < 0:
            return period
    on_real_segment = c.im == 0 and -2 <= c.re <= _QUARTER
    return 0 if on_real_segment or 0 in edges else None


def _cardioid(c: Point) -> Fraction:
    """Return what is negative inside the main cardioid and 0 on its edge."""
    re = c.re - _QUARTER
    square = re * re + c.im * c.im
    return square * (square + re) - c.im * c.im / 4


def _disc(c: Point) -> Fraction:
    """Return what is negative inside the disc of period 2 and 0 on its edge."""
    return (c.re + 1) ** 2 + c.im * c.im - Fraction(1, 16)
