"""PNG, JPEG, WebP, BMP and GIF with pillow: decoded completely, up to a size limit, and shown in tiles."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mandeldask.files.attributes import attributes
from mandeldask.files.blocks import blocked
from mandeldask.files.flat import pread
from mandeldask.files.stamps import Unreadable
from mandeldask.zarrview.blocked import BLOCK_LIMIT
from mandeldask.zarrview.nodes import Array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.files.stamps import Source
    from mandeldask.zarrview.nodes import Node

_MODES = {"1": ("?", 0), "L": ("u1", 0), "LA": ("u1", 2), "RGB": ("u1", 3), "RGBA": ("u1", 4), "CMYK": ("u1", 4)}
"""Type of elements and samples of a pixel (0: no dimension of samples) in pillow's modes."""

_WIDE_MODES = {"I": ("i4", 0), "I;16": ("u2", 0), "I;16B": ("u2", 0), "F": ("f4", 0)}

_KEPT = {"dpi", "gamma", "comment", "description", "Title", "Author", "Description", "Software", "loop", "duration"}
"""Metadata of an image that becomes attributes."""

TILE = 512
"""Pixels along a chunk."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Reads windows of an image: decodes a whole frame and returns the window."""

    source: Source
    """The file."""
    mode: str
    """Mode to which pillow converts; "16" for PNG with 16 bits a sample, which pillow would cut to 8."""
    frames: bool
    """Whether the first dimension counts frames."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        return self.source.read(lambda: self._read(window))

    def _read(self, window: tuple[slice, ...]) -> NDArray[Any]:
        raw = bytes(pread(self.source.path, 0, self.source.stamp.size))
        if self.mode == "16":
            import imagecodecs  # noqa: PLC0415  only for 16-bit PNG

            return np.asarray(imagecodecs.png_decode(raw))[window]
        with Image.open(BytesIO(raw)) as image:
            if not self.frames:
                return np.asarray(image.convert(self.mode) if image.mode != self.mode else image)[window]
            frames = []
            for number in range(window[0].start, window[0].stop):
                image.seek(number)
                frames.append(np.asarray(image.convert(self.mode))[window[1:]])
            return np.stack(frames)


def opened(source: Source) -> Node:
    """Return the Array of an image: (y, x), (y, x, c), or with frames before."""
    with Image.open(source.path) as image:
        width, height = image.size
        frames = int(getattr(image, "n_frames", 1))
        mode = _sixteen(source, image) or _mode(image)
        attrs = attributes((name, _number(value)) for name, value in image.info.items() if name in _KEPT)
        attrs |= {"format": image.format}
        if mode == "CMYK":  # the fourth channel is not opacity
            attrs["channels"] = [{"label": ink} for ink in ("cyan", "magenta", "yellow", "black")]
    dtype, samples = ("u2", _png_samples(source)) if mode == "16" else (_MODES | _WIDE_MODES)[mode]
    page = (height, width, *((samples,) if samples else ()))
    dims = ("y", "x", *(("c",) if samples else ()))
    size = prod(page) * np.dtype(dtype).itemsize
    if size > BLOCK_LIMIT or source.stamp.size > BLOCK_LIMIT:
        msg = f"decoded it has {size} bytes; at most {BLOCK_LIMIT} are decoded at a time"
        raise Unreadable(msg)
    chunks = (min(TILE, max(1, height)), min(TILE, max(1, width)), *page[2:])
    if frames > 1:
        page, dims, chunks = (frames, *page), ("t", *dims), (1, *chunks)
    read = Picture(source, mode, frames > 1)
    array = Array(page, np.dtype(dtype), read, chunks, dims, attrs, fingerprint=source.identity("picture"))
    return blocked(array, (1, *page[1:]) if frames > 1 else page)


def _mode(image: Image.Image) -> str:
    """Return the mode in which an image is shown; palettes and other colour models are converted."""
    if image.mode in _MODES or image.mode in _WIDE_MODES:
        animated = getattr(image, "n_frames", 1) > 1
        return "RGBA" if animated and image.mode != "L" else image.mode
    if image.mode == "P":
        return "RGBA" if "transparency" in image.info or getattr(image, "n_frames", 1) > 1 else "RGB"
    return "RGBA" if image.mode in {"PA", "La", "RGBa"} else "RGB"


def _sixteen(source: Source, image: Image.Image) -> str:
    """Return "16" for a PNG of several samples of 16 bits."""
    if image.format != "PNG":
        return ""
    head = pread(source.path, 24, 2)  # IHDR: bits of a sample, type of colour
    return "16" if head[0] == 16 and head[1] in {2, 4, 6} else ""  # noqa: PLR2004


def _png_samples(source: Source) -> int:
    return {2: 3, 4: 2, 6: 4}[pread(source.path, 25, 1)[0]]


def _number(value: Any) -> Any:
    return [float(each) for each in value] if isinstance(value, tuple) else value
