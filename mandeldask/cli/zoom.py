"""`mandeldask zoom`: make a film of a zoom into a place from exact keyframes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mandeldask.cli.options import AllowHuge, Julia, as_count, as_shape
from mandeldask.fractal.geometry import positive
from mandeldask.fractal.places import as_place
from mandeldask.fractal.pyramid import as_julia, checked_fields
from mandeldask.fractal.rationals import as_text, point_as_text
from mandeldask.picture import lookup_table

FILM, PLACE = "Film", "Place"

FILMS = (".mp4", ".webm", ".mkv", ".mov", ".gif")
"""Suffixes of films that ffmpeg writes."""


def zoom(
    place: Annotated[
        str, typer.Argument(help="Destination: a point with --width, a link to a place, or a location file.")
    ],
    *,
    out: Annotated[
        Path, typer.Option(help=f"Film to write ({', '.join(FILMS)}, by ffmpeg), or a folder for its frames.")
    ] = Path("frames"),
    frames: Annotated[int, typer.Option(min=2, help="Number of frames.", rich_help_panel=FILM)] = 300,
    rate: Annotated[int, typer.Option(min=1, max=240, help="Frames per second.", rich_help_panel=FILM)] = 30,
    width: Annotated[
        str | None, typer.Option(help="Width of the last frame in plane units.", rich_help_panel=PLACE)
    ] = None,
    start: Annotated[
        str, typer.Option("--from", help="Width of the first frame in plane units.", rich_help_panel=PLACE)
    ] = "4",
    julia: Julia = None,
    size: Annotated[str, typer.Option(help="Pixels, WIDTHxHEIGHT.", rich_help_panel=FILM)] = "1280x720",
    maxiter: Annotated[str, typer.Option(help='Greatest escape count, or "auto".', rich_help_panel=PLACE)] = "auto",
    field: Annotated[str, typer.Option(help="Variable to draw.", rich_help_panel=FILM)] = "smooth",
    cmap: Annotated[str, typer.Option(help="Colours, as for render.", rich_help_panel=FILM)] = "ember",
    edges: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Darken points close to the set, by their distance: 0 to 1.", rich_help_panel=FILM
        ),
    ] = 0.0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.", rich_help_panel=FILM)] = False,
    allow_huge: AllowHuge = False,
) -> None:
    """Zoom into a place. After an interruption, the same command continues.

    Keyframes, each twice as deep as the one before, are computed exactly; the frames between two are blended from both.

    **Examples:**

    `mandeldask zoom "-0.743643887037+0.131825904205j" --width 1e-9 --frames 600 --out seahorses.mp4`

    `mandeldask zoom place.kfr --out frames/`
    """
    height, cols = as_shape(size)
    where = as_place(place, allow_huge=allow_huge)
    extent = width or where.width
    if extent is None:
        msg = "zoom needs --width, the width of the last frame in plane units, or a link that contains it"
        raise ValueError(msg)
    checked_fields((field,))
    needed = (field, "distance") if edges else (field,)
    c = as_julia(julia or where.julia, needed, allow_huge=allow_huge)
    first, last = positive(start, "--from", allow_huge=allow_huge), positive(extent, "width", allow_huge=allow_huge)
    from mandeldask import film as films  # noqa: PLC0415  slow imports of dask and xarray, not for `--help`
    from mandeldask.lazy.progress import reporting  # noqa: PLC0415
    from mandeldask.scene import Scene  # noqa: PLC0415

    lookup_table(cmap)
    most = None if maxiter == "auto" else as_count(maxiter)
    c_text = c and point_as_text(c)
    scene = Scene(
        point_as_text(where.center), as_text(last), f"{cols}x{height}", most or 1, field, cmap, 1, c_text, edges
    )  # fmt: skip
    film = films.Film(scene, as_text(first), frames, most)
    is_film = out.suffix.lower() in FILMS
    _check(out, is_film=is_film)
    with reporting("zoom", progress=False if quiet else "lines") as report:
        if is_film:
            films.write_film(film, out, rate, report)
        else:
            films.write_frames(film, out, report)
    typer.echo(out)


def _check(out: Path, *, is_film: bool) -> None:
    """Raise ValueError, before any computation, if a target cannot be written."""
    if not out.parent.is_dir():
        msg = f"there is no folder {str(out.parent)!r} to write to"
        raise ValueError(msg)
    if out.is_dir() if is_film else out.suffix != "" or out.is_file():
        msg = f"--out must be a folder, or a film that ends in {', '.join(FILMS)}, not {str(out)!r}"
        raise ValueError(msg)
