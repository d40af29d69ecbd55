"""Estimate the cost of a window before anything is computed, so that expensive windows can be refused."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from mandeldask.fractal.escape.arithmetic.positions import as_pair
from mandeldask.fractal.escape.perturbation.reference_orbit import bits_for, finest_of, iteration_seconds
from mandeldask.fractal.escape.plan import main_stage
from mandeldask.fractal.pyramid import checked_fields, checked_maxiter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mandeldask.fractal.geometry import Axis, Grid

_REFERENCES = 2
"""Cost of a reference, in orbits of `maxiter` iterations: its own orbit, and the same again for the nucleus search."""

_INTEGER_PIXELS = 16
"""Pixels of a tile that may need big integers, outside chaotic windows; each may start again with more bits."""

_PIXEL_S = {False: 0.5e-6, True: 2.5e-6}
"""Fixed seconds per pixel at any `maxiter`; the key states whether there is a reference orbit."""

_CHAOS_FROM, _CHAOS_STEPS = 5_000, 15_000
"""In chaotic windows, many orbits longer than this are left open by float64, up to so many iterations more; longer ones
are nearly periodic."""
_CHAOS_STEP_S = {False: 25e-9, True: 50e-9}
"""Seconds per pixel and such an iteration, in more precision and in big integers; the key states whether there are
fields."""

_TIP = -2
"""Near c = -2, |z| exceeds 2 by less than the resolution of float64, so fields need big integers there."""
_TIP_RADIUS = 2.0**-40
"""Radius of that region."""
_TIP_STEP_S = 30e-6
"""Seconds per iteration of such an orbit, in addition to ten iterations of the reference: it restarts with more
bits."""

_PERIOD_S = 20e-6
"""Seconds of the search for a pixel's period."""
_PERIOD_ORBITS = 12
"""Cost of the search for minibrots around some pixels, in orbits of `maxiter` iterations."""


_MODEL_S, _MODEL_STEPS, _SHALLOW_BITS = 60e-6, 8, 256
"""Of the Julia set's polynomial: seconds per step, steps per bit, and the largest number of bits of windows without
it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one core, if every orbit reaches the cap, without skipped iterations and without proofs for blocks."""

    bits: int
    """Bits of the reference orbit; 0 if there is none."""
    reference: float
    """Seconds for the reference orbit."""
    pixels: float
    """Seconds for the pixels' own orbits, in float64, double-double and triple-double."""
    integers: float
    """Seconds for the pixels that need big integers: few, except for fields near -2."""

    @property
    def seconds(self) -> float:
        """Total seconds."""
        return self.reference + self.pixels + self.integers


def cost(grid: Grid, maxiter: int, fields: Iterable[str] = ("iterations",)) -> Cost:
    """Return an upper estimate of the cost of `grid`.

    At the places of `benchmarks/cost.py`, it is 1.3 times the measured time in chaotic windows, 3 to 220 times at most
    others, and thousands of times where blocks answer all pixels at once. The seconds are those of one core with AVX2.
    Compiling the kernels takes up to a minute more, once.

    Parameters
    ----------
    grid : Grid
        The pixels.
    maxiter : int
        Greatest escape count.
    fields : iterable of str
        The fields to compute.

    Raises
    ------
    ValueError, TypeError
        If `maxiter` is not from 1 to 2^32-1, or a field is unknown.

    Examples
    --------
    >>> from mandeldask.fractal.geometry import Grid
    >>> shallow = cost(Grid.window("0", "4", (512, 512)), 255)
    >>> deep = cost(Grid.window("0.25", "1e-1000", (512, 512)), 500_000)
    >>> shallow.seconds < 0.5, deep.bits, deep.reference > 2
    (True, 3540, True)
    >>> chaotic = Grid.window("-0.22669854734340839-0.6412000072609072j", "1e-11", (256, 256))
    >>> cost(chaotic, 20_000).seconds > 20  # 16 to 20 were measured
    True
    """
    checked_maxiter(maxiter)
    wanted = checked_fields(fields)
    stage = main_stage(min(abs(as_pair(axis.step)[0]) for axis in (grid.re, grid.im)))
    deep, with_orbits = stage.name == "perturbation", "smooth" in wanted or "distance" in wanted
    bits = bits_for(finest_of(grid)) if deep else 0
    orbit = maxiter * iteration_seconds(bits)
    pixel = _PIXEL_S[deep] + maxiter * stage.seconds[with_orbits] + _PERIOD_S * ("period" in wanted)
    pixel += min(max(maxiter - _CHAOS_FROM, 0), _CHAOS_STEPS) * _CHAOS_STEP_S[with_orbits]
    pixels = grid.im.size * grid.re.size
    integers = min(pixels, _INTEGER_PIXELS) * orbit
    if "period" in wanted:
        integers += _PERIOD_ORBITS * maxiter * iteration_seconds(bits_for(finest_of(grid)))
    if deep and with_orbits and _may_be_near_the_tip(grid):
        integers = pixels * (10 * orbit + maxiter * _TIP_STEP_S)
    return Cost(bits, _REFERENCES * orbit * deep, pixels * pixel, integers)


def julia_seconds(grid: Grid, maxiter: int, fields: Iterable[str]) -> float:
    """Return an upper estimate of the seconds of one core for a window of a Julia set, like `cost`.

    The polynomial of a deep window takes some 60 us per iterate; its pixels take no longer than those of a shallow
    window.
    """
    checked_maxiter(maxiter)
    with_orbits = bool({"smooth", "distance"} & {*checked_fields(fields)})
    pixels = grid.im.size * grid.re.size
    bits = bits_for(finest_of(grid))
    pixel = _PIXEL_S[True] + maxiter * main_stage(1.0).seconds[with_orbits]
    integers = min(pixels, _INTEGER_PIXELS + pixels // 64) * (maxiter * iteration_seconds(bits) + 50e-6)
    return pixels * pixel + integers + (min(maxiter, _MODEL_STEPS * bits) * _MODEL_S if bits > _SHALLOW_BITS else 0.0)


def _may_be_near_the_tip(grid: Grid) -> bool:
    """Whether a pixel of `grid` may be in the region near -2."""
    return all(_distance(axis, tip) < _TIP_RADIUS for axis, tip in ((grid.re, _TIP), (grid.im, 0)))


def _distance(axis: Axis, position: int) -> Fraction:
    """Return the distance between `axis` and `position`; 0 if `position` is within the axis."""
    first, last = sorted((axis[0], axis[-1]))
    return max(first - position, position - last, Fraction(0))
