"""HDF5 and NetCDF-4 by h5py: groups, datasets with their chunks, dimension scales as names of dimensions.

Packed numbers stay packed, as they are in the file: the CF attributes are sent too, and the client's library unpacks
the numbers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from mandeldask.files.attributes import as_json
from mandeldask.files.blocks import blocked
from mandeldask.files.flat import plane_chunks, pread
from mandeldask.files.kinds.hdf5_files import opened_file
from mandeldask.files.kinds.hdf5_links import companions, followed, resolved_path
from mandeldask.files.kinds.hdf5_names import is_dimension_only, names_of_dimensions
from mandeldask.files.kinds.hdf5_types import element_type, read_elements
from mandeldask.files.skipped import members_of
from mandeldask.files.stamps import Source, Stamp, Unreadable, Version, settled
from mandeldask.zarrview.blocked import BLOCK_LIMIT
from mandeldask.zarrview.cf import with_missing
from mandeldask.zarrview.nodes import Array, Group, named

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.zarrview.nodes import Node

PROBED = 1000
"""Largest number of members of a group that are opened in advance."""

_INTERNAL = {
    "CLASS",
    "NAME",
    "DIMENSION_LIST",
    "REFERENCE_LIST",
    "DIMENSION_LABELS",
    "_Netcdf4Dimid",
    "_Netcdf4Coordinates",
    "_NCProperties",
    "_nc3_strict",
}
"""Attributes that HDF5 and NetCDF use for dimensions; users do not write them."""

_SWMR_WRITING = 4
"""Superblock flag: one process writes while others read (SWMR)."""


@dataclass(frozen=True, slots=True)
class Elements:
    """Reads windows of a dataset."""

    source: Source
    """The file."""
    name: str
    """Path of the dataset in it."""
    dtype: Any
    """Type of the elements that are returned."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        return self.source.read(lambda: self._read(window))

    def _read(self, window: tuple[slice, ...]) -> NDArray[Any]:
        with opened_file(self.source) as file:
            return read_elements(file[self.name], window, self.dtype)


def opened(source: Source) -> Node:
    """Return the Group of an HDF5 or NetCDF-4 file."""
    source = replace(source, live=_is_live(source))
    with opened_file(source) as file:
        return _group(source, file, "/", (), netcdf=_is_netcdf(source, file))


def _is_live(source: Source) -> bool:
    """Return whether a writer appends to the file in HDF5's single-writer/multiple-reader (SWMR) mode."""
    head = bytes(pread(source.path, 0, min(12, source.stamp.size)))
    return head[:4] == b"\x89HDF" and len(head) == 12 and head[8] >= 3 and bool(head[11] & _SWMR_WRITING)  # noqa: PLR2004  the superblock's version


def _is_netcdf(source: Source, file: h5py.File) -> bool:
    return "_NCProperties" in file.attrs or source.path.lower().endswith((".nc", ".nc4", ".cdf"))


@dataclass(frozen=True, slots=True)
class Inside(Mapping[str, "Node"]):
    """The members of a group in a file, opened on request."""

    source: Source
    """The file."""
    path: str
    """Path of the group."""
    names: tuple[str, ...]
    """Names of the members that can be shown."""
    above: tuple[Any, ...]
    """Addresses of the group and its parents: a link to one of them would be endless."""
    netcdf: bool
    """Whether attributes follow NetCDF conventions."""

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> Node:
        if name not in self.names:
            raise KeyError(name)
        with opened_file(self.source) as file:
            return self.opened(file, name)

    def opened(self, file: h5py.File, name: str) -> Node:
        """Return one member; raise the error that prevents this."""
        path = f"{self.path.rstrip('/')}/{name}"
        elsewhere, target = followed(file, path)
        if elsewhere is not None:
            return self._of_other(elsewhere, target)
        found = file[target]
        if isinstance(found, h5py.Group):
            return _group(self.source, file, path, self.above, netcdf=self.netcdf)
        if isinstance(found, h5py.Dataset):
            return named(_array(self.source, file, path, netcdf=self.netcdf), name)
        msg = f"a {type(found).__name__} is neither a group nor a dataset"
        raise Unreadable(msg)

    def _of_other(self, name: str, path: str) -> Node:
        """Return the target of an external link, in a file that has its own version."""
        found = resolved_path(self.source, self.source.path, name)
        if not os.path.isfile(found):  # noqa: PTH113
            msg = f"it is a link to the file {name}, which does not exist"
            raise Unreadable(msg)
        version = Version(found)
        as_of = version()
        source = Source(found, settled(found), self.source.root)
        above, _, last = path.rpartition("/")
        with opened_file(source) as file:
            node = Inside(source, above or "/", (last,), (), self.netcdf).opened(file, last)
        return replace(node, version=version, as_of=as_of)


def _group(source: Source, file: h5py.File, path: str, above: tuple[Any, ...], *, netcdf: bool) -> Group:
    group = file[path]
    address = h5py.h5o.get_info(group.id).addr
    if address in above:
        msg = "it is a link to one of its own parent groups"
        raise Unreadable(msg)
    names = tuple(group)
    if netcdf or len(names) <= PROBED:
        names = tuple(name for name in names if not is_dimension_only(group, name))
    every = Inside(source, path, names, (*above, address), netcdf)
    attrs = _attributes(group, netcdf=netcdf)
    if len(names) <= PROBED:
        members, bad = members_of({name: _opening(every, file, name) for name in names})
        return Group(replace(every, names=tuple(members)), attrs, skipped=bad)
    return Group(every, attrs)


def _opening(every: Inside, file: h5py.File, name: str) -> Callable[[], Node]:
    return lambda: every.opened(file, name)


def _array(source: Source, file: h5py.File, path: str, *, netcdf: bool) -> Array:
    dataset = file[path]
    if dataset.shape is None:
        msg = "it is an empty (null) dataset"
        raise Unreadable(msg)
    also = companions(source, dataset)
    stamps = tuple((other, Stamp.of(other)) for other in also)
    _check_filters(dataset)
    dtype, more = element_type(dataset)
    attrs = {**_attributes(dataset, netcdf=netcdf), **more}
    missing, attrs = _missing(dataset, attrs, dtype)
    own = replace(source, also=stamps)
    shape = tuple(map(int, dataset.shape))
    itemsize = max(1, dataset.dtype.itemsize)
    array = Array(
        shape=shape,
        dtype=dtype,
        read=Elements(own, path, dtype),
        chunks=plane_chunks(shape, itemsize),
        dims=names_of_dimensions(dataset),
        attrs=with_missing(attrs, missing, dtype),
        missing=missing,
        fingerprint=own.identity("hdf5", path),
    )
    if also:
        version = Version(source.path, tuple(also))
        array = replace(array, version=version, as_of=version())
    if not dataset.chunks:
        return array
    if prod(dataset.chunks) * itemsize > BLOCK_LIMIT:
        msg = (
            f"its chunks have {prod(dataset.chunks) * itemsize} bytes; at most {BLOCK_LIMIT} are decompressed at a time"
        )
        raise Unreadable(msg)
    growing = [axis for axis, most in enumerate(dataset.maxshape) if most is None or most > shape[axis]]
    return blocked(array, tuple(map(int, dataset.chunks)), growing)


def _check_filters(dataset: h5py.Dataset) -> None:
    """Raise Unreadable for a dataset with a compression that the local HDF5 library does not support."""
    plist = dataset.id.get_create_plist()
    for place in range(plist.get_nfilters()):
        number, _, _, name = plist.get_filter(place)
        if not h5py.h5z.filter_avail(number):
            msg = f"its filter {number} ({name.decode(errors='replace')}) is not installed: pip install hdf5plugin"
            raise Unreadable(msg)


def _missing(dataset: h5py.Dataset, attrs: dict[str, Any], dtype: Any) -> tuple[Any, dict[str, Any]]:
    """Return the missing value, and the other attributes."""
    if "_FillValue" not in attrs or dtype.kind not in "biuf":
        return None, attrs
    value = np.asarray(dataset.attrs["_FillValue"]).reshape(-1)[:1].astype(dtype)[0]
    return value, {name: each for name, each in attrs.items() if name != "_FillValue"}


def _attributes(node: h5py.Group | h5py.Dataset, *, netcdf: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    scale = "DIMENSION_SCALE" in str(node.attrs.get("CLASS", ""))
    for name in node.attrs:
        if name in _INTERNAL and not (name in {"CLASS", "NAME"} and not scale):
            continue
        try:
            value = as_json(node.attrs[name])
        except (OSError, RuntimeError, TypeError, ValueError):  # types that h5py or JSON cannot represent
            continue
        shown[name] = value[0] if netcdf and isinstance(value, list) and len(value) == 1 else value
    return shown
