"""NIfTI and MGH with nibabel: axes x, y, z, t and scaling as in nibabel."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np

from mandeldask.files.attributes import attributes
from mandeldask.files.blocks import blocked
from mandeldask.files.handles import handles
from mandeldask.files.stamps import Unreadable
from mandeldask.zarrview.blocked import BLOCK_LIMIT
from mandeldask.zarrview.chunking import CHUNK_BYTES
from mandeldask.zarrview.nodes import Array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.files.stamps import Source
    from mandeldask.zarrview.nodes import Node

AXES = ("x", "y", "z", "t", "u", "v", "w")
"""Names of the dimensions."""

_UNITS = {
    "meter": "meter", "mm": "millimeter", "micron": "micrometer", "sec": "second", "msec": "millisecond",
    "usec": "microsecond", "hz": "hertz",
}  # fmt: skip
"""OME-Zarr's names of units."""


@dataclass(frozen=True, slots=True)
class Volume:
    """Reads windows of a volume."""

    source: Source
    """The file."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        with handles.lease(self.source, open_nifti) as image:
            elements = self.source.read(lambda: np.asarray(image.dataobj[window]))
        return elements.astype(elements.dtype.newbyteorder("="), copy=False)


def open_nifti(source: Source) -> Any:
    """Return an image whose elements are read by offset on request; each read opens the file."""
    kinds = (nibabel.Nifti1Image, nibabel.Nifti2Image, nibabel.MGHImage)
    for kind in kinds:
        if _is(kind, source):
            return kind.from_filename(source.path, mmap=False, keep_file_open=False)
    msg = "its header is neither NIfTI's nor MGH's"
    raise Unreadable(msg)


def _is(kind: Any, source: Source) -> bool:
    return bool(kind.path_maybe_image(source.path)[0])


def opened(source: Source) -> Node:
    """Return the Array of a volume."""
    with handles.lease(source, open_nifti) as image:
        shape = tuple(map(int, image.shape))
        zipped = source.path.endswith((".gz", ".mgz"))
        size = prod(shape) * 8
        if zipped and size > BLOCK_LIMIT:
            msg = f"decompressed it has up to {size} bytes; at most {BLOCK_LIMIT} are decompressed at a time"
            raise Unreadable(msg)
        stored = prod(shape) * image.get_data_dtype().itemsize
        if not zipped and stored > source.stamp.size:
            msg = f"it has {source.stamp.size} bytes, but its elements need {stored}"
            raise EOFError(msg)
        first = np.asarray(image.dataobj[tuple(slice(0, 1) for _ in shape)])
        dtype = first.dtype.newbyteorder("=")
        array = Array(
            shape,
            dtype,
            Volume(source),
            _chunks(shape, dtype.itemsize),
            AXES[: len(shape)] if len(shape) <= len(AXES) else None,
            _attributes(image),
            fingerprint=source.identity("nifti"),
        )
        return blocked(array, shape) if zipped and shape else array


def _chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return chunks of whole planes of the first dimensions, which are contiguous in the file."""
    room, chunks = max(1, CHUNK_BYTES // itemsize), []
    for size in shape:
        chunks.append(max(1, min(size, room)))
        room = max(1, room // chunks[-1])
    return tuple(chunks)


def _attributes(image: Any) -> dict[str, Any]:
    header = image.header
    shown: dict[str, Any] = {"affine": image.affine, "zooms": [float(zoom) for zoom in header.get_zooms()]}
    shown["pixel_size"] = {axis: zoom for axis, zoom in zip(AXES, shown["zooms"], strict=False) if zoom > 0}
    if hasattr(header, "get_xyzt_units"):
        space, time = header.get_xyzt_units()
        shown |= {"space_unit": space, "time_unit": time}
        units = {axis: _UNITS.get(time if axis == "t" else space) for axis in shown["pixel_size"]}
        shown["pixel_unit"] = {axis: unit for axis, unit in units.items() if unit}
    if "descrip" in header:
        shown["description"] = bytes(header["descrip"].item())
    return attributes(shown.items())
