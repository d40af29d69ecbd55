"""Read places from links of the viewer page, URLs of places and location files, exactly."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from mandeldask.fractal.place_url import from_spec
from mandeldask.fractal.rationals import Point, as_fraction, as_point

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE_WIDTH = 1024
"""Assumed width in pixels of a link that has a level but no width."""

PAGE_LEVELS, PAGE_TILESIZE, PAGE_EXTENT = 50, 512, 5
"""The pyramid to which the levels of such links refer: that of the vizarr notebook."""


@dataclass(frozen=True, slots=True)
class Place:
    """A point of the plane, with the shown width if the text contains one."""

    center: Point
    """The exact centre."""
    width: Fraction | None = None
    """Width in plane units; None if the text is only a point."""
    julia: Point | None = None
    """The c of the Julia set; None for the Mandelbrot set."""


def as_place(text: str, *, allow_huge: bool = False) -> Place:
    """Return the place that `text` describes.

    Parameters
    ----------
    text : str
        A point (``"-0.75+0.1j"``), a link of the viewer page (``"http://...#re=-0.75&im=0.1&width=1e-3"``, or its hash
        alone), the URL or spec of a place (``"re-0.75_im0.1_width0.001_levels20_maxiter255_iterations"``), or the name
        of a file: ``.kfr`` of Kalles Fraktaler, ``.toml`` of Fraktaler-3, or a PNG that `mandeldask render` wrote.
    allow_huge : bool
        Accept numbers of more than 100,000 digits.

    Raises
    ------
    ValueError
        If `text` has none of these forms.

    Examples
    --------
    >>> as_place("http://127.0.0.1:8000/#re=-0.75&im=0.1&width=1e-3").width
    Fraction(1, 1000)
    >>> as_place("-0.75+0.1j")
    Place(center=Point(re=Fraction(-3, 4), im=Fraction(1, 10)), width=None, julia=None)
    """
    text = text.strip()
    if text.lower().endswith(tuple(_FILES)) and len(text) < _LONGEST_PATH:
        return _from_file(Path(text), allow_huge=allow_huge)
    spec = _spec_in(text)
    if spec:
        pyramid = from_spec(spec)
        return Place(pyramid.center, pyramid.width, pyramid.julia)
    words = _parameters_of(text)
    if not words:
        return Place(as_point(text, allow_huge=allow_huge))
    if "re" not in words or "im" not in words:
        msg = f"a link to a place must contain re= and im=, unlike {text[:80]!r}"
        raise ValueError(msg)
    center = as_point((words["re"], words["im"]), "center of the link", allow_huge=allow_huge)
    julia = as_point(words["julia"], "julia of the link", allow_huge=allow_huge) if words.get("julia") else None
    return Place(center, _width_of(words, allow_huge=allow_huge), julia)


def _from_file(path: Path, *, allow_huge: bool) -> Place:
    """Return the place in a location file.

    Raises
    ------
    ValueError
        If there is no such file, or if it contains no place.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"the location file {str(path)!r} cannot be read: {error.strerror}"
        raise ValueError(msg) from error
    words = _FILES[path.suffix.lower()](content)
    if words is None:
        msg = f"{str(path)!r} contains no place"
        raise ValueError(msg)
    re, im, width, julia = words
    center = as_point((re, im), f"center in {path.name}", allow_huge=allow_huge)
    return Place(center, as_fraction(width, f"width in {path.name}", allow_huge=allow_huge), julia)


Texts = tuple[str | Fraction, str | Fraction, str | Fraction, Point | None]
"""Real part, imaginary part and width of a place in a file, and the c of its Julia set."""


def _of_kfr(content: bytes) -> Texts | None:
    """Read ``Re:``, ``Im:`` and ``Zoom:``; at zoom 1 a picture is 4 plane units high."""
    lines = (line.partition(":") for line in content.decode("utf-8", "replace").splitlines())
    words = {name.strip().lower(): value.strip() for name, _, value in lines}
    return _of_zoom(words.get("re"), words.get("im"), words.get("zoom"))


def _of_toml(content: bytes) -> Texts | None:
    """Read ``location.real``, ``.imag`` and ``.zoom``, which are strings in the files of Fraktaler-3."""
    try:
        location = tomllib.loads(content.decode("utf-8", "replace")).get("location")
    except tomllib.TOMLDecodeError:
        return None
    return _of_zoom(*map(location.get, ("real", "imag", "zoom"))) if isinstance(location, dict) else None


def _of_zoom(re: object, im: object, zoom: object) -> Texts | None:
    if re is None or im is None or zoom is None:
        return None
    times = as_fraction(str(zoom), "zoom")
    if times <= 0:
        msg = f"zoom must be positive, not {str(zoom)[:60]!r}"
        raise ValueError(msg)
    return str(re), str(im), 4 / times, None


def _of_png(content: bytes) -> Texts | None:
    """Read the text chunk ``mandeldask``, which `mandeldask render` writes."""
    mark = content.find(b"tEXtmandeldask\0")
    if mark < 0:
        return None
    length = int.from_bytes(content[mark - 4 : mark], "big")
    try:
        scene = json.loads(content[mark + 4 : mark + 4 + length].partition(b"\0")[2])
        point = as_point(scene["center"])
        julia = scene.get("julia")
        return point.re, point.im, str(scene["width"]), None if julia is None else as_point(julia)
    except (KeyError, TypeError, ValueError):
        return None


_FILES: dict[str, Callable[[bytes], Texts | None]] = {".kfr": _of_kfr, ".png": _of_png, ".toml": _of_toml}
"""Functions that read location files, by suffix."""

_LONGEST_PATH = 4096
"""Greatest number of characters of a file's name."""


def _spec_in(text: str) -> str | None:
    """Return the spec in a URL below ``/at/``, or `text` if it is a spec."""
    _, at, rest = unquote(text).rpartition("/at/")
    spec = rest.split("/")[0].removesuffix(".zarr")
    return spec if at or (spec.startswith("re") and "_im" in spec) else None


def _parameters_of(text: str) -> dict[str, str]:
    """Return the parameters of a link, from its hash or its query."""
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
