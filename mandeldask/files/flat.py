"""Contiguous elements in a file: read by offset, never mapped into memory.

A mapped file that is truncated kills the process (SIGBUS); a short read is an error.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.zarrview.chunking import CHUNK_BYTES, default_chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.files.stamps import Source

_AT_ONCE = 2**22
"""Gaps shorter than this are read too: at 2 GB/s, that is faster than another read, which takes 3 microseconds."""

_PLANE_BYTES = 4 * 2**20
"""Size in bytes of the largest plane (of the last two dimensions) that is one chunk."""


def pread(path: str, offset: int, length: int) -> bytearray:
    """Return `length` bytes of a file from `offset`.

    Raises
    ------
    EOFError
        If the file is too short.
    """
    file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        return _pread(file, offset, length)
    finally:
        os.close(file)


def _pread(file: int, offset: int, length: int) -> bytearray:
    raw, done = bytearray(length), 0
    while done < length:
        count = os.preadv(file, [memoryview(raw)[done:]], offset + done)
        if not count:
            msg = f"the file ends after {offset + done} bytes, but {offset + length} are needed"
            raise EOFError(msg)
        done += count
    return raw


def _rows(file: int, offset: int, step: int, count: int, length: int) -> bytearray:
    """Return `count` rows of `length` bytes, at distances of `step` bytes."""
    raw = bytearray(count * length)
    view = memoryview(raw)
    for row in range(count):
        at, start = offset + row * step, row * length
        if os.preadv(file, [view[start : start + length]], at) != length:
            view[start : start + length] = _pread(file, at, length)
    return raw


@dataclass(frozen=True, slots=True)
class Flat:
    """Reads windows of elements at regular distances."""

    source: Source
    """The file."""
    offset: int
    """Byte of the first element."""
    dtype: np.dtype[Any]
    """Type of the elements in the file, in any byte order."""
    shape: tuple[int, ...]
    """Elements along each dimension."""
    strides: tuple[int, ...]
    """Bytes from one element to the next along each dimension."""

    @classmethod
    def of(cls, source: Source, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...], order: str = "C") -> Flat:
        """Return the reader of contiguous elements, in the order ``"C"`` or ``"F"``.

        Raises
        ------
        EOFError
            If the file is too short for them.
        """
        sizes = shape if order == "C" else shape[::-1]
        steps = [dtype.itemsize * prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
        end = offset + dtype.itemsize * prod(shape)
        if end > source.stamp.size:
            msg = f"it has {source.stamp.size} bytes, but its elements need {end}"
            raise EOFError(msg)
        return cls(source, offset, dtype, shape, tuple(steps if order == "C" else steps[::-1]))

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window` in this machine's byte order."""
        return self.source.read(lambda: self._read(window))

    def _read(self, window: tuple[slice, ...]) -> NDArray[Any]:
        sizes = tuple(span.stop - span.start for span in window)
        elements = np.empty(sizes, self.dtype.newbyteorder("="))
        if not elements.size:
            return elements
        offset = self.offset + sum(span.start * step for span, step in zip(window, self.strides, strict=True))
        axes = sorted(range(len(sizes)), key=lambda axis: -self.strides[axis])
        file = os.open(self.source.path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            self._fill(file, offset, elements.transpose(axes), tuple(self.strides[axis] for axis in axes))
        finally:
            os.close(file)
        return elements

    def _fill(self, file: int, offset: int, out: NDArray[Any], strides: tuple[int, ...]) -> None:
        """Read the elements of `out`; its first dimension has the longest stride."""
        span = sum((size - 1) * step for size, step in zip(out.shape, strides, strict=True)) + self.dtype.itemsize
        if not out.ndim or span <= max(_AT_ONCE, out.size * self.dtype.itemsize):
            raw = _pread(file, offset, span)
            out[...] = np.ndarray(out.shape, self.dtype, raw, 0, strides)
            return
        if out.ndim == 2 and strides[1] == self.dtype.itemsize:  # noqa: PLR2004  rows
            raw = _rows(file, offset, strides[0], out.shape[0], out.shape[1] * self.dtype.itemsize)
            out[...] = np.frombuffer(raw, self.dtype).reshape(out.shape)
            return
        for index in range(out.shape[0]):
            self._fill(file, offset + index * strides[0], out[index, ...], strides[1:])


def plane_chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return chunks for elements that have no blocks: whole planes if they are small, otherwise tiles of one plane.

    Examples
    --------
    >>> plane_chunks((256, 361, 720), 4), plane_chunks((3, 20000, 20000), 2)
    ((1, 361, 720), (1, 625, 625))
    """
    if len(shape) < 3:  # noqa: PLR2004  a plane
        return default_chunks(shape, itemsize)
    plane = prod(shape[-2:]) * itemsize
    if plane > _PLANE_BYTES:
        return (*(1 for _ in shape[:-2]), *default_chunks(shape[-2:], itemsize))
    room, leading = max(1, CHUNK_BYTES // max(1, plane)), []
    for size in reversed(shape[:-2]):
        leading.append(max(1, min(size, room)))
        room = max(1, room // leading[-1])
    return (*reversed(leading), *(max(1, size) for size in shape[-2:]))
