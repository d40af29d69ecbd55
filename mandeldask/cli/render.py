"""`mandeldask render`: draw a picture of any place; the file also stores the parameters."""

from __future__ import annotations

import os
from math import isqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from mandeldask.cli.options import AllowHuge, Julia, as_count, as_shape
from mandeldask.fractal.geometry import Grid, positive
from mandeldask.fractal.places import as_place
from mandeldask.fractal.pyramid import Pyramid, as_julia, auto_maxiter, checked_fields
from mandeldask.fractal.rationals import as_text, point_as_text
from mandeldask.picture import MAX_PIXELS
from mandeldask.png import LONGEST, write_png

if TYPE_CHECKING:
    from fractions import Fraction

    from mandeldask.fractal.places import Place
    from mandeldask.lazy.progress import Report
    from mandeldask.scene import Scene

PICTURE, PLACE = "Picture", "Place"


def render(
    target: Annotated[Path, typer.Argument(help="File to write: .png, or any other suffix that Pillow supports.")],
    *,
    center: Annotated[
        str | None,
        typer.Option(
            help="Middle of the picture, or a link to it. Default: -0.65; 0 for a Julia set.", rich_help_panel=PLACE
        ),
    ] = None,
    julia: Julia = None,
    width: Annotated[
        str | None, typer.Option(help='Width in plane units, of any size: "3.4", "1e-30".', rich_help_panel=PLACE)
    ] = None,
    level: Annotated[
        int | None,
        typer.Option(help="Instead of --width: use the pixel spacing of this level.", rich_help_panel=PLACE),
    ] = None,
    size: Annotated[str, typer.Option(help="Pixels, WIDTHxHEIGHT.", rich_help_panel=PICTURE)] = "1280x960",
    maxiter: Annotated[str, typer.Option(help='Greatest escape count, or "auto".', rich_help_panel=PLACE)] = "auto",
    field: Annotated[str, typer.Option(help="Variable to draw.", rich_help_panel=PICTURE)] = "iterations",
    cmap: Annotated[
        str, typer.Option(help="ember, lagoon, orchid, meadow, graphite or matplotlib's.", rich_help_panel=PICTURE)
    ] = "ember",
    oversample: Annotated[
        int, typer.Option(min=1, max=8, help="Average N×N points per pixel.", rich_help_panel=PICTURE)
    ] = 1,
    edges: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Darken points close to the set, by their distance: 0 to 1.", rich_help_panel=PICTURE
        ),
    ] = 0.0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.", rich_help_panel=PICTURE)] = False,
    allow_huge: AllowHuge = False,
) -> None:
    """Draw any place of the plane. The file also stores the parameters, so that you can draw it again.

    **Examples:**

    `mandeldask render set.png`

    `mandeldask render spiral.png --center "-0.7436438870371587+0.1318259042053120j" --width 1e-9 --cmap orchid`
    """
    height, cols = as_shape(size)
    place = as_place(center or ("0" if julia else "-0.65"), allow_huge=allow_huge)
    c = as_julia(julia or place.julia, (field,), allow_huge=allow_huge)
    extent = _extent(width, level, cols, place, allow_huge=allow_huge)
    _check_size(target, size, oversample)
    grid = Grid.window(place.center, extent, (height, cols), allow_huge=allow_huge)
    most = auto_maxiter(grid.spacing) if maxiter == "auto" else as_count(maxiter)
    from mandeldask.lazy.progress import reporting  # noqa: PLC0415  slow imports of dask and xarray, not for `--help`
    from mandeldask.scene import Scene  # noqa: PLC0415

    point = point_as_text(place.center)
    scene = Scene(
        point, as_text(extent), size, most, field, cmap, oversample, c and point_as_text(c), edges
    )  # fmt: skip
    _check_field(scene)
    _check_writable(target)
    with reporting(f"{size} pixels, maxiter {most}", progress=False if quiet else "lines") as report:
        save(scene, target, report)
    typer.echo(target)


def _check_field(scene: Scene) -> None:
    """Raise ValueError, before any computation, if a field does not exist or has no distance."""
    checked_fields((scene.field,))
    if scene.edges and scene.julia is not None:
        as_julia(scene.julia, ("distance",), allow_huge=True)


def _check_size(target: Path, size: str, oversample: int) -> None:
    """Raise ValueError if a picture is too large for its format, or for memory if it is drawn as a whole."""
    height, width = as_shape(size)
    if is_png(target):
        if max(height, width) > LONGEST or width * oversample**2 > MAX_PIXELS:
            msg = f"--size {size} with --oversample {oversample} is too large for a PNG that is written row by row"
            raise ValueError(msg)
    elif height * width * oversample**2 > MAX_PIXELS:
        most = isqrt(MAX_PIXELS * width // (height * oversample**2))
        msg = (
            f"--size {size} with --oversample {oversample} computes {height * width * oversample**2} points, more than "
            f"the {MAX_PIXELS} of a picture: the largest of this shape is --size {most}x{most * height // width}; "
            f"a .png may be of any size"
        )
        raise ValueError(msg)


def is_png(target: Path) -> bool:
    """Return whether a file is a PNG, which is written band by band."""
    return target.suffix.lower() == ".png"


def _check_writable(target: Path) -> None:
    """Raise ValueError, before any computation, if a file cannot be written."""
    from PIL import Image  # noqa: PLC0415  an extra

    endings = Image.registered_extensions()
    if target.is_dir():
        msg = f"{str(target)!r} cannot be written: it is a folder"
        raise ValueError(msg)
    if target.suffix.lower() not in endings:
        has = f"written as {target.suffix!r}" if target.suffix else "written without a suffix"
        msg = f"a picture cannot be {has}; name a file that ends in .png, for example"
        raise ValueError(msg)
    if not target.parent.is_dir():
        msg = f"there is no folder {str(target.parent)!r} to write to"
        raise ValueError(msg)
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        msg = f"{str(target)!r} cannot be written: it is not writable"
        raise ValueError(msg)
    try:
        TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent).cleanup()
    except OSError as error:  # root may write everywhere, but not to every file system
        msg = f"{str(target)!r} cannot be written: {error.strerror}"
        raise ValueError(msg) from error


def save(scene: Scene, target: Path, report: Report = lambda _done, _total: None) -> None:
    """Draw a scene into a file; a PNG is written band by band, with the parameters as text chunks.

    If it is interrupted, `target` is unchanged.
    """
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
        whole = Path(folder) / target.name
        if is_png(target):
            with whole.open("wb") as file:
                write_png(file, scene.shape, scene.bands(report), scene.texts)
        else:
            scene.paint(report).save(whole)
        whole.replace(target)


def _extent(width: str | None, level: int | None, cols: int, place: Place, *, allow_huge: bool) -> Fraction:
    """Return the width in plane units: from ``--width``, from a level of the default pyramid, or from a link."""
    if width is not None and level is not None:
        msg = "use --width or --level, not both"
        raise ValueError(msg)
    if level is None:
        return positive(width or place.width or "3.4", "width", allow_huge=allow_huge)
    default = Pyramid()
    if not 0 <= level < default.levels:
        msg = f"level must be 0 to {default.levels - 1}, not {level}"
        raise ValueError(msg)
    return default.grid(level).spacing * cols
