"""A small picture of a field, or a line of text if it takes longer than a cell should wait."""

from __future__ import annotations

import base64
import struct
import threading
import zlib
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.cancellation import Cancellation, Cancelled, cancellable
from mandeldask.picture import inside_of, lookup_table, paint

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

SIDE = 160
"""Largest number of pixels along the longer side of the picture."""

MOST_READ = 2**21
"""Largest number of elements of an array that is read for a picture."""

WAIT_S = 1.5
"""Seconds that a cell waits for the picture. Compiling a kernel takes longer; the next picture then finds it
compiled."""

LATE = "The picture takes longer: the first run on a machine compiles kernels. Run this cell again in a moment."
"""Text in place of a picture that is not there in time."""


def thumbnail(array: xr.DataArray) -> str:
    """Return HTML of a picture of a field, of shape (height, width).

    It is `LATE` if the picture takes longer than `WAIT_S`, and "" for arrays that are too large for a picture.
    """
    if array.ndim != 2 or not 0 < array.size <= MOST_READ:  # noqa: PLR2004  rows and columns
        return ""
    step = -(-max(array.shape) // SIDE)
    made: list[str] = []
    waiting = Cancellation()
    arguments = (array[::step, ::step], waiting, made)
    working = threading.Thread(target=_make, args=arguments, name="mandeldask-thumbnail", daemon=True)
    working.start()
    working.join(WAIT_S)
    late = working.is_alive()
    waiting.cancel()
    if made:
        return f'<img src="{made[0]}" alt="">'
    return f'<div style="width:{SIDE}px"><em>{LATE}</em></div>' if late else ""


def _make(small: xr.DataArray, waiting: Cancellation, made: list[str]) -> None:
    try:
        with cancellable(waiting):
            values = np.asarray(small.compute(scheduler="synchronous").values)
    except (Cancelled, MemoryError):
        return
    pixels = paint(values, lookup_table("ember"), inside=inside_of(small, values.dtype))
    made.append("data:image/png;base64," + base64.b64encode(as_png(pixels)).decode())


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a PNG of RGB pixels, uint8 of shape (height, width, 3)."""
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, 3 * width)], axis=1)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes())),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_part(*part) for part in parts)


def _part(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
