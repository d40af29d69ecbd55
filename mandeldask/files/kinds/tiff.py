"""TIFF and formats based on it (OME-TIFF, COG, ImageJ, whole slides): tiles and strips, read one by one.

tifffile finds the offsets and decodes. The bytes are read by offset, so that threads share no file position.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from mandeldask.files.axes import without_clashes
from mandeldask.files.blocks import blocked
from mandeldask.files.flat import Flat, plane_chunks, pread
from mandeldask.files.handles import handles
from mandeldask.files.kinds.tiff_metadata import axes_of, image_attributes, multiscale_attributes
from mandeldask.files.skipped import members_of
from mandeldask.files.stamps import Unreadable
from mandeldask.zarrview.blocked import BLOCK_LIMIT
from mandeldask.zarrview.nodes import Array, Group

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.files.stamps import Source
    from mandeldask.zarrview.nodes import Node

_WITH_TABLES = {6, 7, 33007, 34892}
"""Compressions whose segments need tables from their page (JPEG)."""


@dataclass(frozen=True, slots=True)
class Page:
    """The division of a level's pages, in tifffile's five dimensions of a page.

    They are: separate samples, depth, length, width, samples side by side.
    """

    shape: tuple[int, int, int, int, int]
    """Shape of a page."""
    segment: tuple[int, int, int, int, int]
    """Shape of a tile or strip."""

    @classmethod
    def of(cls, keyframe: tifffile.TiffPage) -> Page:
        """Return the division of the pages like `keyframe`."""
        samples, depth, length, width, contiguous = map(int, keyframe.shaped)
        if keyframe.is_tiled:
            segment = (1, max(1, keyframe.tiledepth), keyframe.tilelength, keyframe.tilewidth, contiguous)
        else:
            segment = (1, 1, min(keyframe.rowsperstrip, length), width, contiguous)
        return cls((samples, depth, length, width, contiguous), segment)

    @property
    def grid(self) -> tuple[int, ...]:
        """Segments along each dimension."""
        return tuple(-(-size // step) for size, step in zip(self.shape, self.segment, strict=True))

    def number(self, place: tuple[int, ...]) -> int:
        """Return the number of the segment at `place` in the grid."""
        number = 0
        for index, count in zip(place, self.grid, strict=True):
            number = number * count + index
        return number


@dataclass(frozen=True, slots=True)
class Segments:
    """Reads windows of one level of a series."""

    source: Source
    """The file."""
    series: int
    """Number of the series in the file."""
    level: int
    """Number of the level in the series."""
    dtype: np.dtype[Any]
    """Type of the elements."""
    leading: tuple[int, ...]
    """Dimensions of the array that count pages."""
    trailing: tuple[int, ...]
    """Dimensions of the array inside a page."""
    page: Page
    """The division of the pages."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        return self.source.read(lambda: self._read(window))

    def _read(self, window: tuple[slice, ...]) -> NDArray[Any]:
        pages, inside = window[: len(self.leading)], window[len(self.leading) :]
        elements = np.empty(tuple(span.stop - span.start for span in window), self.dtype)
        numbers = np.arange(prod(self.leading)).reshape(self.leading)[pages]
        places = self._in_page(inside)
        sizes = tuple(span.stop - span.start for span in places)
        for place in np.ndindex(numbers.shape):
            page = np.empty(sizes, self.dtype)
            self._fill(page, int(numbers[place]), places)
            elements[place] = page.reshape(elements.shape[len(self.leading) :])
        return elements

    def _in_page(self, inside: tuple[slice, ...]) -> tuple[slice, ...]:
        """Return a window of a page in tifffile's five dimensions; dimensions of size one are added or removed."""
        long = [span for span, size in zip(inside, self.trailing, strict=True) if size > 1]
        short = slice(0, 1)
        return tuple(long.pop(0) if size > 1 else short for size in self.page.shape)

    def _fill(self, out: NDArray[Any], page: int, places: tuple[slice, ...]) -> None:
        steps = self.page.segment
        spans = [range(p.start // s, -(-p.stop // s)) for p, s in zip(places, steps, strict=True)]
        wanted = list(product(*spans))
        for place, segment, nodata in self._decoded(page, wanted):
            starts = [index * step for index, step in zip(place, steps, strict=True)]
            ends = [min(s + n, size) for s, n, size in zip(starts, steps, self.page.shape, strict=True)]
            first = [max(start, p.start) for start, p in zip(starts, places, strict=True)]
            last = [min(end, p.stop) for end, p in zip(ends, places, strict=True)]
            target = out[tuple(slice(a - p.start, b - p.start) for a, b, p in zip(first, last, places, strict=True))]
            if segment is None:
                target[...] = nodata
                continue
            own = tuple(slice(a - s, b - s) for a, b, s in zip(first, last, starts, strict=True))
            target[...] = segment[own[1:]][np.newaxis]

    def _decoded(self, page: int, wanted: list[tuple[int, ...]]) -> Any:
        """Yield the position, elements (None if the file has none) and fill value of each segment."""
        with handles.lease(self.source, open_tiff, exclusive=True) as file:
            level = file.series[self.series].levels[self.level]
            keyframe, found = level.keyframe, level[page]
            decode, nodata = keyframe.decode, keyframe.nodata
            offsets = () if found is None else found.dataoffsets
            lengths = () if found is None else found.databytecounts
            tables = found is not None and keyframe.compression in _WITH_TABLES
            more = {"jpegtables": found.jpegtables, "jpegheader": keyframe.jpegheader} if tables else {}
        for place in wanted:
            number = self.page.number(place)
            if number >= len(offsets) or not lengths[number]:
                yield place, None, nodata
                continue
            raw = bytes(pread(self.source.path, offsets[number], lengths[number]))
            yield place, decode(raw, number, **more)[0], nodata


def open_tiff(source: Source) -> tifffile.TiffFile:
    """Return an open file; other files that its metadata names are not opened."""
    return tifffile.TiffFile(source.path, _multifile=False)


def opened(source: Source) -> Node:
    """Return the tree of a TIFF file.

    One image is an Array, or a Group of levels if it has several levels. Several images are a Group of these.
    """
    with handles.lease(source, open_tiff, exclusive=True) as file:
        images = {str(place): partial(_image, source, file, place) for place in range(len(file.series))}
        if not images:
            msg = "it has no image"
            raise Unreadable(msg)
        if len(images) == 1:
            return images["0"]()
        members, bad = members_of(images)
        return Group(without_clashes(members), image_attributes(file), skipped=bad)


def _image(source: Source, file: tifffile.TiffFile, place: int) -> Node:
    series = file.series[place]
    attrs = image_attributes(file, series, place)
    levels = [_level(source, file, place, level) for level in range(len(series.levels))]
    if len(levels) == 1:
        return replace(levels[0], attrs=attrs)
    shown = multiscale_attributes(file, series, place, [level.shape for level in levels])
    return Group({str(number): level for number, level in enumerate(levels)}, {**attrs, **shown})


def _level(source: Source, file: tifffile.TiffFile, place: int, number: int) -> Array:
    level = file.series[place].levels[number]
    if level.is_multifile or level.transform is not None:
        msg = "its image spans several files, or is made by a transformation"
        raise Unreadable(msg)
    keyframe, shape = level.keyframe, tuple(map(int, level.shape))
    if level.dtype is None or keyframe is None:
        msg = "its elements are of a type that tifffile does not know"
        raise Unreadable(msg)
    dtype = np.dtype(level.dtype).newbyteorder("=")
    dims = axes_of(level)
    fingerprint = source.identity("tiff", place, number)
    if level.dataoffset is not None and keyframe.fillorder == 1:
        flat = Flat.of(source, int(level.dataoffset), dtype.newbyteorder(file.byteorder), shape)
        return Array(shape, dtype, flat, plane_chunks(shape, dtype.itemsize), dims, fingerprint=fingerprint)
    _check_ends(source, level)
    page = Page.of(keyframe)
    if prod(page.segment) * dtype.itemsize > BLOCK_LIMIT:
        size = prod(page.segment) * dtype.itemsize
        msg = f"its tiles or strips have {size} bytes; at most {BLOCK_LIMIT} are decoded at a time"
        raise Unreadable(msg)
    leading, trailing = _divided(shape, page.shape)
    read = Segments(source, place, number, dtype, leading, trailing, page)
    block = (*(1 for _ in leading), *_in_array(trailing, page))
    array = Array(shape, dtype, read, plane_chunks(shape, dtype.itemsize), dims, fingerprint=fingerprint)
    return blocked(array, block)


def _check_ends(source: Source, level: tifffile.TiffPageSeries) -> None:
    """Raise EOFError for a level whose first or last page is beyond the end of the file."""
    for place in {0, len(level) - 1}:
        page = level[place]
        if page is None:
            continue
        end = max((at + length for at, length in zip(page.dataoffsets, page.databytecounts, strict=False)), default=0)
        if end > source.stamp.size:
            msg = f"it has {source.stamp.size} bytes, but its image needs {end}"
            raise EOFError(msg)


def _divided(shape: tuple[int, ...], page: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the dimensions of a series that count its pages, and the dimensions inside a page."""
    long = [size for size in page if size > 1]
    for first in range(len(shape), -1, -1):
        if [size for size in shape[first:] if size > 1] == long:
            return shape[:first], shape[first:]
    msg = f"its pages of {page} elements do not make up an image of {shape}"
    raise Unreadable(msg)


def _in_array(trailing: tuple[int, ...], page: Page) -> tuple[int, ...]:
    """Return the shape of a segment in the dimensions of the array."""
    long = [step for step, size in zip(page.segment, page.shape, strict=True) if size > 1]
    return tuple(min(long.pop(0), size) if size > 1 else 1 for size in trailing)
