"""The position of an image on a map, from its file: an affine transformation and a coordinate reference system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from mandeldask.conventions import PROJ, SPATIAL

if TYPE_CHECKING:
    from collections.abc import Sequence

Affine = tuple[float, float, float, float, float, float]

_NUMBERS: Final = 6

_TRANSFORM, _SHAPE, _CODE = "spatial:transform", "spatial:shape", "proj:code"


@dataclass(frozen=True, slots=True)
class Placement:
    """Position of pixel corners: x = a * column + b * row + c and y = d * column + e * row + f."""

    transform: Affine
    """(a, b, c, d, e, f)."""
    crs: str = ""
    """The coordinate reference system, such as "EPSG:32633"; "" if unknown."""

    def coarser(self, rows: float, columns: float) -> Placement:
        """Return the placement of a coarser image of the same area; its pixels span `rows` x `columns` of these pixels.

        Examples
        --------
        >>> Placement((10.0, 0.0, 500.0, 0.0, -10.0, 900.0)).coarser(2, 2).transform
        (20.0, 0.0, 500.0, 0.0, -20.0, 900.0)
        """
        a, b, c, d, e, f = self.transform
        return replace(self, transform=(a * columns, b * rows, c, d * columns, e * rows, f))

    def attributes(self, dims: Sequence[str], shape: Sequence[int]) -> dict[str, Any]:
        """Return the zarr-conventions attributes of an array, from the names and sizes of its rows and columns."""
        return {
            "zarr_conventions": [dict(SPATIAL), *([dict(PROJ)] if self.crs else [])],
            "spatial:dimensions": list(dims),
            _SHAPE: list(shape),
            _TRANSFORM: list(self.transform),
            "spatial:transform_type": "affine",
            "spatial:registration": "pixel",
            **({_CODE: self.crs} if self.crs else {}),
        }


def placement_of(attrs: Mapping[str, Any], dims: Sequence[str], shape: Sequence[int]) -> Placement | None:
    """Return the placement in the zarr-conventions attributes of an image with these rows and columns.

    None if there is no placement, if it is for other dimensions or another shape, or if it describes pixel centres.
    """
    transform, code = attrs.get(_TRANSFORM), attrs.get(_CODE, "")
    described = (attrs.get("spatial:dimensions", dims), attrs.get(_SHAPE, shape))
    if not isinstance(transform, (list, tuple)) or not all(isinstance(each, (list, tuple)) for each in described):
        return None
    numbers = [each for each in transform if isinstance(each, (int, float)) and isfinite(each)]
    same = (list(described[0]), list(described[1])) == (list(dims), list(shape))
    fits = same and len(transform) == len(numbers) == _NUMBERS
    affine = attrs.get("spatial:transform_type", "affine") == "affine"
    if not fits or not affine or attrs.get("spatial:registration", "pixel") != "pixel":
        return None
    a, b, c, d, e, f = map(float, numbers)
    return Placement((a, b, c, d, e, f), code if isinstance(code, str) else "")


def coarser_attributes(
    attrs: Mapping[str, Any], dims: Sequence[str], shape: Sequence[int], factors: Mapping[str, float]
) -> dict[str, Any]:
    """Return the attributes of a coarser level: values that depend on the pixel size are converted.

    Parameters
    ----------
    attrs : mapping
        Attributes of the finest level.
    dims : sequence of str
        Names of the axes, rows and columns last.
    shape : sequence of int
        Elements of the coarser level.
    factors : mapping
        Number of elements of the finest level per element of this level, for each dimension that is halved.
    """
    found = dict(attrs)
    sizes = attrs.get("pixel_size")
    if isinstance(sizes, Mapping):
        found["pixel_size"] = {
            dim: size * factors.get(dim, 1) if isinstance(size, (int, float)) else size for dim, size in sizes.items()
        }
    plane, finest = tuple(dims[-2:]), attrs.get(_SHAPE, list(shape[-2:]))
    placed = placement_of(attrs, plane, finest) if isinstance(finest, (list, tuple)) else None
    if placed is not None:
        rows, columns = (factors.get(dim, 1) for dim in plane)
        found |= {_TRANSFORM: list(placed.coarser(rows, columns).transform), _SHAPE: list(shape[-2:])}
    return found
