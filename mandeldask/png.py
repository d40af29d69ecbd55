"""Write PNG files band by band, with one band in memory, and read the texts in them.

Source: https://www.w3.org/TR/png-3/.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"

LONGEST = 2**31 - 1
"""Greatest side, in pixels."""

_RGB = struct.pack(">BBBBB", 8, 2, 0, 0, 0)
"""Header fields: eight bits per channel, colour, the only compression and filter method, no interlace."""

_UP = 2
"""Filter type of rows: difference to the row above."""


def write_png(
    file: BinaryIO, size: tuple[int, int], bands: Iterable[NDArray[np.uint8]], texts: Mapping[str, str]
) -> None:
    """Write a picture.

    Parameters
    ----------
    file : binary file
        File to write to.
    size : (int, int)
        Pixels (height, width).
    bands : iterable of uint8 arrays, shape (rows, width, 3)
        The picture from top to bottom, as red, green and blue.
    texts : mapping of str to str
        Texts in Latin-1, by keyword.

    Raises
    ------
    ValueError
        If the bands do not have this size in total.
    """
    height, width = size
    file.write(SIGNATURE)
    _write_chunk(file, b"IHDR", struct.pack(">II", width, height) + _RGB)
    for keyword, text in texts.items():
        _write_chunk(file, b"tEXt", f"{keyword}\0{text}".encode("latin-1"))
    deflate = zlib.compressobj(6)
    above: NDArray[np.uint8] = np.zeros((1, 3 * width), np.uint8)
    rows = 0
    for band in bands:
        if band.shape[1:] != (width, 3):
            msg = f"a band of shape {band.shape} does not fit a picture {width} pixels wide"
            raise ValueError(msg)
        flat = band.reshape(band.shape[0], -1)
        filtered = np.empty((flat.shape[0], 1 + flat.shape[1]), np.uint8)
        filtered[:, 0] = _UP
        filtered[:, 1:] = flat - np.concatenate([above, flat[:-1]])
        above, rows = flat[-1:], rows + flat.shape[0]
        _write_data(file, deflate.compress(filtered.data))
    if rows != height:
        msg = f"the bands have {rows} rows, but the picture has {height}"
        raise ValueError(msg)
    _write_data(file, deflate.flush())
    _write_chunk(file, b"IEND", b"")


def texts_of(path: Path) -> dict[str, str]:
    """Return the texts in a PNG file, by keyword; empty for other files.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            return {}
        pairs = (content.partition(b"\0") for kind, content in _chunks(file) if kind == b"tEXt")
        return {keyword.decode("latin-1"): text.decode("latin-1") for keyword, _, text in pairs}


def _write_data(file: BinaryIO, compressed: bytes) -> None:
    if compressed:
        _write_chunk(file, b"IDAT", compressed)


def _write_chunk(file: BinaryIO, kind: bytes, content: bytes) -> None:
    file.write(struct.pack(">I", len(content)) + kind)
    file.write(content)
    file.write(struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))))


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield the type and content of every chunk; the content of image data is skipped."""
    while len(head := file.read(8)) == 8:  # noqa: PLR2004
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IDAT":
            file.seek(length + 4, 1)
            yield kind, b""
        else:
            content: Any = file.read(length)
            file.seek(4, 1)
            yield kind, content
