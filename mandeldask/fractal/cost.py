"""What a window will cost, told before anything is computed, so that it can be refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mandeldask.fractal.pyramid import checked_maxiter
from mandeldask.fractal.rationals import exponent_of
from mandeldask.fractal.reference import iteration_seconds

if TYPE_CHECKING:
    from mandeldask.fractal.geometry import Grid

_FLOAT_BITS = 45
"""Pixels 2^-45 apart or more need no reference orbit."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A worst case in seconds of one core: every pixel may live as long as the cap, and none of it be leapt over."""

    bits: int
    """Bits of the reference orbit, 0 where there is none."""
    reference: float
    """Seconds for the reference orbit."""
    pixels: float
    """Seconds for the pixels' own orbits."""

    @property
    def seconds(self) -> float:
        """Seconds in all."""
        return self.reference + self.pixels


def cost(grid: Grid, maxiter: int) -> Cost:
    """Return what computing `grid` may cost at most, to a factor of a few.

    An iteration of the reference takes what `reference.iteration_seconds` says, one of a pixel 1 ns.

    Raises
    ------
    ValueError, TypeError
        If `maxiter` is not from 1 to 2^32-1.

    Examples
    --------
    >>> from mandeldask.fractal.geometry import Grid
    >>> shallow = cost(Grid.window("0", "4", (512, 512)), 255)
    >>> deep = cost(Grid.window("0.25", "1e-1000", (512, 512)), 500_000)
    >>> shallow.seconds < 0.1, deep.bits, deep.reference > 2
    (True, 3532, True)
    """
    checked_maxiter(maxiter)
    spacing = min(abs(grid.re.step), abs(grid.im.step))
    depth = 1 - exponent_of(spacing)
    bits = depth + 202 if depth > _FLOAT_BITS else 0
    reference = maxiter * iteration_seconds(bits) if bits else 0.0
    return Cost(bits, reference, grid.im.size * grid.re.size * maxiter * 1e-9)
