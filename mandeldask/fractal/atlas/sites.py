"""Interesting places: published ones with their coordinates, and others that the atlas finds."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from mandeldask.fractal.atlas.certified import misiurewicz_function, root_near
from mandeldask.fractal.atlas.misiurewicz import misiurewicz
from mandeldask.fractal.atlas.nearest import nucleus
from mandeldask.fractal.atlas.nuclei import nuclei
from mandeldask.fractal.rationals import Point, as_fraction, as_point, exponent_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Site:
    """A named place."""

    name: str
    """Its name."""
    center: Point
    """Exact centre of the picture."""
    width: Fraction
    """Width in plane units."""
    about: str
    """What the picture shows, and the source of the coordinates."""


SITES = 65
"""Number of places."""

_SEAHORSE = "-0.743643887037158704752191506114774+0.131825904205311970493132056385139j"

_PUBLISHED = (
    ("the whole set", "-0.65", "3.4", "The set, 2.5 plane units wide"),
    ("seahorse valley", "-0.75+0.1j", "0.15", "Between the main cardioid and the disc of period 2"),
    ("seahorse tails", "-0.743643887037151+0.13182590420533j", "1e-5", "Spirals of spirals off a seahorse's tail"),
    ("double spiral", _SEAHORSE, "1e-9", "Two spirals that meet in the middle, deep in a seahorse's tail"),
    (
        "where the seahorses end",
        _SEAHORSE,
        "1e-28",
        "Further in: every structure on the way down, repeated around a point",
    ),
    ("elephant valley", "0.275+0.006j", "0.03", "At the cusp of the main cardioid"),
    ("triple spiral valley", "-0.0885+0.6545j", "0.02", "Next to the disc of period 3 on the main cardioid"),
    ("quadruple spiral valley", "0.2741+0.4823j", "0.012", "Next to the disc of period 4 on the main cardioid"),
    ("scepter valley", "-1.255+0.03j", "0.03", "Between the discs of period 2 and 4 on the real axis"),
    ("the Feigenbaum point", "-1.401155189093314712", "0.01", "Where period doubling ends (OEIS A098587)"),
    ("the antenna", "-1.6", "0.5", "The real segment from the Feigenbaum point to -2"),
    ("the tip of the antenna", "-1.99999911758738", "0.000004", "Minibrots in a row on the way to -2"),
    ("the cusp", "0.255", "0.02", "The main cardioid's own, at 1/4"),
    ("the dendrite at i", "1j", "0.3", "i is preperiodic: 0, i, -1 + i, -i, -1 + i, and so on"),
)
"""Name, centre, width, description. R. Munafo's encyclopedia, https://mrob.com/pub/muency.html, names the valleys."""

_SEEDS = (
    ("in a seahorse's tail", "-0.7436438870371587+0.1318259042053119j", "1e-10"),
    ("in an elephant's trunk", "0.3568+0.0694j", "1e-3"),
    ("in a scepter", "-1.3731+0.0849j", "1e-3"),
    ("on the antenna", "-1.7862", "1e-3"),
)
"""Name, centre and radius of discs that contain a minibrot."""

_DEPTHS = ("1e-3", "1e-10", "1e-30", "1e-100")
"""Widths of pictures around Misiurewicz points, where the set looks the same at every width."""

_TIPS = {
    (2, 2): _DEPTHS,
    (4, 1): (*_DEPTHS, "1e-300", "1e-1000"),
    (3, 2): _DEPTHS,
    (5, 2): _DEPTHS,
}
"""Preperiods and periods of points with such pictures; of each pair, the first point above the real axis is used."""

_SPARE_BITS = 64
"""Bits of a Misiurewicz point beyond the width of its deepest picture."""


def places() -> tuple[Site, ...]:
    """Return some sixty places with names: whole set, valleys, minibrots, points of self-similarity at any depth.

    Examples
    --------
    >>> [site.name for site in places()][:2]
    ['the whole set', 'seahorse valley']
    """
    return _places()


@lru_cache(maxsize=1)
def _places() -> tuple[Site, ...]:
    return (*_published(), *_components(), *_found(), *_spirals(), *_embedded())


def _published() -> Iterator[Site]:
    for name, center, width, about in _PUBLISHED:
        yield Site(name, as_point(center), as_fraction(width), about)


def _components() -> Iterator[Site]:
    """Yield pictures of the cardioids of small period in the upper half plane, each a copy of the set."""
    for period in (3, 4, 5, 6):
        copies = [each for each in nuclei(period) if each.kind == "cardioid" and each.center.im >= 0]
        for index, each in enumerate(copies, 1):
            number = f", {index}" if len(copies) > 1 else ""
            about = f"A copy of the set of period {period}, {float(each.size):.2g} of its size"
            yield Site(f"minibrot of period {period}{number}", each.center, each.width, about)


def _spirals() -> Iterator[Site]:
    """Yield pictures around Misiurewicz points, at several depths."""
    for (preperiod, period), widths in _TIPS.items():
        above = [each for each in misiurewicz(preperiod, period) if each.center.im > Fraction(1, 100)]
        point = above[0]
        center = _with_digits_for(point.center, preperiod, period, as_fraction(widths[-1], "width"))
        for width in widths:
            name = f"M({preperiod},{period}), {width} wide"
            about = f"Misiurewicz point: the same at every scale, by the factor {abs(point.multiplier):.3g}"
            yield Site(name, center, as_fraction(width, "width"), about)


def _embedded() -> Iterator[Site]:
    """Yield minibrots next to i, each the nucleus of least period in a disc around i, in smaller and smaller discs."""
    for depth in ("1e-3", "1e-6", "1e-12", "1e-25", "1e-50", "1e-100", "1e-200"):
        found = nucleus("1j", depth)
        if found is not None:
            name = f"minibrot next to i, period {found.period}"
            about = f"Period {found.period}; the nucleus of least period within {depth} of i"
            yield Site(name, found.center, found.width, about)


def _found() -> Iterator[Site]:
    """Yield the minibrots of least period in discs of several valleys."""
    for where, center, radius in _SEEDS:
        found = nucleus(center, radius)
        if found is not None:
            about = f"Period {found.period}; the nucleus of least period within {radius} of {center}"
            yield Site(f"minibrot {where}", found.center, found.width, about)


def _with_digits_for(center: Point, preperiod: int, period: int, width: Fraction) -> Point:
    """Return a Misiurewicz point to enough digits for a picture of a width."""
    root = root_near(misiurewicz_function(preperiod, period), center, _SPARE_BITS - exponent_of(width))
    return center if root is None else root.center
