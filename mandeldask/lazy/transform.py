"""Compute the displayed coordinates of pixels: float64, each rounded once from the exact position."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from xarray.indexes import CoordinateTransform

from mandeldask.fractal.rationals import as_fraction
from mandeldask.lazy.memory import check_read

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Axis

MAX_LABELS = 2**22
"""Greatest number of coordinates that are listed as floats, within a tenth of a second.

Longer axes list those of windows only.
"""


class PixelTransform(CoordinateTransform):
    """Transform of pixels of an Axis to float64 coordinates, each rounded once from its exact position."""

    def __init__(self, axis: Axis, dim: str, name: Hashable) -> None:
        super().__init__([name], {dim: axis.size}, np.dtype(np.float64))
        self.axis = axis

    def forward(self, dim_positions: dict[str, Any]) -> dict[Hashable, Any]:
        """Return the coordinates of pixels."""
        return {self.coord_names[0]: coordinates(self.axis, np.asarray(dim_positions[self.dims[0]]))}

    def reverse(self, coord_labels: dict[Hashable, Any]) -> dict[str, Any]:
        """Return the pixel positions of coordinates, as floats."""
        labels = np.asarray(coord_labels[self.coord_names[0]], dtype=object)
        places = [float(self.axis.index(as_fraction(label))) for label in labels.ravel()]
        return {self.dims[0]: np.array(places).reshape(labels.shape)}

    def equals(self, other: CoordinateTransform, **_: Any) -> bool:
        """Return whether all pixels have the same exact positions."""
        return isinstance(other, PixelTransform) and self.axis == other.axis and self.dims == other.dims

    def generate_coords(self, dims: tuple[str, ...] | None = None) -> dict[Hashable, Any]:  # noqa: ARG002  one dimension
        """Return all coordinates; raise MemoryError if there are too many to list."""
        check_read((self.axis.size,), limit=MAX_LABELS)
        return self.forward({self.dims[0]: np.arange(self.axis.size)})


def coordinates(axis: Axis, pixels: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Return the positions of `pixels`, each rounded once to float64."""
    below = math.lcm(axis.start.denominator, axis.step.denominator)
    start, step = int(axis.start * below), int(axis.step * below)
    furthest = max(abs(int(pixels.min())), abs(int(pixels.max()))) if pixels.size else 0
    greatest = abs(start) + abs(step) * furthest
    if _rounds_once(greatest, below):
        above = np.multiply(pixels, step, dtype=np.int64)
        above += start
        places: NDArray[np.float64] = above / float(below)
        return places
    # int / int rounds correctly
    return np.array([(start + pixel * step) / below for pixel in pixels.ravel().tolist()]).reshape(pixels.shape)


def _rounds_once(greatest: int, below: int) -> bool:
    """Return whether float64 divides integers up to `greatest` by `below` with one rounding.

    Either both are floats, or the division by a power of two is exact after the integer was rounded.
    """
    if greatest >= 2**63 or below > 2**1000:
        return False
    power_of_two = below & (below - 1) == 0
    return power_of_two or (greatest <= 2**53 and int(float(below)) == below)
