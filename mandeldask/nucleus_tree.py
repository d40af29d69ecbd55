"""The nucleus of least period in a disc, as a tree that a server opens by URL: the result is one chunk of JSON.

    nucleus_re-0.75_im0.1_radius0.001

A search has the same limits as every chunk: its client's share, its time limit and its queue. It stops when the client
disconnects.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.budget import metered, spend
from mandeldask.cancellation import cancellable, current
from mandeldask.fractal.atlas import nucleus
from mandeldask.fractal.place_url import NUMBER, number_of, spelled
from mandeldask.fractal.rationals import Point, as_text, exponent_of
from mandeldask.zarrview.nodes import Array, Group

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.atlas import Nucleus

MOST_PERIOD = 50_000
"""Greatest period of a server's search."""

_SPEC = re.compile(rf"nucleus_re(?P<re>{NUMBER})_im(?P<im>{NUMBER})_radius(?P<radius>{NUMBER})", re.ASCII)

_FORM = "nucleus_re<number>_im<number>_radius<number>"

_BYTES = 8192
"""Size of the result in bytes, padded with spaces: enough for a nucleus of 3,000 digits."""

_SPARE_DIGITS = 10
"""Digits of the nucleus beyond the first digit of its picture's width."""

_ITERATE_S, _LONG_S, _LONG_BITS, _GROWTH = 20e-6, 1e-3, 6724, 1.65
"""Seconds per iteration, and the power of the bits with which they grow (0.6 ms measured at 6,724 bits)."""

_TRIES = 4
"""Upper bound of a search's time, in iterations to the greatest period: each possible nucleus is iterated again."""


@dataclass(frozen=True, slots=True)
class Disc:
    """Where to look."""

    center: Point
    """Its centre."""
    radius: Fraction
    """Its radius, in plane units."""

    @property
    def seconds(self) -> float:
        """Longest time of a search there, in seconds."""
        bits = max(64, 64 - 2 * exponent_of(self.radius))
        growth: float = (bits / _LONG_BITS) ** _GROWTH
        return _TRIES * MOST_PERIOD * (_ITERATE_S + _LONG_S * growth)

    @property
    def spec(self) -> str:
        """Its canonical spec."""
        re_, im = map(spelled, self.center)
        return f"nucleus_re{re_}_im{im}_radius{spelled(self.radius)}"


def is_nucleus(spec: str) -> bool:
    """Return whether a spec has the form of a disc's spec."""
    return spec.startswith("nucleus_")


def disc_of(spec: str) -> Disc:
    """Return the disc of a canonical spec.

    Raises
    ------
    ValueError
        If `spec` is malformed or not canonical (the message has the canonical one).
    """
    match = _SPEC.fullmatch(spec)
    if match is None:
        msg = f"a disc to search for a nucleus must be written as {_FORM}, not {spec[:80]!r}"
        raise ValueError(msg)
    re_, im, radius = (number_of(match[name], name) for name in ("re", "im", "radius"))
    if not 0 < radius <= 2:  # noqa: PLR2004  the set is inside this radius
        msg = f"radius must be above 0 and at most 2, not {match['radius']}"
        raise ValueError(msg)
    disc = Disc(Point(re_, im), radius)
    if disc.spec != spec:
        msg = f"this is not the canonical form of this disc; use {disc.spec}"
        raise ValueError(msg)
    return disc


def nucleus_tree(disc: Disc) -> Group:
    """Return the tree of a disc: an array `found` of bytes, JSON padded with spaces. Nothing is computed yet."""
    about = (
        f"the nucleus of least period up to {MOST_PERIOD} in the disc, proven: UTF-8 of a JSON object with period, "
        "kind, re, im, size, orientation and the width of a picture; null if there is none"
    )
    found = Array(
        (1, _BYTES),
        np.dtype(np.uint8),
        Search(disc),
        (1, _BYTES),
        ("row", "byte"),
        {"description": about},
        fingerprint=disc.spec,
    )
    return Group({"found": found}, {"title": "A nucleus of the Mandelbrot set"})


@dataclass(frozen=True, slots=True)
class Search:
    """Reads the result of the search in a disc."""

    disc: Disc
    """Where to look."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[np.uint8]:
        """Return a part of the bytes.

        Raises
        ------
        mandeldask.budget.BudgetExceeded
            If the search took longer than allowed, or its estimate is longer.
        """
        center, radius = self.disc.center, self.disc.radius
        what = f"a nucleus of a period up to {MOST_PERIOD}"
        spend(self.disc.seconds, what)
        with cancellable(current()) as cancellation, metered(what, cancellation.cancel):
            found = nucleus(center, radius, most=MOST_PERIOD, allow_huge=True)
        text = json.dumps(None if found is None else facts(found)).ljust(_BYTES)
        return np.frombuffer(text.encode(), np.uint8).reshape(1, _BYTES)[window]


def facts(found: Nucleus) -> dict[str, str | int | float]:
    """Return the data that a client needs to show a nucleus, with the digits that a picture of its component needs."""
    width = _short(found.width)
    one = 10 ** max(0, _SPARE_DIGITS - Decimal(width).adjusted())
    re_, im = (as_text(Fraction(round(part * one), one)) for part in found.center)
    return {
        "period": found.period,
        "kind": found.kind,
        "re": re_,
        "im": im,
        "size": _short(found.size),
        "orientation": found.orientation,
        "width": width,
    }


def _short(value: Fraction) -> str:
    return str(Context(prec=4).divide(Decimal(value.numerator), Decimal(value.denominator)).normalize()).lower()
