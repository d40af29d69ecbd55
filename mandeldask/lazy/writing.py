"""How a level is laid out in a Zarr group, which of its blocks are not there yet, and how one is written."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from zarr.core.sync import sync

from mandeldask.lazy.metadata import attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import xarray as xr
    import zarr

MAX_COORDINATE = 2**20
"""Pixels along an axis up to which coordinates are written: readers load them whole."""

_DOCUMENTS = {"zarr.json", ".zarray", ".zattrs"}


@dataclass(frozen=True, slots=True)
class Level:
    """A Dataset of variables with the same blocks, and the Zarr arrays that it is written to."""

    dataset: xr.Dataset
    """What to write."""
    arrays: dict[str, Any]
    """Zarr array of each variable."""

    def missing(self) -> list[tuple[int, ...]]:
        """Return the blocks of which some array has no chunk yet."""
        blocks: dict[tuple[int, ...], None] = {}
        for array in self.arrays.values():
            present = _keys_under(array)
            blocks |= dict.fromkeys(b for b in _blocks(array) if array.metadata.encode_chunk_key(b) not in present)
        return list(blocks)

    @property
    def count(self) -> int:
        """Number of blocks."""
        return sum(1 for _ in _blocks(next(iter(self.arrays.values()))))

    def write(self, block: tuple[int, ...]) -> None:
        """Compute a block of all variables in one pass, and write it."""
        first = next(iter(self.arrays.values()))
        region = tuple(slice(i * side, (i + 1) * side) for i, side in zip(block, first.chunks, strict=True))
        dims = self.dataset[next(iter(self.arrays))].dims
        computed = self.dataset.isel(dict(zip(dims, region, strict=True))).compute(scheduler="synchronous")
        for name, array in self.arrays.items():
            array[region] = computed[name].to_numpy()


def lay_out(dataset: xr.Dataset, group: zarr.Group, chunks: int | None, codecs: Mapping[str, Any]) -> list[Level]:
    """Create the arrays of `dataset` in `group`, or find them there, and return what is to be written.

    Arrays with the same blocks are written together. Coordinates are written at once.

    Raises
    ------
    ValueError
        If an array of another shape, type or chunks is in its place.
    """
    for name, coordinate in dataset.coords.variables.items():
        if coordinate.ndim == 1 and coordinate.size <= MAX_COORDINATE:
            array = _create(group, str(name), coordinate, coordinate.shape, {})
            if not _keys_under(array) - _DOCUMENTS:
                array[...] = coordinate.to_numpy()
    alike: dict[Any, dict[str, Any]] = {}
    for name, variable in dataset.data_vars.variables.items():
        sides = _chunk_shape(variable, chunks)
        array = _create(group, str(name), variable, sides, codecs)
        alike.setdefault((variable.dims, sides), {})[str(name)] = array
    pixels = dataset.drop_vars(dataset.coords)
    return [Level(pixels[list(arrays)], arrays) for arrays in alike.values()]


def _create(
    group: zarr.Group, name: str, variable: xr.Variable, chunks: tuple[int, ...], codecs: Mapping[str, Any]
) -> Any:
    config = {"write_empty_chunks": True}  # else blocks of zeros leave no file, and a resumed export starts over
    if name in group:
        array: Any = group[name]
        found, wanted = (array.shape, array.chunks, array.dtype), (variable.shape, chunks, variable.dtype)
        if found != wanted:
            msg = f"{array.path} is there already with shape, chunks and dtype {found}, not {wanted}"
            raise ValueError(msg)
        return array.with_config(config)
    zarr_format = group.metadata.zarr_format
    attrs = attributes_of(variable.attrs, zarr_format)
    dims = [str(dim) for dim in variable.dims]
    by_format: dict[str, Any] = (
        {"dimension_names": dims, "fill_value": np.nan if variable.dtype.kind == "f" else 0}
        if zarr_format == 3  # noqa: PLR2004
        # xarray takes v2's fill value for "missing": any number would turn its pixels into NaN
        else {"fill_value": None, "chunk_key_encoding": {"name": "v2", "separator": "/"}}
    )
    if zarr_format == 2:  # noqa: PLR2004
        attrs["_ARRAY_DIMENSIONS"] = dims
    return group.create_array(
        name,
        shape=variable.shape,
        dtype=variable.dtype,
        chunks=chunks,
        attributes=attrs,
        config=config,  # type: ignore[arg-type]
        **by_format,
        **codecs,
    )


def _chunk_shape(variable: xr.Variable, chunks: int | None) -> tuple[int, ...]:
    if chunks is not None:
        return tuple(min(chunks, max(1, size)) for size in variable.shape)
    if "chunks" in variable.encoding:
        return tuple(variable.encoding["chunks"])
    return tuple(sizes[0] for sizes in variable.chunks) if variable.chunks else variable.shape


def _blocks(array: Any) -> Iterator[tuple[int, ...]]:
    counts = (-(-size // side) for size, side in zip(array.shape, array.chunks, strict=True))
    return itertools.product(*(range(count) for count in counts))


def _keys_under(array: Any) -> frozenset[str]:
    """Return the keys of the chunks that are there, relative to the array."""
    prefix = f"{array.store_path.path}/".removeprefix("/")

    async def listed() -> frozenset[str]:
        return frozenset([key.removeprefix(prefix) async for key in array.store_path.store.list_prefix(prefix)])

    return sync(listed())
