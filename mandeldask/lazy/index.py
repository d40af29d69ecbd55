"""PixelIndex: an exact xarray index of pixels that lie on an Axis.

xarray's own `RangeIndex` computes in float64: at 2^59 pixels its `sel` is off by up to 77 pixels, and windows 5000
pixels apart compare equal. Here positions are rationals: a label selects exactly its pixel, and windows of different
places never align.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from xarray.indexes import CoordinateTransformIndex, Index

from mandeldask.fractal.geometry import Axis
from mandeldask.fractal.rationals import as_text
from mandeldask.lazy.attributes import axis_attributes
from mandeldask.lazy.indexing import IndexSelResult, PixelLabels
from mandeldask.lazy.labels import pixel_at, pixels_between
from mandeldask.lazy.memory import check_read
from mandeldask.lazy.reading import from_start
from mandeldask.lazy.transform import MAX_LABELS, PixelTransform, coordinates
from mandeldask.lazy.variable import LabelVariable

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence
    from typing import Self

    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Grid


class PixelIndex(CoordinateTransformIndex):
    """Index whose labels are exact plane positions; a window of a PixelIndex is a PixelIndex.

    Parameters
    ----------
    axis : Axis
        Position of every pixel.
    dim : str
        Dimension that it indexes.
    name : hashable, optional
        Name of the coordinate; `dim` by default.

    Examples
    --------
    >>> from fractions import Fraction
    >>> index = PixelIndex(Axis(Fraction(-2), Fraction(1, 3), 2**59), "x")
    >>> xr.Dataset(coords=xr.Coordinates.from_xindex(index)).sel(x=slice("-1", "-1/3")).x.values
    array([-1.        , -0.66666667, -0.33333333])
    """

    transform: PixelTransform

    def __init__(self, axis: Axis, dim: str, name: Hashable | None = None) -> None:
        super().__init__(PixelTransform(axis, dim, dim if name is None else name))

    @property
    def axis(self) -> Axis:
        """Position of every pixel."""
        return self.transform.axis

    @property
    def dim(self) -> str:
        """Dimension that it indexes."""
        return self.transform.dims[0]

    @property
    def name(self) -> Hashable:
        """Name of its coordinate."""
        return self.transform.coord_names[0]

    def _with(self, axis: Axis) -> Self:
        return type(self)(axis, self.dim, self.name)

    def create_variables(self, variables: Mapping[Any, xr.Variable] | None = None) -> dict[Any, xr.Variable]:
        """Return the coordinate; its attributes give the exact positions of the pixels."""
        ((name, created),) = super().create_variables(variables).items()
        labels: Any = PixelLabels(self.transform, name)
        exact = {"exact_origin": as_text(self.axis.start), "exact_spacing": as_text(self.axis.step)}
        return {name: LabelVariable(created.dims, labels, {**created.attrs, **exact}, created.encoding, fastpath=True)}

    def isel(self, indexers: Mapping[Any, Any]) -> Self | None:
        """Return the index of the picked pixels; None if they are not evenly spaced, or if there is only one."""
        indexer = indexers[self.dim]
        if isinstance(indexer, slice):
            return self._with(self.axis[indexer])
        if isinstance(indexer, xr.Variable) and indexer.dims != (self.dim,):
            return None
        pixels = from_start(indexer, self.axis.size)
        return self._at(pixels) if pixels.ndim == 1 else None

    def _at(self, pixels: NDArray[Any]) -> Self | None:
        steps = np.diff(pixels)
        if pixels.size == 0 or (steps.size and (steps[0] == 0 or np.any(steps != steps[0]))):
            return None
        step = int(steps[0]) if steps.size else 1
        return self._with(Axis(self.axis[int(pixels[0])], self.axis.step * step, pixels.size))

    def sel(self, labels: dict[Any, Any], method: str | None = None, tolerance: Any = None) -> IndexSelResult:
        """Return the pixels for one label, a closed interval or an array of labels."""
        ((_, label),) = labels.items()
        if isinstance(label, slice):
            if method is not None:
                msg = "a slice takes no method: it selects the pixels between its ends"
                raise NotImplementedError(msg)
            return IndexSelResult({self.dim: pixels_between(self.axis, label)})
        values = np.asarray(label, dtype=object)
        pixels = [pixel_at(self.axis, value, method, tolerance) for value in values.ravel()]
        if not values.ndim:
            return IndexSelResult({self.dim: pixels[0]})
        found: Any = np.array(pixels, np.int64).reshape(values.shape)
        if isinstance(label, xr.Variable):
            found = xr.Variable(label.dims, found)
        elif isinstance(label, xr.DataArray):
            found = label.copy(data=found)
        return IndexSelResult({self.dim: found})

    def equals(self, other: Index, **_: Any) -> bool:
        """Return whether both have exactly the same pixels."""
        return isinstance(other, PixelIndex) and self.axis == other.axis

    def join(self, other: Self, how: str = "inner") -> Self:
        """Return the pixels that are in both windows, or in either.

        Raises
        ------
        ValueError
            If the windows show different places or levels, or if an outer join would have a gap.
        """
        theirs = self._offset_of(other)
        if how == "inner":
            first, last = max(0, theirs), min(self.axis.size, theirs + other.axis.size)
        else:
            first, last = min(0, theirs), max(self.axis.size, theirs + other.axis.size)
            if last - first > self.axis.size + other.axis.size:
                msg = f"the two windows leave a gap along {self.dim}: they must touch or overlap"
                raise ValueError(msg)
        start = self.axis.start + first * self.axis.step
        return self._with(Axis(start, self.axis.step, max(0, last - first)))

    def reindex_like(self, other: Self) -> dict[Hashable, Any]:
        """Return the position in this index of each pixel of `other`; -1 for pixels that it does not have.

        Raises
        ------
        MemoryError
            If one of them is too long: xarray would list the pixels of both.
        """
        longest = max(self.axis.size, other.axis.size)
        if longest > MAX_LABELS:
            msg = (
                f"cannot align {self.axis.size} with {other.axis.size} pixels along {self.dim}, which xarray would "
                f"list (the most is {MAX_LABELS}): first select the same window of both, with .sel() or .isel()"
            )
            raise MemoryError(msg)
        places = self._offset_of(other) + np.arange(other.axis.size)
        return {self.dim: np.where((places >= 0) & (places < self.axis.size), places, -1)}

    def _offset_of(self, other: PixelIndex) -> int:
        """Return the pixel of this axis that is the first of `other`."""
        offset = self.axis.index(other.axis.start)
        if self.axis.step != other.axis.step or offset.denominator != 1:
            msg = (
                f"cannot align along {self.dim}: the pixels belong to different places or levels"
                f" ({_described(self.axis)} and {_described(other.axis)})"
            )
            raise ValueError(msg)
        return int(offset)

    @classmethod
    def concat(cls, indexes: Sequence[Self], dim: Hashable, positions: Iterable[Iterable[int]] | None = None) -> Self:
        """Return the index of adjacent windows, in order.

        Raises
        ------
        ValueError
            If a window does not start where the one before it ends.
        """
        first = indexes[0]
        if positions is not None:
            order = np.argsort(np.concatenate([np.asarray(list(part)) for part in positions]))
            if np.any(np.diff(order) != 1):
                msg = f"cannot interleave windows along {dim}"
                raise ValueError(msg)
        size = 0
        for index in indexes:
            if first._offset_of(index) != size:  # noqa: SLF001  the same class
                msg = f"cannot concatenate along {dim}: a window must start where the one before it ends"
                raise ValueError(msg)
            size += index.axis.size
        return first._with(Axis(first.axis.start, first.axis.step, size))  # noqa: SLF001

    def roll(self, shifts: Mapping[Any, int]) -> Self | None:
        """Return the same index for a roll by zero, else None: rolled pixels are not evenly spaced."""
        return self if not self.axis.size or shifts[self.dim] % self.axis.size == 0 else None

    def rename(self, name_dict: Mapping[Any, Hashable], dims_dict: Mapping[Any, Hashable]) -> Self:
        """Return the index under other names."""
        return type(self)(self.axis, str(dims_dict.get(self.dim, self.dim)), name_dict.get(self.name, self.name))

    def to_pandas_index(self) -> pd.Index[Any]:
        """Return the coordinates as a pandas index, if they are few enough to list."""
        check_read((self.axis.size,), limit=MAX_LABELS)
        return pd.Index(coordinates(self.axis, np.arange(self.axis.size)), name=self.name)

    def __repr__(self) -> str:
        return f"PixelIndex({_described(self.axis)}, dim={self.dim!r})"

    def _repr_inline_(self, max_width: int) -> str:
        return f"PixelIndex ({_described(self.axis)})"[:max_width]


def grid_coordinates(grid: Grid, variable: str = "c") -> xr.Coordinates:
    """Return the coordinates y (imaginary parts) and x (real parts) of the pixels of `grid`, parts of a `variable`."""
    indexes = {"y": PixelIndex(grid.im, "y"), "x": PixelIndex(grid.re, "x")}
    variables: dict[Any, xr.Variable] = {}
    for dim, index in indexes.items():
        bare = xr.Variable((dim,), np.empty(0), axis_attributes(dim, variable), fastpath=True)
        variables |= index.create_variables({dim: bare})
    return xr.Coordinates(variables, indexes)


def _described(axis: Axis) -> str:
    return f"start={float(axis.start)!r}, step={float(axis.step)!r}, size={axis.size}"
