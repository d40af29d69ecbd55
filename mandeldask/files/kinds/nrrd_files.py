"""NRRD with pynrrd: raw elements are read by offset, compressed ones completely, up to a size limit."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from math import prod
from typing import TYPE_CHECKING, Any

import nrrd
import numpy as np

from mandeldask.files.attributes import attributes
from mandeldask.files.blocks import blocked
from mandeldask.files.flat import Flat, pread
from mandeldask.files.kinds.npy import of_elements
from mandeldask.files.stamps import Unreadable
from mandeldask.internals.nrrd_names import numpy_types
from mandeldask.zarrview.blocked import BLOCK_LIMIT
from mandeldask.zarrview.nodes import Array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.files.stamps import Source
    from mandeldask.zarrview.nodes import Node

_LOCAL = {"type", "dimension", "sizes", "encoding", "endian", "line skip", "byte skip", "data file", "datafile"}
"""Fields that describe the storage in the file."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Reads windows of a compressed file: unpacks all of it and returns the window."""

    source: Source
    """The file."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        elements = self.source.read(self._whole)[window]
        return elements.astype(elements.dtype.newbyteorder("="), copy=False)

    def _whole(self) -> NDArray[Any]:
        file = BytesIO(bytes(pread(self.source.path, 0, self.source.stamp.size)))
        header = nrrd.read_header(file)
        return np.asarray(nrrd.read_data(header, file, None, index_order="F"))


def opened(source: Source) -> Node:
    """Return the Array of an NRRD file; its first dimension varies fastest, as in pynrrd."""
    with open(source.path, "rb") as file:  # noqa: PTH123  paths are strings here
        header = nrrd.read_header(file)
        offset = file.tell()
    if "data file" in header or "datafile" in header:
        msg = "its elements are in another file (a detached header), which is not supported"
        raise Unreadable(msg)
    shape = tuple(map(int, header["sizes"]))
    dtype = _dtype(header)
    attrs = attributes((name, value) for name, value in header.items() if name not in _LOCAL)
    dims = _dims(header, len(shape))
    fingerprint = source.identity("nrrd")
    if header["encoding"] == "raw" and not header.get("line skip") and not header.get("byte skip"):
        flat = Flat.of(source, offset, dtype, shape, "F")
        return of_elements(flat, fingerprint, attrs=attrs, dims=dims)
    size = prod(shape) * dtype.itemsize
    if max(size, source.stamp.size) > BLOCK_LIMIT:
        msg = f"decompressed it has {size} bytes; at most {BLOCK_LIMIT} are decompressed at a time"
        raise Unreadable(msg)
    native = dtype.newbyteorder("=")
    array = Array(shape, native, Packed(source), tuple(map(_some, shape)), dims, attrs, fingerprint=fingerprint)
    return blocked(array, shape)


def _some(size: int) -> int:
    return max(1, min(size, 128))


def _dtype(header: Any) -> np.dtype[Any]:
    kinds = numpy_types()
    if header["type"] not in kinds:
        msg = f"its elements are of the type {header['type']}, which Zarr has no type for"
        raise Unreadable(msg)
    dtype: np.dtype[Any] = np.dtype(kinds[header["type"]])
    return dtype.newbyteorder(">" if header.get("endian") == "big" else "<")


def _dims(header: Any, count: int) -> tuple[str, ...] | None:
    """Return the labels of the dimensions, if all have different labels."""
    labels = tuple(header.get("labels") or ())
    return labels if len(set(labels)) == len(labels) == count and all(labels) else None
