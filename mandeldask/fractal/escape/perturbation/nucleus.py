"""Nuclei as references: a short orbit that returns to 0 replaces an orbit of `maxiter` iterations.

A nucleus of period p is a C with Z_p = 0. One is near if the first Newton step from the middle to it is
short; R. Munafo calls the method "Newton-Raphson zooming", https://mrob.com/pub/muency/newtonraphsonzooming.html.
Nothing here needs proof: no answer depends on the choice of the reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import frexp, hypot, ldexp
from typing import TYPE_CHECKING, Any, NamedTuple

from mandeldask.cancellation import current
from mandeldask.fractal.escape.limits import NUCLEUS_PERIOD_SHARE, NUCLEUS_WORTH_S
from mandeldask.fractal.escape.perturbation.orbit_source import orbit_of
from mandeldask.fractal.escape.perturbation.reference_orbit import fixed_point, iteration_seconds, steps_between_checks
from mandeldask.fractal.rationals import Point
from mandeldask.shared_cache import SharedCache

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_STEPS = 24
"""Most Newton steps; about ten reach full precision from one bit."""

_CANCEL_INTERVAL = 256
"""Iterates of a slope alone between two checks of the cancellation flag."""

_SETTLED_BITS = 150
"""log2 of the length, in units of 2^-bits, of a last Newton step: after it, Z_p is 0 up to its own error."""


@dataclass(frozen=True, slots=True)
class _SearchResult:
    """The result of a search, to be shared."""

    nucleus: Point | None


_MOST_KEPT = 4096
"""Number of search results that are kept."""

nuclei: SharedCache[_SearchResult] = SharedCache(_MOST_KEPT)


class _Slope(NamedTuple):
    """dZ_n/dC, ``(x + iy) * 2**exponent``."""

    x: float
    y: float
    exponent: int

    def after(self, z_x: float, z_y: float, z_exponent: int = 0) -> _Slope:
        """Return dZ_{n+1}/dC = 2 Z_n dZ_n/dC + 1, for ``Z_n = (z_x + i z_y) * 2**z_exponent``."""
        product = self.exponent + z_exponent
        exponent = max(product, -1000)
        factor, one = ldexp(2.0, product - exponent), ldexp(1.0, -exponent)
        x, y = factor * (z_x * self.x - z_y * self.y) + one, factor * (z_x * self.y + z_y * self.x)
        shift = frexp(max(abs(x), abs(y)))[1]
        return _Slope(ldexp(x, -shift), ldexp(y, -shift), exponent + shift)

    def step_is_shorter(self, z_x: float, z_y: float, z_exponent: int, reach: int) -> bool:
        """Whether Newton's step to a zero of Z_n, given as in `after`, is shorter than 2^reach."""
        exponent = max(-1000, min(1000, self.exponent + reach - z_exponent))
        return hypot(z_x, z_y) < ldexp(hypot(self.x, self.y), exponent)


def good_nucleus(center: Point, reach: int, bits: int, maxiter: int) -> Point | None:
    """Return a nucleus closer than 2^reach to `center`, or None if none saves much of an orbit.

    Parameters
    ----------
    center : Point
        The reference if there is no nucleus.
    reach : int
        Pixels are closer than 2^reach to `center`.
    bits : int
        Fractional bits of orbits and of the nucleus.
    maxiter : int
        Iterations that the orbit of `center` would have.
    """
    if maxiter * iteration_seconds(bits) < NUCLEUS_WORTH_S:
        return None

    def searched(_: _SearchResult | None) -> _SearchResult:
        period = _period(center, bits, reach - 1, maxiter // NUCLEUS_PERIOD_SHARE)
        nucleus = None if period is None else _nucleus(center, period, bits)
        return _SearchResult(nucleus if nucleus is not None and _is_near(nucleus, center, reach) else None)

    return nuclei.extended((center, reach, bits, maxiter), lambda _: True, searched).nucleus


def nucleus_of_period(start: Point, period: int, bits: int, reach: int | None = None) -> Point | None:
    """Return the nucleus of a period that Newton's method finds from `start`, or None if it finds none.

    With `reach`, that is also None if the first step is longer than 2^reach.

    Parameters
    ----------
    start : Point
        A point of the component, or one near it.
    period : int
        Of the nucleus, or a multiple.
    bits : int
        Fractional bits of the result.
    """
    key = start, period, bits, reach
    return nuclei.extended(key, lambda _: True, lambda _: _SearchResult(_nucleus(start, period, bits, reach))).nucleus


def _period(center: Point, bits: int, reach: int, most: int) -> int | None:
    """Return the first n up to `most` such that Newton's step to a zero of Z_n is shorter than 2^reach."""
    slope, cancellation = _Slope(0.0, 0.0, 0).after(0.0, 0.0), current()
    for n, point in enumerate(_points(center, bits, most), 1):
        if slope.step_is_shorter(*point, reach):
            return n
        if n % _CANCEL_INTERVAL == 0:
            cancellation.check()
        slope = slope.after(*point)
    return None


def _points(center: Point, bits: int, most: int) -> Iterator[tuple[float, float, int]]:
    """Yield Z_1, ..., Z_most with exponents; at most twice the iterates taken are computed."""
    begin, length = 1, 256
    while begin <= most:
        orbit = orbit_of(center, bits, min(length, most))
        tiny = {point.m: point.scaled for point in orbit.tiny}
        for m, (x, y) in enumerate(zip(orbit.x[begin:].tolist(), orbit.y[begin:].tolist(), strict=True), begin):
            yield tiny.get(m, (x, y, 0))
        if orbit.ended:
            return
        begin, length = len(orbit) + 1, 2 * length


def _nucleus(start: Point, period: int, bits: int, reach: int | None = None) -> Point | None:
    """Return the nucleus that Newton's method finds from `start`, or None if it does not converge.

    A first step longer than 2^reach is not followed.
    """
    c_x, c_y = (fixed_point(part, bits) for part in start)
    last = None if reach is None else reach + bits
    for _ in range(_MOST_STEPS):
        step = _newton_step(c_x, c_y, period, bits)
        if step is None:
            return None
        c_x, c_y = c_x - step[0], c_y - step[1]
        size = max(int(abs(part)).bit_length() for part in step)
        if size < _SETTLED_BITS:
            return Point(Fraction(int(c_x), 1 << bits), Fraction(int(c_y), 1 << bits))
        if last is not None and size > last:
            return None
        last = size
    return None


def _newton_step(c_x: Any, c_y: Any, period: int, bits: int) -> tuple[Any, Any] | None:
    """Return Z_period / (dZ_period/dC), in integers as C is, or None if it does not exist."""
    cancellation, interval = current(), steps_between_checks(bits)
    drop = max(0, bits - 900)
    unit, slope = 2.0 ** (drop - bits), _Slope(0.0, 0.0, 0)
    x = y = c_x * 0
    for n in range(period):
        if n % interval == 0:
            cancellation.check()
        slope = slope.after(float(x >> drop) * unit, float(y >> drop) * unit)
        x, y = (((x - y) * (x + y)) >> bits) + c_x, ((x * y) >> (bits - 1)) + c_y
        if x.bit_length() > bits + 8:
            return None
    square, shift = slope.x**2 + slope.y**2, slope.exponent + 60
    if square == 0.0 or shift < 0:
        return None
    inverse_x, inverse_y = int(ldexp(slope.x / square, 60)), int(ldexp(-slope.y / square, 60))
    return (x * inverse_x - y * inverse_y) >> shift, (x * inverse_y + y * inverse_x) >> shift


def _is_near(one: Point, other: Point, reach: int) -> bool:
    """Whether two points are closer than 2^reach (conservative: False for some just within)."""
    return max(abs(one.re - other.re), abs(one.im - other.im)) < Fraction(2) ** (reach - 1)
