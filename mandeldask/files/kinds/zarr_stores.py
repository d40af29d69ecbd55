"""Zarr stores in folders and zip files, read with zarr-python; nothing outside the root is read."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.storage import LocalStore, ZipStore

from mandeldask.files.handles import handles
from mandeldask.files.opening import ZARR_MARKS, is_zarr
from mandeldask.files.skipped import members_of
from mandeldask.files.stamps import Source, Stamp, Unreadable, Version, within
from mandeldask.zarrview.blocked import BLOCK_LIMIT
from mandeldask.zarrview.identity import digest
from mandeldask.zarrview.nodes import Array, Group, as_node, named

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from zarr.abc.store import ByteRequest

    from mandeldask.internals.zarr_names import Buffer, BufferPrototype
    from mandeldask.zarrview.nodes import Node

STAMPED = 1000
"""Largest number of files of an array that are each checked for changes; for larger arrays, only their folders are."""

_FOLDERS = 4096
"""Number of folders of an array above which changes are not tracked and it is read every time."""


class Confined(LocalStore):
    """A folder store that does not follow links out of a root."""

    def __init__(self, folder: str, outer: str) -> None:
        super().__init__(folder, read_only=True)
        self.outer = outer

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return the bytes of `key`; refuse a link that leads out of the root."""
        path = os.path.realpath(os.path.join(self.root, key))  # noqa: ASYNC240, PTH118  microseconds
        if not within(path, self.outer):
            msg = f"{key} is a link to a place outside the folder that is served"
            raise PermissionError(msg)
        return await super().get(key, prototype, byte_range)


@dataclass(frozen=True, slots=True)
class Chunks:
    """Reads windows of a Zarr array in a folder or a zip file."""

    source: Source
    """Its metadata document, or the zip file."""
    inner: str | None = None
    """Path in the zip file; None in a folder."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        with handles.lease(self.source, _store) as store:
            array = zarr.open_array(store, path=self.inner or "", mode="r")
            return self.source.read(lambda: np.asarray(array[window]))


def _store(source: Source) -> Any:
    """Return the store of a metadata document's folder, or of a zip file."""
    if os.path.basename(source.path) in ZARR_MARKS:  # noqa: PTH119
        return Confined(os.path.dirname(source.path), source.root)  # noqa: PTH120
    return ZipStore(source.path, mode="r")


@dataclass(frozen=True, slots=True)
class Below(Mapping[str, "Node"]):
    """The members of a group in a folder."""

    path: str
    """Path of the group."""
    root: str
    """Folder outside which nothing is read, links resolved."""

    def __iter__(self) -> Iterator[str]:
        with os.scandir(self.path) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
        return (name for name in names if is_zarr(os.path.join(self.path, name)))  # noqa: PTH118

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, name: str) -> Node:
        if name not in set(self):
            raise KeyError(name)
        return named(opened_directory(os.path.join(self.path, name), self.root), name)  # noqa: PTH118


@dataclass(frozen=True, slots=True)
class StoreVersion:
    """Returns the version of a Zarr array in a folder: from all its files or, if there are many, from its folders."""

    path: str
    """Path of the array."""

    def __call__(self) -> str | None:
        """Return the version; None if only reading the whole array would show a change."""
        found: list[Any] = []
        pending, files = [self.path], 0
        while pending:
            folder = pending.pop()
            try:
                stamp = Stamp.of(folder)
            except OSError:
                return "gone"
            below, count = _within(folder, stamp)
            found += [folder, stamp]
            files += count
            pending += below
            if len(found) > 2 * _FOLDERS:
                return None
        if files <= STAMPED:
            found += [_stamps(folder) for folder in found[::2]]
        else:
            found.append([Version(os.path.join(self.path, mark))() for mark in (*ZARR_MARKS, ".zattrs")])  # noqa: PTH118
        return digest(*found)


@lru_cache(maxsize=2**14)
def _within(folder: str, stamp: Stamp) -> tuple[tuple[str, ...], int]:  # noqa: ARG001  the stamp is the key
    """Return the subfolders of a folder, and the number of other entries."""
    with os.scandir(folder) as entries:
        every = list(entries)
    below = tuple(entry.path for entry in every if entry.is_dir())
    return below, len(every) - len(below)


def _stamps(folder: str) -> list[tuple[str, int, int, int]]:
    """Return the name and stamp of each file in a folder."""
    with os.scandir(folder) as entries:
        stats = [(entry.name, entry.stat(follow_symlinks=True)) for entry in entries if not entry.is_dir()]
    return sorted((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def opened_directory(path: str, root: str) -> Node:
    """Return the Group or Array of a Zarr store in a folder.

    Raises
    ------
    Unreadable
        If zarr-python cannot read it.
    """
    real = os.path.realpath(path)
    if not within(real, root):
        msg = "it is a link to a place outside the folder that is served"
        raise Unreadable(msg)
    group_version = Version(path, tuple(os.path.join(path, mark) for mark in (*ZARR_MARKS, ".zattrs")))  # noqa: PTH118
    version = StoreVersion(real)
    group_as_of, as_of = group_version(), version()
    mark = next(mark for mark in ZARR_MARKS if os.path.isfile(os.path.join(real, mark)))  # noqa: PTH113, PTH118
    document = os.path.realpath(os.path.join(real, mark))  # noqa: PTH118
    source = Source(os.path.join(real, mark), Stamp.of(document), root)  # noqa: PTH118
    try:
        found = source.read(lambda: zarr.open(Confined(real, root), mode="r", use_consolidated=False))
        if isinstance(found, zarr.Group):
            attrs = dict(found.attrs)
            return Group(Below(path, root), attrs, version=group_version, as_of=group_as_of, consolidate=False)
        return replace(_array(found, Chunks(source), source.identity(as_of)), version=version, as_of=as_of)
    except (Unreadable, OSError):
        raise
    except Exception as error:
        msg = f"zarr cannot read it: {type(error).__name__}: {error}"
        raise Unreadable(msg) from error


def _array(found: Any, read: Chunks, fingerprint: str) -> Array:
    node = as_node(found)
    if not isinstance(node, Array):
        msg = f"a {type(found).__name__} is not an array"
        raise TypeError(msg)
    size = found.dtype.itemsize
    for chunk in found.chunks:
        size *= chunk
    if size > BLOCK_LIMIT:
        msg = f"its chunks have {size} bytes; at most {BLOCK_LIMIT} are decompressed at a time"
        raise Unreadable(msg)
    return replace(node, read=read, fingerprint=fingerprint)


def opened_zip(source: Source) -> Node:
    """Return the Group or Array of a Zarr store in a zip file; one enclosing folder is skipped."""
    with zipfile.ZipFile(source.path) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    inner = "" if any(mark in names for mark in ZARR_MARKS) else next(iter(tops)) if len(tops) == 1 else None
    if inner is None or not any(f"{inner}/{mark}".lstrip("/") in names for mark in ZARR_MARKS):
        msg = "it is a zip file, but it does not contain a Zarr store"
        raise Unreadable(msg)
    with handles.lease(source, _store) as store:
        return _zipped(source, zarr.open(store, path=inner, mode="r", use_consolidated=False))


def _zipped(source: Source, found: Any) -> Node:
    if isinstance(found, zarr.Array):
        return named(_array(found, Chunks(source, found.path), source.identity("zarr", found.path)), found.basename)
    below = dict(found.members())
    members, bad = members_of({name: partial(_zipped, source, each) for name, each in below.items()})
    return Group(members, dict(found.attrs), skipped=bad)
