"""Write documents of zarr-conventions: the levels of an image, their position, and their coordinate reference system.

They are for Zarr v3 only: `multiscales` is an object here and a list in OME-Zarr 0.4, which is for v2, so one array
cannot have both.

Sources: https://github.com/zarr-conventions/multiscales, https://github.com/zarr-conventions/spatial,
https://github.com/zarr-conventions/proj.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

SPATIAL: Final = {
    "uuid": "689b58e2-cf7b-45e0-9fff-9cfc0883d6b4",
    "name": "spatial",
    "schema_url": "https://raw.githubusercontent.com/zarr-conventions/spatial/refs/tags/v0.1/schema.json",
    "spec_url": "https://github.com/zarr-conventions/spatial/blob/v0.1/README.md",
    "description": "Spatial coordinate information",
}
"""The zarr-convention of positions of pixels."""

PROJ: Final = {
    "uuid": "f17cb550-5864-4468-aeb7-f3180cfb622f",
    "name": "proj",
    "schema_url": "https://raw.githubusercontent.com/zarr-conventions/proj/refs/tags/v0.1/schema.json",
    "spec_url": "https://github.com/zarr-conventions/proj/blob/v0.1/README.md",
    "description": "Coordinate reference system information for geospatial data",
}
"""The zarr-convention of coordinate reference systems."""

CONVENTIONS: Final = (
    {
        "uuid": "d35379db-88df-4056-af3a-620245f8e347",
        "name": "multiscales",
        "schema_url": "https://raw.githubusercontent.com/zarr-conventions/multiscales/refs/tags/v0.1/schema.json",
        "spec_url": "https://github.com/zarr-conventions/multiscales/blob/v0.1/README.md",
        "description": "Multiscale layout of zarr datasets",
    },
    SPATIAL,
)
"""The zarr-conventions of a multiscale group; multiscales first."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A level and its position in the plane, for the conventions `multiscales` and `spatial`."""

    asset: str
    """Path of its group."""
    shape: tuple[int, int]
    """Rows and columns."""
    transform: tuple[float, float, float, float, float, float]
    """(a, b, c, d, e, f) with x = a * column + b * row + c and y = d * column + e * row + f."""
    factor: tuple[float, float] = (1.0, 1.0)
    """Rows and columns of the previous level per row and column of this level."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Position of its first pixel, in pixels of the previous level."""


def spatial(
    levels: Sequence[Placed],
    *,
    dims: tuple[str, str] = ("y", "x"),
    method: str = "",
    bounds: tuple[float, float, float, float] | None = None,
    crs: str = "",
) -> dict[str, Any]:
    """Return the attributes of zarr-conventions for a v3 group: `multiscales`, `spatial`, and `proj` if there is a CRS.

    Parameters
    ----------
    levels : sequence of Placed
        Levels, finest first; each is derived from the previous one.
    dims : pair of str
        The dimensions of rows and columns.
    method : str
        Method by which a level was made from the previous one.
    bounds : four floats, optional
        Smallest x and y, then greatest x and y; by default those of the finest level's corners.
    crs : str
        Code of the coordinate reference system, such as "EPSG:32633".
    """
    finest = levels[0]
    conventions = [*CONVENTIONS, PROJ] if crs else CONVENTIONS
    resampled = {"resampling_method": method} if method else {}
    pairs = zip(levels, [None, *levels], strict=False)
    return {
        "zarr_conventions": [dict(convention) for convention in conventions],
        "multiscales": {"layout": [_layout(level, finer) for level, finer in pairs], **resampled},
        "spatial:dimensions": list(dims),
        "spatial:bbox": list(bounds or _bounds(finest)),
        "spatial:transform_type": "affine",
        "spatial:registration": "pixel",
        **({"proj:code": crs} if crs else {}),
    }


def _layout(level: Placed, finer: Placed | None) -> dict[str, Any]:
    relative = {"scale": list(level.factor), "translation": list(level.shift)}
    derived = {} if finer is None else {"derived_from": finer.asset, "transform": relative}
    placed = {"spatial:shape": list(level.shape), "spatial:transform": list(level.transform)}
    return {"asset": level.asset, **derived, **placed}


def _bounds(level: Placed) -> tuple[float, float, float, float]:
    """Return the smallest x and y, then the greatest x and y of a level's corners."""
    a, b, c, d, e, f = level.transform
    height, width = level.shape
    corners = [(col * a + row * b + c, col * d + row * e + f) for row in (0, height) for col in (0, width)]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
