"""A Pyramid as one segment of a URL, and back. Each place has exactly one canonical form.

Only letters, digits, ``.``, ``-`` and ``_`` are used: nothing must be escaped, and some viewers split URLs at commas.

    re-0.75_im0.1_width0.001_levels20_maxiter255_iterations-smooth0.015625

A number after a field is its tolerance. ``_julia-0.8i0.156`` at the end means the Julia set of that c.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mandeldask.fractal.pyramid import MaxiterLike, Pyramid
from mandeldask.fractal.rationals import Point, as_fraction, as_text

if TYPE_CHECKING:
    from fractions import Fraction

NUMBER = r"-?[0-9]+(?:\.[0-9]+)?(?:e-[0-9]+)?|-?[0-9]+r[0-9]+"
"""A number in a spec, as a regular expression."""

_FIELD = r"[a-z]+(?:[0-9]+(?:\.[0-9]+|r[0-9]+)?)?"
_SPEC = re.compile(
    rf"re(?P<re>{NUMBER})_im(?P<im>{NUMBER})_width(?P<width>{NUMBER})_levels(?P<levels>[0-9]{{1,4}})"
    r"(?:_tilesize(?P<tilesize>[0-9]{1,19}))?_maxiter(?P<maxiter>auto|[0-9]{1,10}(?:\.[0-9]{1,10})*)"
    rf"_(?P<fields>{_FIELD}(?:-{_FIELD})*)(?:_julia(?P<c_re>{NUMBER})i(?P<c_im>{NUMBER}))?",
    re.ASCII,
)
_FIELD_PARTS = re.compile(r"([a-z]+)(.*)")
_TILESIZE = 512
"""The default tilesize, which is not written."""

FORM = (
    "re<number>_im<number>_width<number>_levels<n>_maxiter<n or auto>_<fields and tolerances joined by ->"
    "[_julia<number>i<number>]"
)
"""The form of a spec, for messages."""


def as_spec(pyramid: Pyramid) -> str:
    """Return the canonical spec of `pyramid`.

    Examples
    --------
    >>> as_spec(Pyramid(center="-0.75+0.1j", width="1/3", levels=20))
    're-0.75_im0.1_width1r3_levels20_maxiter255_iterations'
    """
    maxiter = pyramid.maxiter
    parts = (
        f"re{spelled(pyramid.center.re)}",
        f"im{spelled(pyramid.center.im)}",
        f"width{spelled(pyramid.width)}",
        f"levels{pyramid.levels}",
        *((f"tilesize{pyramid.tilesize}",) if pyramid.tilesize != _TILESIZE else ()),
        f"maxiter{'.'.join(map(str, maxiter)) if isinstance(maxiter, tuple) else maxiter}",
        "-".join(_field(field, dict(pyramid.tolerance).get(field)) for field in pyramid.fields),
        *(() if pyramid.julia is None else ("julia" + "i".join(map(spelled, pyramid.julia)),)),
    )
    return "_".join(parts)


def from_spec(spec: str) -> Pyramid:
    """Return the Pyramid of a canonical spec.

    Raises
    ------
    ValueError
        If `spec` is malformed, if a value is out of its range, or if `spec` is not the canonical form of its place (the
        message contains that form).

    Examples
    --------
    >>> from_spec("re-0.75_im0.1_width5_levels20_maxiter255_iterations").grid(19).shape
    (1024, 1024)
    """
    match = _SPEC.fullmatch(spec)
    if match is None:
        msg = f"a place must be written as {FORM}, not {spec[:80]!r}"
        raise ValueError(msg)
    fields = [_FIELD_PARTS.fullmatch(field).groups() for field in match["fields"].split("-")]  # type: ignore[union-attr]
    pyramid = Pyramid(
        levels=int(match["levels"]),
        tilesize=int(match["tilesize"] or _TILESIZE),
        maxiter=_maxiter(match["maxiter"]),
        center=_point(match["re"], match["im"], "center"),
        width=number_of(match["width"], "width"),
        fields=[field for field, _ in fields],
        tolerance=[(field, number_of(text, field)) for field, text in fields if text],
        julia=_point(match["c_re"], match["c_im"], "julia") if match["c_re"] else None,
    )
    canonical = as_spec(pyramid)
    if canonical != spec:
        msg = f"this is not the canonical form of this place; use {canonical}"
        raise ValueError(msg)
    return pyramid


def spelled(value: Fraction) -> str:
    """Return a number in the form of a spec."""
    return as_text(value).replace("/", "r")


def number_of(text: str, name: str) -> Fraction:
    """Return the number in a part of a spec; `name` is its name in error messages."""
    return as_fraction(text.replace("r", "/"), name)


def _field(name: str, tolerance: Fraction | None) -> str:
    return name if tolerance is None else f"{name}{spelled(tolerance)}"


def _point(re_text: str, im_text: str, name: str) -> Point:
    return Point(*(number_of(text, name) for text in (re_text, im_text)))


def _maxiter(text: str) -> MaxiterLike:
    if text == "auto":
        return "auto"
    values = tuple(int(value) for value in text.split("."))
    return values if len(values) > 1 else values[0]
