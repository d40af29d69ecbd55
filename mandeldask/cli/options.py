"""Options that several commands share, and the conversion of their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mandeldask.fractal.places import as_place
from mandeldask.fractal.pyramid import FIELDS, Pyramid, checked_fields, checked_maxiter

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_WIDTH = "5"
"""Default width in plane units."""

PYRAMID = "Pyramid"
"""Title of this group of options in the help."""

Coarser = Annotated[
    str,
    typer.Option(
        "--pyramid",
        help="Coarser levels of images, below /zarr/v3/images: auto, none, mean, stride or mode (for labels).",
        rich_help_panel="Server",
    ),
]

Levels = Annotated[int, typer.Option(help="Number of levels; level 0 is the finest.", rich_help_panel=PYRAMID)]
Tilesize = Annotated[int, typer.Option(help="Pixels along a chunk.", rich_help_panel=PYRAMID)]
Maxiter = Annotated[
    str,
    typer.Option(
        help='Greatest escape count: a number, "auto" (grows with depth), or one per level from the finest: "9,5,2".',
        rich_help_panel=PYRAMID,
    ),
]
Center = Annotated[
    str,
    typer.Option(
        help='Middle of the picture, with any number of digits: "-0.75+0.1j"; or a link to it.',
        rich_help_panel=PYRAMID,
    ),
]
Width = Annotated[
    str | None,
    typer.Option(
        help='Width in plane units, of any size: "5", "1e-30", "1/3". Default: that of a link, or 5.',
        rich_help_panel=PYRAMID,
    ),
]
Fields = Annotated[
    str, typer.Option(help=f"Variables, joined by commas: {', '.join(FIELDS)}.", rich_help_panel=PYRAMID)
]
Julia = Annotated[
    str | None,
    typer.Option(
        help='Show the Julia set of this c, such as "-0.8+0.156j", instead of the Mandelbrot set.',
        rich_help_panel=PYRAMID,
    ),
]
AllowHuge = Annotated[
    bool, typer.Option("--allow-huge", help="Accept numbers of more than 100,000 digits.", rich_help_panel=PYRAMID)
]


@dataclass(frozen=True, slots=True)
class PyramidOptions:
    """The options, as text, that describe a Pyramid."""

    levels: int
    tilesize: int
    maxiter: str
    center: str
    width: str | None
    fields: str
    julia: str | None = None
    allow_huge: bool = False

    def pyramid(self) -> Pyramid:
        """Return the Pyramid; raise ValueError if an option has a wrong value."""
        place = as_place(self.center, allow_huge=self.allow_huge)
        return Pyramid(
            levels=self.levels,
            tilesize=self.tilesize,
            maxiter=as_maxiter(self.maxiter),
            center=place.center,
            width=self.width or place.width or DEFAULT_WIDTH,
            fields=as_fields(self.fields),
            julia=self.julia or place.julia,
            allow_huge=self.allow_huge,
        )


def as_maxiter(text: str) -> int | Literal["auto"] | tuple[int, ...]:
    """Return the value of ``--maxiter``.

    Raises
    ------
    ValueError
        If `text` is neither a number, nor "auto", nor numbers joined by commas.
    """
    if text == "auto":
        return "auto"
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        msg = f'maxiter must be an integer, "auto" or integers joined by commas, not {text!r}'
        raise ValueError(msg) from None
    return numbers[0] if len(numbers) == 1 else numbers


def as_count(text: str) -> int:
    """Return the value of ``--maxiter`` for commands that need one number.

    Raises
    ------
    ValueError
        If `text` is not a number from 1 to 2^32-1.
    """
    if not text.isdecimal():
        msg = f'maxiter must be "auto" or an integer from 1 to {2**32 - 1}, such as 1000, not {text!r}'
        raise ValueError(msg)
    return checked_maxiter(int(text))


def as_fields(text: str) -> tuple[str, ...]:
    """Return the fields in ``--fields``.

    Raises
    ------
    ValueError
        If it names no field, or a field that does not exist.
    """
    names = split(text)
    if not names:
        msg = f"--fields must name one or more of {', '.join(FIELDS)}, joined by commas, not {text!r}"
        raise ValueError(msg)
    return checked_fields(names)


def split(text: str) -> tuple[str, ...]:
    """Return the parts of a comma-separated list."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def as_levels(text: str, count: int) -> tuple[int, ...]:
    """Return the levels in ``"44-49"`` or ``"3,7"``, in ascending order.

    Raises
    ------
    ValueError
        If `text` names no level of a pyramid of `count` levels.
    """
    try:
        levels = sorted({level for part in split(text) for level in _span(part)})
    except ValueError:
        levels = []
    if not levels or levels[0] < 0 or levels[-1] >= count:
        msg = f'levels must be from 0 to {count - 1}, such as "{max(0, count - 4)}-{count - 1}", not {text!r}'
        raise ValueError(msg)
    return tuple(levels)


def _span(part: str) -> Iterable[int]:
    first, dash, last = part.partition("-")
    return range(int(first), int(last) + 1) if dash else (int(first),)


def as_shape(text: str) -> tuple[int, int]:
    """Return (height, width) from ``"<width>x<height>"``, such as ``"1920x1080"``.

    Raises
    ------
    ValueError
        If `text` does not have this form.
    """
    width, times, height = text.lower().replace("\N{MULTIPLICATION SIGN}", "x").partition("x")
    if not (times and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        msg = f'size must be WIDTHxHEIGHT in pixels, such as "1920x1080", not {text!r}'
        raise ValueError(msg)
    return int(height), int(width)
