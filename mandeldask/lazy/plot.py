"""Plot windows with equal scales, even if float64 coordinates can no longer distinguish pixels.

xarray stretches a picture to the shape of the figure. An array cannot set the aspect of the axes: neither its
attributes nor its index reach matplotlib, whose unit converters see plain numpy arrays. So this package has its own
accessor, `array.mandel.plot`, and leaves xarray's `array.plot` unchanged.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np
from xarray.plot import FacetGrid
from xarray.plot.accessor import DataArrayPlotAccessor

from mandeldask.fractal.geometry import Axis
from mandeldask.fractal.rationals import as_text
from mandeldask.lazy.index import PixelIndex
from mandeldask.lazy.memory import check_read
from mandeldask.lazy.transform import coordinates

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    import xarray as xr

EXPONENT = 0.2
"""Exponent of the colour scale."""

LABEL = 32
"""Greatest number of characters of a number in an axis label."""

DIGITS = 10
"""Bits by which neighbouring coordinates must differ so that ticks are useful."""


def _to_scale(draw: Any) -> Any:
    """Wrap a method of xarray's accessor so that it draws with equal scales along both axes."""

    @wraps(draw)
    def drawn(self: PlotAccessor, *args: Any, **keywords: Any) -> Any:
        array = self._da
        check_read(array.shape)
        result = draw(DataArrayPlotAccessor(_distinguishable(array)), *args, **keywords)
        if _shows_the_plane(array, args, keywords):
            for axes in _axes_of(result):
                axes.set_aspect("equal")
        return result

    return drawn


class PlotAccessor(DataArrayPlotAccessor):
    """xarray's accessor `plot` with equal scales in two-dimensional plots of the plane.

    A call draws the pixels as an image, x across and y up. Axes are in plane units. If neighbours differ only in the
    last few digits of float64, ticks are relative to the middle of the window, and the labels state that middle.
    """

    __slots__ = ()

    def __call__(self, **keywords: Any) -> Any:  # type: ignore[override]  # an image, not what xarray would choose
        """Return matplotlib's AxesImage, or xarray's FacetGrid, of the pixels.

        Pixels that did not escape are black. Unless limits, levels or a norm are given, colours follow the fifth root
        of the value, between the 1st and the 99th percentile: the few pixels near the boundary take up most of the
        range.

        Parameters
        ----------
        **keywords
            For `DataArray.plot.imshow`: ax, cmap, vmin, robust, norm, col, ...

        Raises
        ------
        MemoryError
            If the array is a whole deep level: select a window first.
        """
        if "maxiter" not in self._da.attrs:
            return self.imshow(**{"x": "x", "y": "y", **keywords})
        check_read(self._da.shape)
        escaped = _escaped(self._da)
        return PlotAccessor(escaped).imshow(**{"x": "x", "y": "y", **_colours(escaped, keywords)})

    contour = _to_scale(DataArrayPlotAccessor.contour)
    contourf = _to_scale(DataArrayPlotAccessor.contourf)
    imshow = _to_scale(DataArrayPlotAccessor.imshow)
    pcolormesh = _to_scale(DataArrayPlotAccessor.pcolormesh)


def _escaped(array: xr.DataArray) -> xr.DataArray:
    """Return computed values, with NaN for pixels that did not escape."""
    computed = array.compute()
    return computed.where(computed < array.attrs["maxiter"]) if computed.dtype.kind == "u" else computed


def _colours(array: xr.DataArray, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return `keywords` with defaults for the colour map and the norm that show the values well."""
    import matplotlib as mpl  # noqa: PLC0415  an extra
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    cmap = keywords.get("cmap") or mpl.rcParams["image.cmap"]
    found = mpl.colormaps[cmap] if isinstance(cmap, str) else cmap
    chosen: dict[str, Any] = {**keywords, "cmap": found.with_extremes(bad="black")}
    values = array.values[np.isfinite(array.values)]
    if values.size and not keywords.keys() & {"norm", "vmin", "vmax", "robust", "levels", "center"}:
        low, high = np.percentile(values, (1, 99))
        if keywords.get("add_colorbar", True):
            chosen.setdefault("cbar_kwargs", {"ticks": MaxNLocator(5)})
        chosen["norm"] = mpl.colors.PowerNorm(EXPONENT, low, max(high, np.nextafter(low, np.inf)), clip=True)
    return chosen


def _places(array: xr.DataArray) -> Mapping[Hashable, xr.DataArray]:
    """Return the coordinates y and x of the plane; empty if `array` does not have both in the same unit."""
    places = {name: place for name, place in array.coords.items() if "exact_spacing" in place.attrs and place.ndim == 1}
    alike = len(places) == 2 and len({place.attrs.get("units") for place in places.values()}) == 1  # noqa: PLR2004  y, x
    return places if alike else {}


def _shows_the_plane(array: xr.DataArray, args: tuple[Any, ...], keywords: Mapping[str, Any]) -> bool:
    """Return whether both axes of a plot are coordinates of the plane and the caller sets no aspect."""
    places = _places(array)
    along = {*args, keywords.get("x"), keywords.get("y")} - {None}
    facets = {keywords.get("row"), keywords.get("col")}
    return bool(places) and along <= places.keys() and not facets & places.keys() and keywords.get("aspect") is None


def _axes_of(drawn: Any) -> Iterable[Any]:
    """Return the axes with a mesh, an image or contours that are linear and have no aspect yet."""
    axes = drawn.axs.flat if isinstance(drawn, FacetGrid) else [drawn.axes] if hasattr(drawn, "axes") else []
    return [
        one
        for one in axes
        if (one.images or one.collections)  # not lines
        and (one.name, one.get_xscale(), one.get_yscale(), one.get_aspect())
        == ("rectilinear", "linear", "linear", "auto")
    ]


def _distinguishable(array: xr.DataArray) -> xr.DataArray:
    """Return `array`, relative to its middle along axes whose neighbours differ in the last digits only."""
    for name in array.dims:
        index = array.xindexes.get(name)
        if isinstance(index, PixelIndex) and not _distinguishes(index.axis):
            array = _from_the_middle(array, name, index.axis)
    return array


def _distinguishes(axis: Axis) -> bool:
    ends = np.abs([float(axis.start), float(axis.start + axis.size * axis.step)])
    return bool(float(abs(axis.step)) > np.spacing(ends.max()) * 2**DIGITS)


def _from_the_middle(array: xr.DataArray, name: Hashable, axis: Axis) -> xr.DataArray:
    middle = axis[axis.size // 2]
    offsets = coordinates(Axis(axis.start - middle, axis.step, axis.size), np.arange(axis.size))
    label = f"{array[name].attrs.get('long_name', name)} − ({_shortened(as_text(middle))})"
    return array.drop_indexes(name).assign_coords({name: (name, offsets, {"long_name": label})})


def _shortened(number: str) -> str:
    """Return a decimal number, shortened to its first digits and its exponent."""
    digits, e, exponent = number.partition("e")
    return number if len(number) <= LABEL else f"{digits[:LABEL]}…{e}{exponent}"
