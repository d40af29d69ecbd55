"""References of HDF5 files to other files: they may name any file, and are refused outside the root.

Without this check, external storage, external links and virtual sources could read every file that the server can.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import h5py

from mandeldask.files.stamps import Unreadable

if TYPE_CHECKING:
    from mandeldask.files.stamps import Source

_HOPS = 32
"""Largest number of links in a chain."""

_DEEP = 8
"""Largest number of files in a chain of references."""


def followed(file: h5py.File, path: str) -> tuple[str | None, str]:
    """Return the target of a path after its links: the name of another file (None: this file), and the path in it.

    HDF5 itself is never asked to follow a link to another file.

    Raises
    ------
    Unreadable
        If a link has no target, or the links form a circle.
    """
    names, done, hops = [name for name in path.split("/") if name], "/", 0
    while names:
        name = names.pop(0)
        link = file[done].get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            return link.filename, "/".join([link.path.rstrip("/"), *names])
        if isinstance(link, h5py.SoftLink):
            hops += 1
            done = "/" if link.path.startswith("/") else done
            names = [each for each in link.path.split("/") if each] + names
        elif link is not None:
            done = f"{done.rstrip('/')}/{name}"
        if link is None or hops > _HOPS or done not in file or (names and not isinstance(file[done], h5py.Group)):
            msg = f"it is a link without a target: {path}"
            raise Unreadable(msg)
    return None, done


def companions(source: Source, dataset: h5py.Dataset) -> list[str]:
    """Return the other files from which a dataset reads its elements, with links resolved.

    Raises
    ------
    Unreadable
        If one of them lies outside the root.
    """
    found: dict[str, None] = {}
    _of_dataset(source, dataset, source.path, found, _DEEP)
    return list(found)


def _of_dataset(source: Source, dataset: h5py.Dataset, file: str, found: dict[str, None], deep: int) -> None:
    for name, _, _ in dataset.external or ():
        found[resolved_path(source, file, os.fsdecode(name))] = None
    if not dataset.is_virtual:
        return
    if not deep:
        msg = f"its elements are in a chain of more than {_DEEP} files that refer to each other"
        raise Unreadable(msg)
    for virtual in dataset.virtual_sources():
        if "%" in virtual.file_name or "%" in virtual.dset_name:
            msg = (
                f"its elements are in files that match the pattern {virtual.file_name}; such patterns are not supported"
            )
            raise Unreadable(msg)
        path = file if virtual.file_name == "." else resolved_path(source, file, virtual.file_name)
        if path != file:
            found[path] = None
        _of_other(source, path, virtual.dset_name, found, deep - 1)


def _of_other(source: Source, path: str, name: str, found: dict[str, None], deep: int) -> None:
    """Add the files from which the dataset `name` of another file reads its elements."""
    if not os.path.isfile(path):  # noqa: PTH113  for a missing file, HDF5 returns fill values
        return
    with h5py.File(path, "r", locking=False) as other:
        elsewhere, target = followed(other, name)
        if elsewhere is not None:
            msg = f"its elements are in another file, behind a link in {os.path.basename(path)}, which is not supported"  # noqa: PTH119
            raise Unreadable(msg)
        dataset = other[target]
        if isinstance(dataset, h5py.Dataset):
            _of_dataset(source, dataset, path, found, deep)


def resolved_path(source: Source, file: str, name: str) -> str:
    """Return the path of `name` in `file`: HDF5 searches the folder of `file` and the working directory."""
    places = [os.path.join(os.path.dirname(file), name), os.path.join(os.getcwd(), name)]  # noqa: PTH109, PTH118, PTH120
    there = [place for place in places if os.path.exists(place)] or places[:1]  # noqa: PTH110
    inside = [source.inside(place) for place in there]
    return inside[0]
