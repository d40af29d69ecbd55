"""`mandeldask locate`: find the nucleus of least period near a place, and the options to view it."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated

import typer

from mandeldask.cli.text import scientific
from mandeldask.fractal.places import as_place
from mandeldask.fractal.rationals import Point, as_fraction, as_text, point_as_text, shown_point

if TYPE_CHECKING:
    from mandeldask.fractal.atlas import Nucleus

DEFAULT_RADIUS = "0.01"
"""Radius in plane units for a point without a width."""


def locate(
    place: Annotated[str, typer.Argument(help="A point, a link, a URL of a place, or a location file (.kfr, .toml).")],
    *,
    radius: Annotated[
        str | None, typer.Option(help="Search radius in plane units. Default: half the width of a link, or 0.01.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Greatest period to search for.")] = 100_000,
    allow_huge: Annotated[
        bool, typer.Option("--allow-huge", help="Accept numbers of more than 100,000 digits.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Find the nucleus of least period near a place. Exit code 1 means that there is none.

    **Example:** `mandeldask locate "-0.7436438870371587+0.1318259042053119j" --radius 1e-10`
    """
    from mandeldask.fractal.atlas import nucleus  # noqa: PLC0415  slow import of numpy, not for `--help`

    spot = as_place(place, allow_huge=allow_huge)
    if spot.julia is not None:
        msg = f"a Julia set has no nuclei; those of the Mandelbrot set near its c: locate {shown_point(spot.julia)!r}"
        raise ValueError(msg)
    half = None if spot.width is None else spot.width / 2
    around = half if radius is None and half else as_fraction(radius or DEFAULT_RADIUS, "radius")
    found = nucleus(spot.center, around, most=most, allow_huge=allow_huge)
    if found is None:
        disc = f"within {scientific(around)} of {place}"
        typer.echo(f"no nucleus of a period up to {most} was found {disc}: try another --radius", err=True)
        raise typer.Exit(1)
    facts = described(found)
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        typer.echo(f"{name:12}{value}")


def described(found: Nucleus) -> dict[str, str | int]:
    """Return the description of a nucleus."""
    scale = 10 ** max(10, len(str(int(1 / found.size))) + 8)  # a few digits more than the component's size needs
    middle = Point(*(Fraction(round(part * scale), scale) for part in found.center))
    width = scientific(found.width)
    return {
        "period": found.period,
        "kind": found.kind,
        "re": as_text(middle.re),
        "im": as_text(middle.im),
        "size": scientific(found.size),
        "turned": f"{found.orientation:.6f} rad",
        "angles": ", ".join(map(str, found.angles)) or "not listed for this period",
        "frame it": f"mandeldask render minibrot.png --center={point_as_text(middle)} --width {width}",
    }
