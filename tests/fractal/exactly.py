"""Complex numbers of exact rationals (python-flint's), and starts that make an error bound as tight as it gets."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from flint import fmpq, fmpz


def exact(value: float) -> fmpq:
    """Return a float64 as the rational that it is."""
    numerator, denominator = float(value).as_integer_ratio()
    return fmpq(fmpz(numerator), fmpz(denominator))


def rational(numerator: int, denominator: int = 1) -> fmpq:
    return fmpq(numerator, denominator)


def power_of_two(exponent: int) -> fmpq:
    return fmpq(1 << exponent) if exponent >= 0 else fmpq(1, 1 << -exponent)


class Complex(NamedTuple):
    """An exact complex number."""

    re: fmpq
    im: fmpq

    @classmethod
    def of(cls, re: float, im: float) -> Complex:
        return cls(exact(re), exact(im))

    @classmethod
    def sum_of(cls, *parts: tuple[float, float]) -> Complex:
        """Return the sum of several floats in each part, as double-doubles are kept."""
        return cls(sum((exact(re) for re, _ in parts), fmpq(0)), sum((exact(im) for _, im in parts), fmpq(0)))

    def __add__(self, other):
        return Complex(self.re + other.re, self.im + other.im)

    def __sub__(self, other):
        return Complex(self.re - other.re, self.im - other.im)

    def __mul__(self, other):
        if isinstance(other, Complex):
            return Complex(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)
        return Complex(self.re * other, self.im * other)

    def trimmed(self, bits: int = 1000) -> Complex:
        """Return the same up to 2^-bits: exact orbits double their digits at every step."""
        return Complex(*(fmpq((part.p << bits) // part.q, 1 << bits) for part in self))

    def square(self) -> fmpq:
        """Return the square of the modulus."""
        return self.re * self.re + self.im * self.im

    def __complex__(self):
        return complex(_as_float(self.re), _as_float(self.im))


def _as_float(value: fmpq) -> float:
    return int(value.p) / int(value.q)


def along(direction: complex, length: float | fmpq) -> Complex:
    """Return a number of modulus `length` exactly, in nearly that direction."""
    angle = math.atan2(direction.imag, direction.real)
    t = exact(math.tan(angle / 2.0)) if abs(angle) < 3.14 else exact(1e4)
    size = length if isinstance(length, fmpq) else exact(length)
    return Complex(size * (1 - t * t) / (1 + t * t), size * 2 * t / (1 + t * t))


def directions(slope: complex, lost: complex, rng: np.random.Generator) -> list[complex]:
    """Return directions of an error w for which ``slope w + w^2`` is large, or adds to what rounding `lost`."""
    worst = [slope or 1.0 + 0j, rng.normal() + 1j * rng.normal()]
    if lost and slope:
        worst.append(lost / slope / abs(lost))
    return worst


def sizes(lost: float, slope: float, rng: np.random.Generator) -> list[float]:
    """Return sizes of an error: none, some near what rounding `lost`, and some up to the size of the number."""
    near = [lost * 2.0**k for k in rng.integers(-2, 14, 3)]
    return [0.0, *near, *(slope * 2.0 ** -float(k) for k in rng.uniform(0.0, 40.0, 3))]


def points(rng: np.random.Generator, most: float, count: int) -> np.ndarray:
    """Return complex numbers of modulus up to `most`: spread over it, tiny ones, and some next to the axes."""
    radii = most * np.where(rng.random(count) < 0.7, rng.random(count) ** 0.5, 2.0 ** -rng.uniform(0, 40, count))
    angles = rng.uniform(0, 2 * np.pi, count)
    axis = rng.random(count) < 0.15
    angles[axis] = np.round(angles[axis] / (np.pi / 2)) * (np.pi / 2) + rng.normal(size=axis.sum()) * 1e-9
    return radii * np.exp(1j * angles)
