"""Make the levels of any two- or three-dimensional image as a DataTree, each from the next finer one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import normalize_token, tokenize

from mandeldask.images.channels import channels_of
from mandeldask.images.halving import Halvings
from mandeldask.images.levels import axis_type, image_levels, regular, unit_of
from mandeldask.images.placement import placement_of
from mandeldask.images.tiling import TILE
from mandeldask.internals.xarray_names import content_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

    from mandeldask.images.levels import ImageLevels


@dataclass(frozen=True, slots=True)
class Plain:
    """An xarray array as the source of levels."""

    array: xr.DataArray
    chunks: tuple[int, ...]
    missing: Any
    fingerprint: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Elements along each axis."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        return self.array.dtype

    def read(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of a window, dask arrays computed in this thread."""
        data = self.array.variable[window].data
        return np.asarray(data.compute(scheduler="synchronous") if hasattr(data, "compute") else data)


@dataclass(frozen=True, slots=True)
class LevelBlock:
    """Computes one block of a level from its block number."""

    halvings: Halvings
    level: int
    sides: tuple[int, ...]

    def __call__(self, *, block_id: tuple[int, ...]) -> NDArray[Any]:
        """Return the elements of a block."""
        along = zip(block_id, self.sides, self.halvings.levels.shape_of(self.level), strict=True)
        return self.halvings.read(
            self.level, tuple(slice(at * side, min((at + 1) * side, size)) for at, side, size in along)
        )

    def __dask_tokenize__(self) -> Any:
        source: Any = self.halvings.source
        return normalize_token((type(self).__name__, source.fingerprint, repr(self.halvings.levels), self.level))


def tree_of_levels(
    given: xr.DataArray,
    found: ImageLevels,
    identity: str,
    *,
    name: str | None = None,
    keeping: Callable[[Halvings], Halvings] | None = None,
) -> xr.DataTree:
    """Return the levels of an array as groups "0" (the array), "1", ..., without computing them.

    Parameters
    ----------
    given : DataArray
        The array.
    found : ImageLevels
        The order of its axes and the method of making its levels.
    identity : str
        Identity of its content: equal only if all elements are equal.
    name : str, optional
        Name of the array in each group; the array's own, or "image".
    keeping : callable, optional
        Wraps the Halvings of the array so that they keep their results.
    """
    image = given.transpose(*(given.dims[axis] for axis in found.order))
    levels = replace(found, **_placed(image, found.dims))
    if not {"y", "x"} & set(image.coords):
        levels = levels.for_viewers()
    image = _renamed(image, levels.dims)
    label = str(name or given.name or "image")
    source = Plain(image, _chunks(image), missing_of(image), identity)
    halvings = Halvings(source, levels)
    halvings = halvings if keeping is None else keeping(halvings)
    datasets = {str(level): xr.Dataset({label: _level(image, halvings, level)}) for level in range(levels.count)}
    channels = channels_of(levels, source, source, label) if isinstance(content_of(image.variable), np.ndarray) else []
    root = xr.Dataset(attrs=levels.attributes(label, channels))
    return xr.DataTree.from_dict({"/": root, **datasets}, name=label)


def as_data_array(array: Any) -> xr.DataArray:
    """Return an array as a DataArray; dimensions without names are named t, c, z, y, x.

    Raises
    ------
    TypeError
        If it is not an array.
    """
    if isinstance(array, xr.DataArray):
        return array
    if isinstance(array, xr.Variable):
        return xr.DataArray(array)
    if not all(hasattr(array, part) for part in ("shape", "dtype", "__getitem__")) or isinstance(array, xr.Dataset):
        msg = f"a pyramid is made of an array, not of a {type(array).__name__}; select one of its variables"
        raise TypeError(msg)
    names = image_levels(array.shape)
    dims = [names.dims[names.order.index(axis)] for axis in range(len(array.shape))]
    chunks = getattr(array, "chunks", None)
    whole = isinstance(array, (np.ndarray, da.Array)) or chunks is None
    lazy = array if whole else da.from_array(array, chunks)  # type: ignore[no-untyped-call]
    return xr.DataArray(xr.Variable(dims, lazy))  # a DataArray of a dask array takes the name of that array


def _renamed(image: xr.DataArray, dims: Sequence[str]) -> xr.DataArray:
    """Return an array with renamed dimensions; its coordinates keep their names and still select the same elements."""
    names = {old: new for old, new in zip(image.dims, dims, strict=True) if old != new}
    if any(new in image.coords and image.coords[new].dims != (old,) for old, new in names.items()):
        return image
    renamed = image.swap_dims(names)
    for name in names.keys() & image.xindexes.keys():
        renamed = renamed.set_xindex([name])
    return renamed


def _placed(image: xr.DataArray, names: Sequence[str]) -> dict[str, Any]:
    """Return the scale, origin and units of the dimensions that have evenly spaced coordinates, and the placement.

    Dimensions have their names in the levels.
    """
    scale: dict[str, float] = {}
    origin: dict[str, float] = {}
    units: dict[str, str] = {}
    for given, dim in zip(image.dims, names, strict=True):
        spaced = regular(image[given].values) if given in image.coords and axis_type(dim) != "channel" else None
        if spaced is not None:
            origin[dim], scale[dim] = spaced
            unit = unit_of(image[given].attrs.get("units"))
            units |= {dim: unit} if unit else {}
    placement = None if origin else placement_of(image.attrs, tuple(names[-2:]), image.shape[-2:])
    return {"scale": scale, "origin": origin, "units": units, "placement": placement}


def _chunks(image: xr.DataArray) -> tuple[int, ...]:
    """Return the preferred chunk size along each axis."""
    if image.chunks is not None:
        return tuple(max(1, *sizes) for sizes in image.chunks)
    preferred = image.encoding.get("preferred_chunks", {})
    return tuple(preferred.get(dim, TILE if at >= image.ndim - 2 else 1) for at, dim in enumerate(image.dims))


def missing_of(image: xr.DataArray) -> Any:
    """Return the value that marks missing elements, in addition to NaN."""
    value = image.attrs.get("_FillValue", image.attrs.get("missing_value"))
    return None if value is None else image.dtype.type(value)


def _level(image: xr.DataArray, halvings: Halvings, level: int) -> xr.DataArray:
    """Return one level as a DataArray with one dask layer; the finest level is `image` itself."""
    if level == 0:
        return image
    levels, shape = halvings.levels, halvings.levels.shape_of(level)
    sides = tuple(
        min(TILE, size) if axis in levels.halved else min(chunk, size)
        for axis, (size, chunk) in enumerate(zip(shape, halvings.source.chunks, strict=True))
    )
    block = LevelBlock(halvings, level, sides)
    data = da.map_blocks(  # type: ignore[no-untyped-call]
        block,
        chunks=da.core.normalize_chunks(sides, shape),  # type: ignore[no-untyped-call]
        dtype=image.dtype,
        meta=np.empty((0,) * len(shape), image.dtype),
        name=f"level-{tokenize(block)}",
    )
    attrs = levels.attributes_of(level, image.attrs)
    made = xr.DataArray(data, _coords(image, levels, level), image.dims, attrs=attrs)
    for name in image.xindexes.keys() & made.coords.keys() - made.xindexes.keys():
        made = made.set_xindex([name])
    return made


def _coarser_grid(coordinate: xr.DataArray, levels: ImageLevels, level: int) -> xr.DataArray:
    """Return a coordinate of a level; adapt GDAL's `GeoTransform` in the attributes of a CF grid mapping."""
    try:
        numbers = [float(each) for each in str(coordinate.attrs["GeoTransform"]).split()]
        left, width, row_shear, top, column_shear, height = numbers
    except (KeyError, ValueError):
        return coordinate
    rows, columns = (2**level if axis in levels.halved else 1 for axis in (len(levels.dims) - 2, len(levels.dims) - 1))
    coarser = (left, width * columns, row_shear * rows, top, column_shear * columns, height * rows)
    return coordinate.assign_attrs(GeoTransform=" ".join(map(repr, coarser)))


def _coords(image: xr.DataArray, levels: ImageLevels, level: int) -> dict[Hashable, Any]:
    """Return the coordinates of a level: unchanged along dimensions that are not halved, per cell along halved ones.

    Coordinates of several dimensions, one of which is halved, are left out.
    """
    halved = {levels.dims[axis] for axis in levels.halved}
    kept: dict[Hashable, Any] = {
        name: _coarser_grid(coordinate, levels, level)
        for name, coordinate in image.coords.items()
        if not halved & set(map(str, coordinate.dims))
    }
    for name, coordinate in image.coords.items():
        if name in kept or coordinate.ndim > 1:
            continue
        starts = np.arange(0, coordinate.size, 2**level)
        if levels.method == "mean" and coordinate.dtype.kind in "uif":
            lengths = np.diff([*starts, coordinate.size])
            values = np.add.reduceat(coordinate.values.astype(np.float64), starts) / lengths
        else:
            values = coordinate.values[starts]
        kept[name] = (coordinate.dims, values, coordinate.attrs)
    return kept
