"""Places as people pass them on: links of the viewer page and URLs of places, read back exactly."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from urllib.parse import parse_qsl, unquote, urlsplit

from mandeldask.fractal.place_url import from_spec
from mandeldask.fractal.rationals import Point, as_fraction, as_point

PAGE_WIDTH = 1024
"""Pixels across that a link with a level, but no width, is taken to show."""

PAGE_LEVELS, PAGE_TILESIZE, PAGE_EXTENT = 50, 512, 5
"""The pyramid that the levels of such links count in: that of the vizarr notebook."""


@dataclass(frozen=True, slots=True)
class Place:
    """A point of the plane, and how much around it is shown if the text says so."""

    center: Point
    """The middle, exact."""
    width: Fraction | None = None
    """Plane units across; None if the text names a point only."""


def as_place(text: str, *, allow_huge: bool = False) -> Place:
    """Return the place that `text` names.

    Parameters
    ----------
    text : str
        A point (``"-0.75+0.1j"``), a link of the viewer page (``"http://...#re=-0.75&im=0.1&width=1e-3"``, or its hash
        alone), or the URL or spec of a place (``"re-0.75_im0.1_width0.001_levels20_maxiter255_iterations"``).
    allow_huge : bool
        Accept numbers of more than 100,000 digits.

    Raises
    ------
    ValueError
        If `text` is none of these.

    Examples
    --------
    >>> as_place("http://127.0.0.1:8000/#re=-0.75&im=0.1&width=1e-3").width
    Fraction(1, 1000)
    >>> as_place("-0.75+0.1j")
    Place(center=Point(re=Fraction(-3, 4), im=Fraction(1, 10)), width=None)
    """
    text = text.strip()
    spec = _spec_in(text)
    if spec:
        pyramid = from_spec(spec)
        return Place(pyramid.center, pyramid.width)
    words = _words_of(text)
    if not words:
        return Place(as_point(text, allow_huge=allow_huge))
    if "re" not in words or "im" not in words:
        msg = f"a link to a place must have re= and im=, unlike {text[:80]!r}"
        raise ValueError(msg)
    center = as_point((words["re"], words["im"]), "center of the link", allow_huge=allow_huge)
    return Place(center, _width_of(words, allow_huge=allow_huge))


def _spec_in(text: str) -> str | None:
    """Return the spec in a URL below ``/at/``, or `text` if it is a spec."""
    _, at, rest = unquote(text).rpartition("/at/")
    spec = rest.split("/")[0].removesuffix(".zarr")
    return spec if at or (spec.startswith("re") and "_im" in spec) else None


def _words_of(text: str) -> dict[str, str]:
    """Return the words of a link: of its hash, or of its query."""
    if "=" not in text:
        return {}
    parts = urlsplit(text)
    found = dict(parse_qsl(parts.fragment)) or dict(parse_qsl(parts.query))
    return found or dict(parse_qsl(text.lstrip("#?")))


def _width_of(words: dict[str, str], *, allow_huge: bool) -> Fraction | None:
    if "width" in words:
        return as_fraction(words["width"], "width of the link", allow_huge=allow_huge)
    if "level" not in words:
        return None
    level = as_fraction(words["level"], "level of the link")
    whole = level.numerator // level.denominator
    between = Fraction(2.0 ** float(level - whole))
    return PAGE_WIDTH * Fraction(PAGE_EXTENT, PAGE_TILESIZE) * between * Fraction(2) ** (whole - PAGE_LEVELS)
