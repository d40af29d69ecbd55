"""The levels of an image: the halved axes, their order for viewers, sizes, and metadata."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mandeldask.conventions import Placed, spatial
from mandeldask.images.downsampling import CELL_BITS, METHODS, half
from mandeldask.images.placement import Placement, coarser_attributes
from mandeldask.multiscales import Axis, Channel, Dataset, Image, in_format, ome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

COARSEST: Final = 512
"""Largest number of elements of the coarsest level along an axis: viewers read this level completely."""

LARGE: Final = 1024
"""Largest number of elements along an axis that viewers can show without coarser levels."""

_TIME: Final = frozenset({"t", "time"})
_CHANNELS: Final = frozenset({"c", "channel", "channels", "band", "bands", "s", "sample", "samples", "rgb", "rgba"})
_DEPTH: Final = frozenset({"z", "depth", "lev", "level", "altitude", "height"})

_PLANES: Final = (("y", "x"), ("lat", "lon"), ("latitude", "longitude"))
"""Names of rows and columns, the two axes of the image plane, in any position."""

_DESCRIPTIONS: Final = {
    "mean": "means of 2 elements along each axis, rounded once from exact sums",
    "stride": "every second element of the level below",
    "mode": "the most frequent of 2 elements along each axis, the least of several",
}

_RESAMPLING: Final = {"mean": "average", "stride": "nearest", "mode": "mode"}
"""Terms of zarr-conventions."""

_SHORT: Final = {
    "m": "meter", "mm": "millimeter", "um": "micrometer", "µm": "micrometer", "nm": "nanometer", "km": "kilometer",
    "micron": "micrometer", "metre": "meter", "metres": "meter", "meters": "meter", "s": "second",
    "ms": "millisecond", "min": "minute", "h": "hour", "d": "day",
}  # fmt: skip
"""Units of coordinates that have another name in OME-Zarr."""

_NUMBERED: Final = re.compile(r".*_\d+", re.DOTALL)

_OME_AXES: Final = (2, 5)
"""Least and greatest number of axes in OME-Zarr."""


@dataclass(frozen=True, slots=True)
class ImageLevels:
    """The levels of an array that is an image.

    Its axes come in OME-Zarr's order: time, channels and others, then space.
    """

    order: tuple[int, ...]
    """For each axis of the levels, the axis of the array."""
    dims: tuple[str, ...]
    """Names of the axes, in the levels' order."""
    shape: tuple[int, ...]
    """Elements of the finest level along each axis."""
    halved: tuple[int, ...]
    """The axes that are halved, in the levels' order."""
    method: str = "mean"
    """"mean", "stride" or "mode"."""
    scale: Mapping[str, float] = field(default_factory=dict)
    """Distance between neighbours along a dimension, 1 by default."""
    origin: Mapping[str, float] = field(default_factory=dict)
    """Position of the first element along a dimension, 0 by default."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Unit of a dimension, with its OME-Zarr name."""
    placement: Placement | None = None
    """The position of the finest level on a map, if a file states it; otherwise scale and origin define it."""
    names: tuple[str, ...] = ()
    """The names of the axes in the array, if they differ from `dims`."""

    @property
    def count(self) -> int:
        """Number of levels: the coarsest has at most `COARSEST` elements along the axes that are halved."""
        levels, most = 1, max(self.shape[axis] for axis in self.halved)
        while half(most, levels - 1) > COARSEST and levels * len(self.halved) <= CELL_BITS:
            levels += 1
        return levels

    def shape_of(self, level: int) -> tuple[int, ...]:
        """Return the shape of a level."""
        return tuple(half(size, level) if axis in self.halved else size for axis, size in enumerate(self.shape))

    def scale_of(self, level: int) -> tuple[float, ...]:
        """Return the distances between neighbours of a level."""
        sizes = [float(self.scale.get(name, 1.0)) for name in self.dims]
        return tuple(size * 2**level if axis in self.halved else size for axis, size in enumerate(sizes))

    def origin_of(self, level: int) -> tuple[float, ...]:
        """Return the position of a level's first element; a mean is at the centre of its cell."""
        shift = 0.0 if self.method == "stride" else (2**level - 1) / 2
        pairs = [(float(self.origin.get(name, 0.0)), float(self.scale.get(name, 1.0))) for name in self.dims]
        return tuple(first + shift * step if axis in self.halved else first for axis, (first, step) in enumerate(pairs))

    def for_viewers(self) -> ImageLevels:
        """Return the levels with rows and columns named y and x: vizarr cannot open images with other names."""
        names = dict(zip(self.dims[-2:], ("y", "x"), strict=True))
        if names.keys() == {"y", "x"} or {"y", "x"} & set(self.dims):
            return self
        renamed: list[dict[str, Any]] = [
            {names.get(dim, dim): value for dim, value in each.items()}
            for each in (self.scale, self.origin, self.units)
        ]
        dims = tuple(names.get(dim, dim) for dim in self.dims)
        scale, origin, units = renamed
        return replace(self, dims=dims, scale=scale, origin=origin, units=units, names=self.dims)

    def attributes_of(self, level: int, attrs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes of a level's array from the attributes of the finest level."""
        names = self.names or self.dims
        factors = {names[axis]: 2.0**level for axis in self.halved}
        return coarser_attributes(attrs, names, self.shape_of(level), factors) if level else dict(attrs)

    def attributes(self, name: str, channels: Sequence[Channel] = ()) -> dict[str, Any]:
        """Return the attributes of the group of levels, for both formats; level k's array is ``<k>/<name>``."""
        described = self._ome(name, channels)
        v3 = {"ome": described, **self._spatial()} if described else self._spatial()
        named = {"dimensions": list(self.names)} if self.names else {}
        return {**named, "zarr_v2": in_format({"ome": described}, 2) if described else {}, "zarr_v3": v3}

    def _ome(self, name: str, channels: Sequence[Channel]) -> dict[str, Any]:
        """Return the OME-Zarr metadata; empty if OME-Zarr cannot describe the axes."""
        axes = tuple(self._axis(at, dim) for at, dim in enumerate(self.dims))
        kinds = [axis.type for axis in axes]
        others = len(axes) - kinds.count("space") - kinds.count("time")
        least, most = _OME_AXES
        if not least <= len(axes) <= most or others > 1 or kinds.count("time") > 1:
            return {}
        placed = self if self._ascending else replace(self, scale={}, origin={}, units={})
        datasets = tuple(
            Dataset(f"{level}/{name}", placed.scale_of(level), placed.origin_of(level)) for level in range(self.count)
        )
        return ome([Image(name, axes, datasets, self.method, _DESCRIPTIONS[self.method])], channels, name)

    @property
    def _ascending(self) -> bool:
        """Whether positions increase along all axes: OME-Zarr viewers support no other scales."""
        return all(step > 0 for step in self.scale.values())

    def _axis(self, at: int, dim: str) -> Axis:
        kind = "space" if at >= len(self.dims) - self._space else axis_type(dim)
        return Axis(dim, kind, self.units.get(dim) if self._ascending else None)

    @property
    def _space(self) -> int:
        """Number of spatial axes, which come last."""
        plane = max(len(self.halved), 2)
        deeper = plane < len(self.dims) and self.dims[-plane - 1].lower() in _DEPTH
        return plane + deeper if plane == 2 else plane  # noqa: PLR2004  a stack of planes

    def _spatial(self) -> dict[str, Any]:
        """Return the zarr-conventions metadata of the plane of the last two axes."""
        rows, columns = self.dims[-2:]
        placed = [self._placed(level) for level in range(self.count)]
        crs = "" if self.placement is None else self.placement.crs
        return spatial(placed, dims=(rows, columns), method=_RESAMPLING[self.method], crs=crs)

    def _placed(self, level: int) -> Placed:
        height, width = self.shape_of(level)[-2:]
        rows, columns = (2.0 if axis in self.halved else 1.0 for axis in (len(self.dims) - 2, len(self.dims) - 1))
        finest = self.placement or Placement(self._affine())
        factor = (1.0, 1.0) if level == 0 else (rows, columns)
        return Placed(str(level), (height, width), finest.coarser(rows**level, columns**level).transform, factor)

    def _affine(self) -> tuple[float, float, float, float, float, float]:
        """Return the transformation of the finest level from scale and origin, which refer to pixel centres."""
        step_y, step_x = self.scale_of(0)[-2:]
        top, left = (
            float(self.origin[dim]) - step / 2 if dim in self.origin else 0.0
            for dim, step in zip(self.dims[-2:], (step_y, step_x), strict=True)
        )
        return step_x, 0.0, left, 0.0, step_y, top


def image_levels(
    shape: Sequence[int],
    dims: Sequence[str] | None = None,
    axes: Sequence[int | str] | None = None,
    method: str = "mean",
    **placed: Any,
) -> ImageLevels:
    """Return the levels of an array.

    Parameters
    ----------
    shape : sequence of int
        Shape of the array.
    dims : sequence of str, optional
        Names of its dimensions; t, c, z, y, x from the last by default.
    axes : sequence of int or str, optional
        The two or three spatial axes that are halved, by index or name. By default those named y and x, or lat and lon;
        otherwise the last two that are not channels. A last dimension of 3 or 4 elements without a name of its own
        counts as the channels of a colour picture.
    method : {"mean", "stride", "mode"}
        How a level is made from the next finer one.
    **placed
        `scale`, `origin`, `units`, `placement` of `ImageLevels`.

    Raises
    ------
    ValueError
        If the array has fewer than two dimensions, or if the axes or the method are not valid.

    Examples
    --------
    >>> levels = image_levels((3000, 2000, 3), ("y", "x", "c"))
    >>> levels.dims, levels.count, levels.shape_of(2)
    (('c', 'y', 'x'), 4, (3, 750, 500))
    """
    if method not in METHODS:
        msg = f"method must be one of {', '.join(METHODS)}, not {method!r}"
        raise ValueError(msg)
    names = _named(shape, dims)
    space = _space(shape, names, axes)
    others = [axis for axis in range(len(shape)) if axis not in space]
    times = [axis for axis in others if axis_type(names[axis]) == "time"]
    depths = [axis for axis in others if names[axis].lower() in _DEPTH]
    order = (*times, *(axis for axis in others if axis not in (*times, *depths)), *depths, *space)
    return ImageLevels(
        order,
        tuple(names[axis] for axis in order),
        tuple(shape[axis] for axis in order),
        tuple(range(len(order) - len(space), len(order))),
        method,
        **placed,
    )


def is_image(shape: Sequence[int], dims: Sequence[str] | None = None) -> bool:
    """Return whether an array is a plane or a stack of planes, at least two elements high and wide."""
    if len(shape) < 2 or not all(shape):  # noqa: PLR2004  a plane
        return False
    rows, columns = _space(shape, _named(shape, dims), None)
    return min(shape[rows], shape[columns]) > 1


def is_large_image(shape: Sequence[int], dims: Sequence[str] | None = None) -> bool:
    """Return whether an array is an image that viewers cannot show without coarser levels."""
    if not is_image(shape, dims):
        return False
    return max(shape[axis] for axis in _space(shape, _named(shape, dims), None)) > LARGE


def axis_type(name: str) -> str | None:
    """Return the OME-Zarr type of a dimension outside the plane: "time", "channel", "space" or None."""
    lower = name.lower()
    if lower in _TIME:
        return "time"
    if lower in _CHANNELS:
        return "channel"
    return "space" if lower in _DEPTH else None


def regular(positions: NDArray[Any]) -> tuple[float, float] | None:
    """Return the first position and the distance between positions; None if they are not evenly spaced.

    Examples
    --------
    >>> regular(np.array([0.5, 1.0, 1.5]))
    (0.5, 0.5)
    """
    if len(positions) < 2 or positions.dtype.kind not in "uif":  # noqa: PLR2004  one position has no distance
        return None
    places = positions.astype(np.float64)
    step = (places[-1] - places[0]) / (len(places) - 1)
    off = np.abs(places[0] + step * np.arange(len(places)) - places)
    even = isfinite(step) and step != 0 and bool((off <= abs(step) * 1e-3).all())
    return (float(places[0]), float(step)) if even else None


def unit_of(text: Any) -> str | None:
    """Return the OME-Zarr name of a unit, or the unit unchanged; None for texts such as "days since 2000-01-01".

    Examples
    --------
    >>> unit_of("um"), unit_of("degrees_north"), unit_of("days since 2000-01-01")
    ('micrometer', 'degrees_north', None)
    """
    return _SHORT.get(text, text) if isinstance(text, str) and text and " " not in text else None


def _named(shape: Sequence[int], dims: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of dimensions; names that are only numbers, such as photo_0 and photo_1, do not count."""
    if dims is None or all(_NUMBERED.fullmatch(dim) and dim.endswith(f"_{axis}") for axis, dim in enumerate(dims)):
        return _default_dims(shape)
    return tuple(map(str, dims))


def _default_dims(shape: Sequence[int]) -> tuple[str, ...]:
    """Return names for the dimensions of an array that has none."""
    colour = len(shape) > 2 and shape[-1] in (3, 4)  # noqa: PLR2004  RGB, RGBA
    names = ("t", "z", "y", "x", "c") if colour else ("t", "c", "z", "y", "x")
    return tuple(f"dim_{axis}" for axis in range(len(shape) - len(names))) + names[-len(shape) :]


def _space(shape: Sequence[int], names: Sequence[str], axes: Sequence[int | str] | None) -> tuple[int, ...]:
    """Return the spatial axes in order."""
    if len(shape) < 2:  # noqa: PLR2004  a plane
        msg = f"an image needs two dimensions or more; this array has the shape {tuple(shape)}"
        raise ValueError(msg)
    if axes is None:
        named = next((pair for pair in _PLANES if set(pair) <= set(names)), None)
        if named is not None:
            return names.index(named[0]), names.index(named[1])
        end = len(shape) - _is_channel_last(shape, names)
        return end - 2, end - 1
    found = [_axis_of(axis, names) for axis in axes]
    if len(set(found)) != len(found) or len(found) not in (2, 3):
        msg = f"axes must be two or three different ones of {tuple(names)}, not {tuple(axes)}"
        raise ValueError(msg)
    return tuple(sorted(found))


def _is_channel_last(shape: Sequence[int], names: Sequence[str]) -> bool:
    return len(shape) > 2 and axis_type(names[-1]) == "channel"  # noqa: PLR2004


def _axis_of(axis: int | str, names: Sequence[str]) -> int:
    if isinstance(axis, str):
        if axis not in names:
            msg = f"axes must be two or three different ones of {tuple(names)}, not {axis!r}"
            raise ValueError(msg)
        return names.index(axis)
    if not -len(names) <= axis < len(names):
        msg = f"axes must be within the {len(names)} dimensions {tuple(names)}, not {axis}"
        raise ValueError(msg)
    return axis % len(names)
