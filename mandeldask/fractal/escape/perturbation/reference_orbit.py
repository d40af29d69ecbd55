"""Reference orbits: one orbit of `z^2 + c` in arbitrary precision, around which thousands of pixels are perturbed.

A complex number is kept as two integers in units of 2^-bits, and the kept orbit is rounded to float64. It carries a
bound on its own error: Lemma 19.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import frexp, ldexp, log2, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mandeldask.cancellation import current
from mandeldask.fractal.escape.arithmetic.whole_numbers import integer
from mandeldask.fractal.rationals import exponent_of
from mandeldask.progress import Work, announce

if TYPE_CHECKING:
    from fractions import Fraction
    from typing import Self

    from numpy.typing import NDArray

    from mandeldask.cancellation import Cancellation
    from mandeldask.fractal.geometry import Grid
    from mandeldask.fractal.rationals import Point

TINY = 2.0**-300
"""A |Z_m| below this is also stored with its own exponent."""

EDGE = 2.0**-20
"""If ||Z_m|^2 - 4| is below this, the difference is also stored with its own exponent."""

_LARGEST_ERROR_LOG2 = -106
"""log2 of the greatest relative error of a Z_m before it is rounded to float64."""

_SPARE_BITS = 202
"""Bits of an orbit beyond those of its distance to the pixels: 106 of accuracy, and the closest returns to 0."""

_CHECK_INTERVAL_S = 0.001
"""Seconds between two checks of the cancellation flag, to a factor of about two."""

_COPY_SIZE = 1 << 16
"""Iterations that are copied between two checks."""

_LONG_S = 1.0
"""Seconds from which an orbit reports its progress."""

_ENTRIES = 16
"""Most points near 0 or the circle that are stored between two checks: each takes as long as twenty other points."""

_LEAST = 2.0**-1000
"""Replaces a bound that underflows."""

_RENORM = 500
"""Powers of two by which the error bound is rescaled before it overflows."""


class Scaled(NamedTuple):
    """The number ``mantissa * 2**exponent``."""

    mantissa: float
    exponent: int


class Tiny(NamedTuple):
    """A point of the orbit below `TINY`."""

    m: int
    x: Scaled
    y: Scaled
    x_low: Scaled
    """Rounding error of `x`."""
    y_low: Scaled

    @property
    def scaled(self) -> tuple[float, float, int]:
        """Real part, imaginary part and their common exponent: that of the larger one."""
        exponent = max((part.exponent for part in (self.x, self.y) if part.mantissa), default=0)
        x, y = (ldexp(part.mantissa, max(part.exponent - exponent, -1000)) for part in (self.x, self.y))
        return x, y, exponent


class Edge(NamedTuple):
    """A point of the orbit near the circle of radius 2."""

    m: int
    excess: Scaled
    """``|Z_m|**2 - 4``."""
    error: Scaled
    """Bound on the error of Z_m."""


@dataclass(frozen=True, slots=True)
class ReferenceOrbit:
    """The orbit Z_0 = 0, Z_1 = C, ... of one exact point C, until it escapes, loses its precision or is long enough.

    It is immutable; `extended` returns a longer one. It pickles, so that one process can compute it for a cluster.
    """

    center: Point
    """C, exact."""
    bits: int
    """Fractional bits of the computation."""
    x: NDArray[np.float64]
    """Real parts of Z_0 ... Z_M. The error of a Z_m with m < M is below 2^-51.9 of its modulus, rounding included."""
    y: NDArray[np.float64]
    """Imaginary parts."""
    x_low: NDArray[np.float64]
    """Rounding errors of `x`: with them the error of a Z_m is below 2^-103 of its modulus."""
    y_low: NDArray[np.float64]
    """Rounding errors of `y`."""
    tiny: tuple[Tiny, ...]
    """Every Z_m below `TINY`."""
    edge: tuple[Edge, ...]
    """Every Z_m within `EDGE` of the circle of radius 2."""
    error: Scaled
    """Bound on the error of Z_M before it was rounded, in plane units."""
    ended: bool
    """Whether Z_M has escaped, returned to 0 or lost its precision, so that a longer orbit is of no use."""
    state: tuple[int, int]
    """Z_M in units of 2^-bits."""

    @classmethod
    def start(cls, center: Point, bits: int) -> Self:
        """Return the orbit of Z_0 = 0 alone, to be `extended`."""
        zero, tiny = np.zeros(1), _tiny(0, 0, 0, 0)
        exact = Scaled(0.0, -bits)  # by its exponent all bounds are in units until they outgrow float64
        return cls(center, bits, zero, zero, zero, zero, (tiny,), (), exact, ended=False, state=(0, 0))

    def __len__(self) -> int:
        """Return M, the number of iterations."""
        return int(self.x.size) - 1

    @property
    def nbytes(self) -> int:
        """Approximate number of bytes of the orbit."""
        return 4 * int(self.x.nbytes) + 300 * (len(self.tiny) + len(self.edge)) + self.bits // 2

    def extended(self, length: int) -> ReferenceOrbit:
        """Return the orbit up to Z_length, or to where it ends before that.

        Raises
        ------
        mandeldask.cancellation.Cancelled
            If the computation was cancelled, which is checked every few milliseconds.
        """
        cancellation, seconds, steps = current(), iteration_seconds(self.bits), steps_between_checks(self.bits)
        work = Work("reference orbit", "iterations", length - len(self))
        report = announce if work.total * seconds > _LONG_S else _report_nothing
        extension = _OrbitExtension(self)
        while extension.m < length and not extension.ended:
            cancellation.check()
            report(work, extension.m - len(self))
            extension.iterate(min(length - extension.m, steps))
        report(work, work.total)
        return self if extension.m == len(self) else extension.orbit(cancellation)


def finest_of(grid: Grid) -> int:
    """Return the exponent of a spacing that serves `grid` and levels up to 2^8 finer."""
    return exponent_of(min(abs(grid.re.step), abs(grid.im.step))) - 9


def bits_for(finest: int) -> int:
    """Return the fractional bits of orbits for pixels 2^finest apart."""
    return max(128, _SPARE_BITS - finest)


def iteration_seconds(bits: int) -> float:
    """Return the seconds of one core that an iteration with `bits` fractional bits takes, to a factor of about two."""
    overhead, product, power = (2.5e-6, 28e-6, 1.6) if integer is int else (2.2e-6, 4.5e-6, 1.5)
    return float(overhead + product * (bits / 3500) ** power)


def steps_between_checks(bits: int) -> int:
    """Return the number of iterations with `bits` fractional bits between two checks of the cancellation flag."""
    return int(_CHECK_INTERVAL_S / iteration_seconds(bits)) + 1


def fixed_point(value: Fraction, bits: int) -> Any:
    """Return `value` in units of 2^-bits, an `integer` rounded to the nearest."""
    return integer(((value.numerator << (bits + 1)) // value.denominator + 1) >> 1)


def _report_nothing(work: Work, done: int) -> None:
    """Ignore a report."""


class _OrbitExtension:
    """An orbit after some iterations: the recurrence in integers, and the bound on its rounding errors."""

    def __init__(self, orbit: ReferenceOrbit) -> None:
        self.before, self.m, self.ended = orbit, len(orbit), orbit.ended
        self.state: tuple[Any, Any] = (integer(orbit.state[0]), integer(orbit.state[1]))
        self.c = tuple(fixed_point(part, orbit.bits) for part in orbit.center)
        self.lost = 0.0 if _is_whole(orbit.center) else 4.0  # of units, by a step's roundings and that of c
        self.error = Scaled(orbit.error.mantissa, orbit.error.exponent + orbit.bits)  # in units
        self.computed: list[NDArray[np.float64]] = []  # four rows each, as they are in an orbit
        self.tiny: list[Tiny] = []
        self.edge: list[Edge] = []

    def iterate(self, steps: int) -> None:
        """Do up to `steps` iterations; fewer if many points are stored with their own exponent."""
        bits = self.before.bits
        (x, y), (cx, cy), (error, exponent) = self.state, self.c, self.error
        drop = max(0, bits - 900)  # smaller parts change a float by less than 2^-900
        unit, lost, trust = (
            2.0 ** (drop - bits),
            self.lost * _power(-exponent),
            _power(exponent - bits - _LARGEST_ERROR_LOG2),
        )
        modulus = sqrt((float(x >> drop) * unit) ** 2 + (float(y >> drop) * unit) ** 2)
        if modulus < TINY:  # its square may underflow: the error gets the exponent that it has after the step
            size = _scaled(abs(x) + abs(y), -bits)
            lower = min(exponent, -size.exponent)
            error = error and max(ldexp(error * size.mantissa, size.exponent + lower), _LEAST)
            modulus, exponent = 1.0000000000001, exponent - lower
            lost, trust = self.lost * _power(-exponent), _power(exponent - bits - _LARGEST_ERROR_LOG2)
        entries, restart = len(self.tiny) + len(self.edge) + _ENTRIES, False
        rows: tuple[list[float], ...] = [], [], [], []
        put_x, put_y, put_x_low, put_y_low = (row.append for row in rows)
        for m in range(self.m + 1, self.m + steps + 1):
            x, y = (((x - y) * (x + y)) >> bits) + cx, ((x * y) >> (bits - 1)) + cy
            error = 2.0000000000001 * modulus * error + lost  # the square of an allowed error is far below that
            top_x, top_y = x >> drop, y >> drop
            zx, zy = float(top_x), float(top_y)
            put_x_low(float(top_x - integer(zx)) * unit)
            put_y_low(float(top_y - integer(zy)) * unit)
            zx, zy = zx * unit, zy * unit
            put_x(zx)
            put_y(zy)
            square = zx * zx + zy * zy
            modulus = sqrt(square)
            if error > 2.0**_RENORM:
                error, exponent = error * 2.0**-_RENORM, exponent + _RENORM
                lost, trust = self.lost * _power(-exponent), _power(exponent - bits - _LARGEST_ERROR_LOG2)
            if modulus < TINY:
                self.tiny.append(_tiny(m, x, y, -bits))
                self.ended = not _is_trusted(Scaled(error, exponent), abs(x) + abs(y))
                restart = True  # the next step begins anew
            elif abs(square - 4.0) < EDGE:
                excess = _scaled(x * x + y * y - (4 << 2 * bits), -2 * bits)
                self.edge.append(Edge(m, excess, Scaled(error, exponent - bits)))
                self.ended = excess.mantissa > 0
                restart = len(self.tiny) + len(self.edge) >= entries
            else:
                self.ended = square > 4.0 or error * trust > modulus
            if self.ended or restart:
                break
        self.m, self.state, self.error = m, (x, y), Scaled(error, exponent)
        self.computed.append(np.array(rows))  # now: a long orbit as a whole would take too long between two checks

    def orbit(self, cancellation: Cancellation) -> ReferenceOrbit:
        """Return the orbit computed so far."""
        before, (x, y) = self.before, self.state
        rows, first_new = np.empty((4, self.m + 1)), len(before) + 1
        for first in range(0, first_new, _COPY_SIZE):
            cancellation.check()
            for row, kept in zip(rows, (before.x, before.y, before.x_low, before.y_low), strict=True):
                row[first : min(first + _COPY_SIZE, first_new)] = kept[first : first + _COPY_SIZE]
        for part in self.computed:
            cancellation.check()
            rows[:, first_new : first_new + part.shape[1]] = part
            first_new += part.shape[1]
        return replace(
            before,
            x=rows[0],
            y=rows[1],
            x_low=rows[2],
            y_low=rows[3],
            tiny=(*before.tiny, *self.tiny),
            edge=(*before.edge, *self.edge),
            error=Scaled(self.error.mantissa, self.error.exponent - before.bits),
            ended=self.ended,
            state=(int(x), int(y)),
        )


def _power(exponent: int) -> float:
    """Return 2^exponent, or more where that would underflow, since only bounds are scaled by it."""
    return 2.0 ** min(max(exponent, -1000), 1000)


def _scaled(value: Any, exponent: int) -> Scaled:
    """Return the integer `value * 2**exponent`, rounded to a float mantissa."""
    excess = max(0, int(value).bit_length() - 64)
    mantissa, shift = frexp(float(value >> excess))
    return Scaled(mantissa, shift + excess + exponent)


def _tiny(m: int, x: Any, y: Any, exponent: int) -> Tiny:
    """Return Z_m, whose parts are the integers `x` and `y` in units of 2^exponent."""
    high, low = zip(*(_split(part, exponent) for part in (x, y)), strict=True)
    return Tiny(m, *high, *low)


def _split(value: Any, exponent: int) -> tuple[Scaled, Scaled]:
    """Return the integer `value * 2**exponent` as a sum of two."""
    high = _scaled(value, exponent)
    shift = high.exponent - exponent - 53
    top = int(ldexp(high.mantissa, 53))
    return high, _scaled(value - (top << shift if shift > 0 else top >> -shift), exponent)


def _is_trusted(error: Scaled, modulus: Any) -> bool:
    """Whether `error` is relatively small; `modulus` is an integer that is at most sqrt(2) times the true one."""
    if modulus == 0 or error.mantissa == 0.0:
        return bool(modulus)
    return log2(error.mantissa) + error.exponent < int(modulus).bit_length() - 2 + _LARGEST_ERROR_LOG2


def _is_whole(point: Point) -> bool:
    """Whether a point is a Gaussian integer: its orbit is then exact."""
    return point.re.denominator == point.im.denominator == 1
