"""Drawing a window to scale, at depths where float64 coordinates can no longer tell its pixels apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.fractal.geometry import Axis
from mandeldask.fractal.rationals import as_text
from mandeldask.lazy.index import PixelIndex
from mandeldask.lazy.reading import check_size
from mandeldask.lazy.transform import coordinates

if TYPE_CHECKING:
    import xarray as xr

DIGITS = 10
"""Binary digits of a coordinate that should tell neighbours apart, for ticks to make sense."""


def plot(array: xr.DataArray, **keywords: Any) -> Any:
    """Draw `array` with equal scales along both axes, and return matplotlib's image.

    Axes are in plane units. Where neighbours differ in the last few digits of float64 only, they count from the
    middle of the window, and their labels say where that is.

    Parameters
    ----------
    array : DataArray
        Pixels of a window, dimensions (y, x).
    **keywords
        For `DataArray.plot.imshow`: ax, cmap, vmin, robust, ...

    Raises
    ------
    MemoryError
        If `array` is a whole level: select a window first.
    """
    check_size(array.shape)
    for name in ("y", "x"):
        index = array.xindexes.get(name)
        if isinstance(index, PixelIndex) and not _tells_apart(index.axis):
            array = _from_the_middle(array, name, index.axis)
    image = array.plot.imshow(**{"x": "x", "y": "y", **keywords})
    image.axes.set_aspect("equal")
    return image


def _tells_apart(axis: Axis) -> bool:
    ends = np.abs([float(axis.start), float(axis.start + axis.size * axis.step)])
    return bool(float(abs(axis.step)) > np.spacing(ends.max()) * 2**DIGITS)


def _from_the_middle(array: xr.DataArray, name: str, axis: Axis) -> xr.DataArray:
    middle = axis[axis.size // 2]
    offsets = coordinates(Axis(axis.start - middle, axis.step, axis.size), np.arange(axis.size))
    label = f"{array[name].attrs.get('long_name', name)} − ({as_text(middle)})"
    return array.drop_indexes(name).assign_coords({name: (name, offsets, {"long_name": label})})
