"""`mandeldask render`: a picture of any place, with what it shows written into the file."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from math import isqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mandeldask import __version__
from mandeldask.cli.options import AllowHuge, Julia, as_count, as_shape
from mandeldask.fractal.geometry import Grid, positive
from mandeldask.fractal.places import as_place
from mandeldask.fractal.pyramid import Pyramid, as_julia, auto_maxiter
from mandeldask.fractal.rationals import as_text, point_as_text
from mandeldask.picture import MAX_PIXELS

if TYPE_CHECKING:
    from fractions import Fraction

    from PIL.Image import Image
    from PIL.PngImagePlugin import PngInfo

    from mandeldask.fractal.places import Place

PICTURE, PLACE = "Picture", "Place"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture shows: enough to compute it again."""

    center: str
    """Middle of the picture."""
    width: str
    """Plane units across."""
    size: str
    """Pixels, ``"1920x1080"``."""
    maxiter: int
    """Greatest escape count."""
    field: str
    """Variable shown."""
    cmap: str
    """Palette or colormap."""
    oversample: int
    """Points along a pixel's edge that are averaged."""
    julia: str | None = None
    """The c of a Julia set; None for the Mandelbrot set."""

    def paint(self) -> Image:
        """Compute and draw."""
        from mandeldask.lazy.window import window  # noqa: PLC0415  dask and xarray: not for `--help`
        from mandeldask.picture import render as render_array  # noqa: PLC0415  Pillow is an extra

        height, width = as_shape(self.size)
        shape = (height * self.oversample, width * self.oversample)
        grid = Grid.window(self.center, self.width, shape, allow_huge=True)  # the scene was allowed when it was made
        seen = window(
            self.center, self.width, shape,
            maxiter=self.maxiter, fields=(self.field,), julia=self.julia, allow_huge=True,
        )  # fmt: skip
        unit = float(grid.spacing) or 1.0 if self.field == "distance" else 1.0
        inside = self.maxiter if self.field in {"iterations", "smooth"} else None
        return render_array(seen[self.field], self.cmap, maxiter=inside, unit=unit).reduce(self.oversample)


def render(
    target: Annotated[Path, typer.Argument(help="File to write: .png, or any ending that Pillow knows.")],
    *,
    center: Annotated[
        str | None,
        typer.Option(help="Middle of the picture, or a link to it. Unless given: -0.65, or 0.", rich_help_panel=PLACE),
    ] = None,
    julia: Julia = None,
    width: Annotated[
        str | None, typer.Option(help='Plane units across, of any size: "3.4", "1e-30".', rich_help_panel=PLACE)
    ] = None,
    level: Annotated[
        int | None,
        typer.Option(help="Instead of --width: pixels as far apart as on this level.", rich_help_panel=PLACE),
    ] = None,
    size: Annotated[str, typer.Option(help="Pixels, WIDTHxHEIGHT.", rich_help_panel=PICTURE)] = "1280x960",
    maxiter: Annotated[str, typer.Option(help='Greatest escape count, or "auto".', rich_help_panel=PLACE)] = "auto",
    field: Annotated[str, typer.Option(help="Variable to draw.", rich_help_panel=PICTURE)] = "iterations",
    cmap: Annotated[
        str, typer.Option(help="ember, lagoon, orchid, meadow, graphite or matplotlib's.", rich_help_panel=PICTURE)
    ] = "ember",
    oversample: Annotated[
        int, typer.Option(min=1, max=8, help="Average N×N points a pixel.", rich_help_panel=PICTURE)
    ] = 1,
    allow_huge: AllowHuge = False,
) -> None:
    """Draw any place of the plane. The file says how to draw it again.

    **Examples:**

    `mandeldask render set.png`

    `mandeldask render spiral.png --center "-0.7436438870371587+0.1318259042053120j" --width 1e-9 --cmap orchid`
    """
    height, cols = as_shape(size)
    place = as_place(center or ("0" if julia else "-0.65"), allow_huge=allow_huge)
    c = as_julia(julia or place.julia, (field,), allow_huge=allow_huge)
    extent = _extent(width, level, cols, place, allow_huge=allow_huge)
    _check_size(size, oversample)
    grid = Grid.window(place.center, extent, (height, cols), allow_huge=allow_huge)
    most = auto_maxiter(grid.spacing) if maxiter == "auto" else as_count(maxiter)
    scene = Scene(
        point_as_text(place.center), as_text(extent), size, most, field, cmap, oversample, c and point_as_text(c)
    )
    _check_writable(target)
    from mandeldask.lazy.progress import reporting  # noqa: PLC0415  as in Scene.paint
    from mandeldask.lazy.threads import stoppable_threads  # noqa: PLC0415

    with reporting(f"{size} pixels, maxiter {most}", progress=None) as report, stoppable_threads(report):
        picture = scene.paint()
    save(picture, target, scene)
    typer.echo(target)


def _check_size(size: str, oversample: int) -> None:
    """Raise ValueError if the points that are computed are too many for one picture."""
    height, width = as_shape(size)
    if height * width * oversample**2 > MAX_PIXELS:
        most = isqrt(MAX_PIXELS * width // (height * oversample**2))
        msg = (
            f"--size {size} with --oversample {oversample} computes {height * width * oversample**2} points, more than "
            f"the {MAX_PIXELS} of a picture: the largest of this shape is --size {most}x{most * height // width}"
        )
        raise ValueError(msg)


def _check_writable(target: Path) -> None:
    """Raise ValueError before anything is computed for a file that could not be written."""
    from PIL import Image  # noqa: PLC0415  an extra

    endings = Image.registered_extensions()
    if target.suffix.lower() not in endings:
        msg = f"a picture cannot be written as {target.suffix or 'a file without ending'!r}; .png is a good choice"
        raise ValueError(msg)
    if not target.parent.is_dir():
        msg = f"there is no folder {str(target.parent)!r} to write to"
        raise ValueError(msg)
    if target.is_dir() or not os.access(target if target.exists() else target.parent, os.W_OK):
        msg = f"{str(target)!r} cannot be written: it is {'a folder' if target.is_dir() else 'not writable'}"
        raise ValueError(msg)


def save(picture: Image, target: Path, scene: Scene) -> None:
    """Write a picture; in a PNG, what it shows as the texts ``Software`` and ``mandeldask`` (JSON).

    Stopped anywhere, `target` is as it was before.
    """
    options: dict[str, Any] = {}
    if target.suffix.lower() == ".png":
        options = {"pnginfo": _texts(scene), "optimize": True}
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
        whole = Path(folder) / target.name
        picture.save(whole, **options)
        whole.replace(target)


def _texts(scene: Scene) -> PngInfo:
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415  Pillow is an extra

    texts = PngInfo()
    texts.add_text("Software", f"mandeldask {__version__}")
    texts.add_text("mandeldask", json.dumps(asdict(scene)))
    return texts


def _extent(width: str | None, level: int | None, cols: int, place: Place, *, allow_huge: bool) -> Fraction:
    """Return the plane units across: of ``--width``, of pixels of a level of the default pyramid, or of a link."""
    if width is not None and level is not None:
        msg = "give --width or --level, not both"
        raise ValueError(msg)
    if level is None:
        return positive(width or place.width or "3.4", "width", allow_huge=allow_huge)
    default = Pyramid()
    if not 0 <= level < default.levels:
        msg = f"level must be 0 to {default.levels - 1}, not {level}"
        raise ValueError(msg)
    return default.grid(level).spacing * cols
