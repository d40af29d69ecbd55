"""Names of dimensions in HDF5: dimension scales as NetCDF-4 writes them, and labels.

https://docs.unidata.ucar.edu/netcdf-c/current/file_format_specifications.html#netcdf_4_spec
"""

from __future__ import annotations

from typing import Any

import h5py

_NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"


def is_dimension_only(group: h5py.Group, name: str) -> bool:
    """Return whether a member is a dimension of NetCDF without values."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return False
    try:
        title = group[name].attrs.get("NAME", b"")
    except (KeyError, OSError, RuntimeError):
        return False
    return bytes(title if isinstance(title, bytes) else str(title).encode()).startswith(_NO_VARIABLE)


def names_of_dimensions(dataset: h5py.Dataset) -> tuple[str, ...] | None:
    """Return the names of a dataset's dimensions, if all have different names."""
    found = _by_number(dataset) if "_Netcdf4Coordinates" in dataset.attrs else _by_scales(dataset)
    return tuple(found) if all(found) and len(set(found)) == len(found) and found else None


def _by_scales(dataset: h5py.Dataset) -> list[str]:
    if dataset.ndim == 1 and "DIMENSION_LIST" not in dataset.attrs and _is_scale(dataset):
        return [_last(dataset.name)]
    found = []
    for dimension in dataset.dims:
        scales = dimension.values() if len(dimension) else []
        found.append(_last(scales[0].name) if scales else str(dimension.label))
    return found


def _by_number(dataset: h5py.Dataset) -> list[str]:
    """Return the dimension names of a multidimensional coordinate, which NetCDF stores by number."""
    numbers: dict[int, str] = {}
    group: Any = dataset.parent
    while True:
        for name in group:
            member = group.get(name) if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
            if isinstance(member, h5py.Dataset) and "_Netcdf4Dimid" in member.attrs and _is_scale(member):
                numbers.setdefault(int(member.attrs["_Netcdf4Dimid"]), name)
        if group.name == "/":
            break
        group = group.parent
    return [numbers.get(int(number), "") for number in dataset.attrs["_Netcdf4Coordinates"]]


def _is_scale(dataset: h5py.Dataset) -> bool:
    return bool(h5py.h5ds.is_scale(dataset.id))


def _last(name: Any) -> str:
    return str(name).rpartition("/")[2]
