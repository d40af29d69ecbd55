"""Scene: all parameters of a picture. It is drawn band by band, and can be read back from the file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask import __version__
from mandeldask.fractal.escape.units import unit_for
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.kernels import kernel_for
from mandeldask.fractal.pyramid import as_julia
from mandeldask.lazy.blocks import TILESIZE, task_side
from mandeldask.lazy.tile_threads import compute_tiles
from mandeldask.picture import lookup_table, paint, pillow, unpacked
from mandeldask.png import texts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.Image import Image

    from mandeldask.lazy.progress import Report

BAND = 2**21
"""Number of points that are computed at a time."""

TEXT = "mandeldask"
"""Keyword of the text in a PNG that describes the scene, as JSON."""


@dataclass(frozen=True, slots=True)
class Scene:
    """All parameters of a picture, enough to compute it again."""

    center: str
    """Centre of the picture."""
    width: str
    """Width in plane units."""
    size: str
    """Pixels, ``"1920x1080"``."""
    maxiter: int
    """Greatest escape count."""
    field: str
    """Variable shown."""
    cmap: str
    """Palette or colormap."""
    oversample: int = 1
    """Points along each side of a pixel; their colours are averaged."""
    julia: str | None = None
    """The c of a Julia set; None for the Mandelbrot set."""
    edges: float = 0.0
    """Strength, 0 to 1, with which points near the set are darkened by their distance."""

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels (height, width)."""
        width, height = map(int, self.size.lower().split("x"))
        return height, width

    @property
    def texts(self) -> dict[str, str]:
        """The texts in its PNG file."""
        parameters = {name: value for name, value in asdict(self).items() if name != "edges" or value}
        return {"Software": f"mandeldask {__version__}", TEXT: json.dumps(parameters)}

    @classmethod
    def of_file(cls, path: Path) -> Scene | None:
        """Return the scene in the text of a PNG file; None if it has none.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        try:
            parameters = json.loads(texts_of(path).get(TEXT, "null"))
            names = {each.name for each in fields(cls)}
            return cls(**{name: value for name, value in parameters.items() if name in names})
        except (AttributeError, TypeError, ValueError):
            return None

    def bands(self, report: Report = lambda _done, _total: None) -> Iterator[NDArray[np.uint8]]:
        """Compute and draw the picture from top to bottom; yield uint8 arrays of shape (rows, width, 3).

        Only the points of one band are in memory. `report` is called with (done, total).
        """
        many = self.oversample
        height, width = (many * side for side in self.shape)
        grid = Grid.window(
            self.center, self.width, (height, width), allow_huge=True
        )  # the numbers were checked when the scene was made
        names = (self.field, "distance") if self.edges and self.field != "distance" else (self.field,)
        c = as_julia(self.julia, names, allow_huge=True)
        kernel = kernel_for(c, self.maxiter, names, unit_for(grid.spacing))
        colours = lookup_table(self.cmap)
        step = max(1, BAND // (width * many)) * many
        starts = range(0, height, step)
        side = task_side(TILESIZE, self.maxiter)
        for place, start in enumerate(starts):

            def tell(done: int, total: int, place: int = place) -> None:
                report(place * total + done, len(starts) * total)

            computed = compute_tiles(kernel, grid[start : start + step, :], side, tell)
            yield _reduced(self._painted(computed, kernel.attributes, grid.spacing, colours), many)

    def _painted(
        self,
        part: Mapping[str, NDArray[Any]],
        attrs: Mapping[str, Mapping[str, Any]],
        spacing: Fraction,
        colours: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        """Return the colours of computed points, from the fields and their attributes."""
        inside = float(self.maxiter) if self.field in {"iterations", "smooth"} else np.inf
        unit = _pixel(attrs[self.field], spacing) if self.field == "distance" else 1.0
        picture = paint(unpacked(part[self.field], attrs[self.field]), colours, inside=inside, unit=unit)
        if self.edges:
            pixels = part["distance"] / _pixel(attrs["distance"], spacing)
            light = 1.0 - self.edges * np.exp(-0.5 * np.nan_to_num(pixels))
            picture = (picture * light[..., None] + 0.5).astype(np.uint8)
        return picture

    def paint(self, report: Report = lambda _done, _total: None) -> Image:
        """Compute and draw the whole picture as a Pillow Image."""
        picture: Image = pillow().fromarray(np.concatenate(list(self.bands(report))))
        return picture


def _reduced(points: NDArray[np.uint8], many: int) -> NDArray[np.uint8]:
    """Return the means of `many` x `many` points."""
    return points if many == 1 else np.asarray(pillow().fromarray(points).reduce(many))


def _pixel(attrs: Mapping[Any, Any], spacing: Fraction) -> float:
    """Return the distance of neighbouring points in the unit of a field of distances."""
    return float(spacing / Fraction(attrs.get("exact_unit", 1))) or 1.0
