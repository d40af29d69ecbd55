"""FITS by astropy: images with their scaling and blanks, and tables; raw bytes are read by offset.

The bytes of a window are wrapped in a small FITS file in memory, which astropy reads. So astropy's rules for scaling,
blanks, unsigned numbers and text apply, and no file is mapped into memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from mandeldask.files.attributes import attributes
from mandeldask.files.axes import without_clashes
from mandeldask.files.blocks import blocked
from mandeldask.files.flat import Flat, plane_chunks, pread
from mandeldask.files.handles import handles
from mandeldask.files.skipped import members_of
from mandeldask.files.stamps import Unreadable
from mandeldask.zarrview.blocked import BLOCK_LIMIT
from mandeldask.zarrview.nodes import Array, Group

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.files.stamps import Source
    from mandeldask.zarrview.nodes import Node

_BITPIX = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}

_BLOCK = 2880
"""Size of a FITS record in bytes."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """Reads windows of an image, scaled as astropy scales them."""

    flat: Flat
    """Reads the raw elements."""
    header: str
    """The image's header."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        raw = self.flat(window)
        if not raw.size:
            return np.empty(raw.shape, image_type(self.header))
        shape = raw.shape or (1,)
        header = fits.Header.fromstring(self.header)
        header["NAXIS"] = len(shape)
        for axis, size in enumerate(reversed(shape), 1):
            header[f"NAXIS{axis}"] = size
        data = raw.astype(self.flat.dtype).tobytes()
        image = fits.PrimaryHDU if header.get("SIMPLE") is not None else fits.ImageHDU
        hdu = image.fromstring(header.tostring().encode("ascii") + data + b"\0" * (-len(data) % _BLOCK))
        elements = np.asarray(hdu.data).reshape(raw.shape)
        return elements.astype(elements.dtype.newbyteorder("="), copy=False)


@dataclass(frozen=True, slots=True)
class Compressed:
    """Reads windows of a tile-compressed image."""

    source: Source
    """The file."""
    place: int
    """Index of the image in the file."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        with handles.lease(self.source, open_fits, exclusive=True) as file:
            elements = self.source.read(lambda: np.asarray(file[self.place].section[window]))
        return elements.astype(elements.dtype.newbyteorder("="), copy=False)


@dataclass(frozen=True, slots=True)
class Rows:
    """Reads rows of a column of a binary table."""

    source: Source
    """The file."""
    offset: int
    """Offset of the first row in bytes."""
    header: str
    """The table's header."""
    name: str
    """Name of the column."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the rows of `window`."""
        header = fits.Header.fromstring(self.header)
        length, rows = header["NAXIS1"], window[0]
        raw = self.source.read(
            lambda: pread(self.source.path, self.offset + rows.start * length, (rows.stop - rows.start) * length)
        )
        return column_of(header, bytes(raw), self.name)[(slice(None), *window[1:])]


def column_of(header: fits.Header, raw: bytes, name: str) -> NDArray[Any]:
    """Return a column of rows in `raw`."""
    header = header.copy()
    header["NAXIS2"], header["PCOUNT"] = len(raw) // max(1, header["NAXIS1"]), 0
    hdu = fits.BinTableHDU.fromstring(header.tostring().encode("ascii") + raw + b"\0" * (-len(raw) % _BLOCK))
    elements = np.asarray(hdu.data[name])
    return elements.astype(elements.dtype.newbyteorder("="), copy=False)


def open_fits(source: Source) -> fits.HDUList:
    """Return an open file that is read but not mapped."""
    file = open(source.path, "rb")  # noqa: PTH123, SIM115  the list closes it
    try:
        return fits.open(file, memmap=False, lazy_load_hdus=True)
    except BaseException:
        file.close()
        raise


def opened(source: Source) -> Node:
    """Return the tree of a FITS file: the Array of its only image, or a Group of its parts."""
    with handles.lease(source, open_fits, exclusive=True) as file:
        parts = {}
        for place in range(len(file)):
            hdu = file[place]
            if not hdu.header.get("NAXIS") and not isinstance(hdu, fits.BinTableHDU):
                continue
            name = f"{hdu.name.replace('/', '_') or 'HDU'}"
            parts[name if name not in parts else f"{name}_{place}"] = partial(_part, source, hdu, place)
        if len(parts) == 1 and len(file) == 1:
            return next(iter(parts.values()))()
        members, bad = members_of(parts)
        return Group(without_clashes(members), _attributes(file[0].header), skipped=bad)


def _part(source: Source, hdu: Any, place: int) -> Node:
    if isinstance(hdu, fits.CompImageHDU):
        return _compressed(source, hdu, place)
    if isinstance(hdu, fits.BinTableHDU):
        return _table(source, hdu, place)
    if isinstance(hdu, (fits.PrimaryHDU, fits.ImageHDU)):
        return _image(source, hdu, place)
    msg = f"a {type(hdu).__name__} is neither an image nor a table of binary columns"
    raise Unreadable(msg)


def _image(source: Source, hdu: Any, place: int) -> Array:
    header = hdu.header
    if header.get("GROUPS") or header.get("PCOUNT", 0):
        msg = "its data is in random groups, which are not supported"
        raise Unreadable(msg)
    shape = tuple(int(header[f"NAXIS{axis}"]) for axis in range(header["NAXIS"], 0, -1))
    text = header.tostring()
    flat = Flat.of(source, hdu.fileinfo()["datLoc"], np.dtype(_BITPIX[header["BITPIX"]]), shape)
    dtype = image_type(text)
    return Array(
        shape,
        dtype,
        Pixels(flat, text),
        plane_chunks(shape, dtype.itemsize),
        _dims(shape),
        _attributes(header),
        fingerprint=source.identity("fits", place),
    )


def image_type(header: str) -> np.dtype[Any]:
    """Return the dtype that astropy uses for an image, from one pixel of zeros."""
    flat = fits.Header.fromstring(header)
    flat["NAXIS"] = 1
    flat["NAXIS1"] = 1
    image = fits.PrimaryHDU if flat.get("SIMPLE") is not None else fits.ImageHDU
    data = image.fromstring(flat.tostring().encode("ascii") + b"\0" * _BLOCK).data
    return np.asarray(data).dtype.newbyteorder("=")


def _compressed(source: Source, hdu: Any, place: int) -> Array:
    shape = tuple(map(int, hdu.shape))
    tile = tuple(map(int, hdu.tile_shape))
    if prod(tile) * 8 > BLOCK_LIMIT:
        msg = f"its tiles have {prod(tile)} elements; at most {BLOCK_LIMIT // 8} are decoded at a time"
        raise Unreadable(msg)
    first = np.asarray(hdu.section[tuple(slice(0, 1) for _ in shape)])
    dtype = first.dtype.newbyteorder("=")
    array = Array(
        shape,
        dtype,
        Compressed(source, place),
        plane_chunks(shape, dtype.itemsize),
        _dims(shape),
        _attributes(hdu.header),
        fingerprint=source.identity("fits", place),
    )
    return blocked(array, tuple(min(size, max(1, whole)) for size, whole in zip(tile, shape, strict=True)))


def _table(source: Source, hdu: Any, place: int) -> Group:
    header, offset = hdu.header, hdu.fileinfo()["datLoc"]
    members, bad = members_of(
        {column.name: partial(_column, source, header, offset, column, place) for column in hdu.columns}
    )
    return Group(members, _attributes(header), skipped=bad)


def _column(source: Source, header: fits.Header, offset: int, column: Any, place: int) -> Array:
    if isinstance(column.format, str) and column.format.lstrip("0123456789")[:1] in {"P", "Q"}:
        msg = "its elements are lists of variable length, which Zarr has no type for"
        raise Unreadable(msg)
    rows, length = int(header["NAXIS2"]), int(header["NAXIS1"])
    if offset + rows * length > source.stamp.size:
        msg = f"the file has {source.stamp.size} bytes, but its rows need {offset + rows * length}"
        raise EOFError(msg)
    first = column_of(header, b"T" * length, column.name)  # an undefined boolean causes a warning
    shape = (rows, *first.shape[1:])
    chunks = plane_chunks((rows,), max(1, length))
    unit = {} if not column.unit else {"units": str(column.unit)}
    null = {} if column.null is None else {"null": column.null}
    return Array(
        shape,
        first.dtype,
        Rows(source, offset, header.tostring(), column.name),
        (*chunks, *(max(1, size) for size in shape[1:])),
        ("index", *(f"{column.name}_{axis}" for axis in range(len(shape) - 1))),
        attributes({**unit, **null}.items()),
        fingerprint=source.identity("fits", place, column.name),
    )


def _dims(shape: tuple[int, ...]) -> tuple[str, ...] | None:
    """Return the usual names of an image's axes."""
    return ("y", "x") if len(shape) == 2 else ("z", "y", "x") if len(shape) == 3 else None  # noqa: PLR2004


def _attributes(header: fits.Header) -> dict[str, Any]:
    """Return a header's cards, without those that describe the storage in the file."""
    cards = {}
    for card in header.cards:
        if card.keyword in {"", "COMMENT", "HISTORY", "END"}:
            continue
        cards[card.keyword] = card.value
    texts = {name: str(header[name]) for name in ("COMMENT", "HISTORY") if name in header}
    return attributes({**cards, **texts}.items())
