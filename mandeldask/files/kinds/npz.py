"""NPZ: arrays in a zip archive. Stored members are read in place; compressed ones are unpacked up to a size limit."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.files.blocks import blocked
from mandeldask.files.flat import Flat, pread
from mandeldask.files.kinds.npy import header, of_elements
from mandeldask.files.skipped import members_of
from mandeldask.files.stamps import Unreadable
from mandeldask.zarrview.blocked import BLOCK_LIMIT
from mandeldask.zarrview.nodes import Group

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.files.stamps import Source
    from mandeldask.zarrview.nodes import Node

_HEADER_BYTES = 2**16
"""Number of bytes of a member that are unpacked to read its header."""

_LOCAL_HEADER = 30
"""Size in bytes of a member's local header in a zip file, before its name."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Reads windows of a compressed member: unpacks all of it and returns the window."""

    source: Source
    """The archive."""
    name: str
    """Name of the member."""
    dtype: np.dtype[Any]
    """Type of its elements in the file."""
    shape: tuple[int, ...]
    """Elements along each dimension."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        elements: NDArray[Any] = self.source.read(self._whole)[window]
        return elements.astype(self.dtype.newbyteorder("="), copy=False)

    def _whole(self) -> NDArray[Any]:
        with zipfile.ZipFile(self.source.path) as archive, archive.open(self.name) as file:
            elements: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        return elements


def opened(source: Source) -> Any:
    """Return the Group of the arrays in an NPZ file."""
    with zipfile.ZipFile(source.path) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        if not infos or not all(name.endswith(".npy") for name in infos):
            msg = "it is a zip file, but it does not contain NPY arrays"
            raise Unreadable(msg)
        members, bad = members_of(
            {name.removesuffix(".npy"): partial(_array, source, archive, info) for name, info in infos.items()}
        )
    return Group(members, skipped=bad)


def _array(source: Source, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Node:
    with archive.open(info) as file:
        start = BytesIO(file.read(_HEADER_BYTES))
    shape, fortran, dtype = header(start)
    fingerprint = source.identity("npz", info.filename)
    if info.compress_type == zipfile.ZIP_STORED:
        offset = _data_offset(source, info) + start.tell()
        return of_elements(Flat.of(source, offset, dtype, shape, "F" if fortran else "C"), fingerprint)
    length = prod(shape) * dtype.itemsize
    if max(length, info.file_size) > BLOCK_LIMIT:
        msg = f"decompressed it has {length} bytes; at most {BLOCK_LIMIT} are decompressed at a time"
        raise Unreadable(msg)
    read = Unpacked(source, info.filename, dtype, shape)
    return blocked(of_elements(read, fingerprint), shape)  # type: ignore[arg-type]


def _data_offset(source: Source, info: zipfile.ZipInfo) -> int:
    """Return the offset of a member's data: lengths in the local header can differ from those in the directory."""
    own = pread(source.path, info.header_offset, _LOCAL_HEADER)
    return (
        info.header_offset + _LOCAL_HEADER + int.from_bytes(own[26:28], "little") + int.from_bytes(own[28:30], "little")
    )
