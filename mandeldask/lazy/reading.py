"""Read pixels of a grid by numpy's indexing rules: only the requested pixels are computed, each only once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from mandeldask.lazy.calls import CALL_SIDE
from mandeldask.lazy.memory import check_read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

Index: TypeAlias = "int | np.integer[Any] | slice | NDArray[np.integer[Any]]"
"""Index of one axis; arrays are one-dimensional."""


class ReadWindow(Protocol):
    """Computes the pixels of two slices with positive steps."""

    def __call__(self, rows: slice, cols: slice, /) -> NDArray[Any]:
        """Return pixels of shape (len(rows), len(cols))."""
        ...


@dataclass(frozen=True, slots=True)
class Picked:
    """The pixels that an index picks along one axis: ascending runs to compute, and the final order."""

    runs: tuple[slice, ...]
    """Disjoint slices with positive steps, in ascending order."""
    size: int
    """Number of distinct pixels."""
    layout: Any
    """Index that puts the computed pixels into the requested order: an int, a slice or an array."""

    @classmethod
    def along(cls, index: Index, size: int) -> Picked:
        """Return the pixels that `index` picks from an axis of `size` pixels.

        Raises
        ------
        IndexError
            If an integer is out of range.
        """
        if isinstance(index, slice):
            picked = range(size)[index]
            ascending = picked if picked.step > 0 else picked[::-1]
            return cls(_as_slices(ascending), len(picked), slice(None, None, 1 if picked.step > 0 else -1))
        if isinstance(index, np.ndarray):
            unique, places = np.unique(from_start(index, size), return_inverse=True)
            return cls(tuple(runs(unique)), unique.size, places.reshape(index.shape))
        pixel = range(size)[index]
        return cls((slice(pixel, pixel + 1, 1),), 1, 0)


def read_outer(read: ReadWindow, shape: tuple[int, int], key: tuple[Index, Index], dtype: np.dtype[Any]) -> Any:
    """Return the pixels at all combinations of rows and columns of `key`, as numpy's `a[rows][:, cols]`.

    Parameters
    ----------
    read : callable
        Computes a window; called for disjoint windows of at most `CALL_SIDE` x `CALL_SIDE` pixels.
    shape : (int, int)
        Pixels (height, width) of the grid.
    key : (index, index)
        An int, a slice or a 1-D array for each axis.

    Raises
    ------
    IndexError
        If an integer is out of range.
    MemoryError
        If there are more pixels than `mandeldask.lazy.memory` allows.
    """
    rows, cols = (Picked.along(index, size) for index, size in zip(key, shape, strict=True))
    check_read((rows.size, cols.size), dtype.itemsize)
    out = np.empty((rows.size, cols.size), dtype)
    for row, span_rows in _placed(rows.runs):
        for col, span_cols in _placed(cols.runs):
            pixels = read(span_rows, span_cols)
            out[row : row + pixels.shape[0], col : col + pixels.shape[1]] = pixels
    return out[rows.layout][..., cols.layout]


def read_points(
    read: ReadWindow, shape: tuple[int, int], key: tuple[NDArray[Any], NDArray[Any]], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Return the pixels at ``(rows[i], cols[i])`` for arrays `key`, as numpy's `a[rows, cols]`.

    Points that follow each other along a row (or a column, if that makes fewer calls) are computed together.

    Raises
    ------
    IndexError
        If a point is out of range.
    """
    rows, cols = np.broadcast_arrays(from_start(key[0], shape[0]), from_start(key[1], shape[1]))
    check_read(rows.shape, dtype.itemsize)
    points, layout = np.unique(np.stack([rows.ravel(), cols.ravel()]), axis=1, return_inverse=True)
    out = np.empty(points.shape[1], dtype)
    across = np.unique(points[1]).size < np.unique(points[0]).size
    for where, line, run in _lines(points[::-1] if across else points):
        single = slice(line, line + 1, 1)
        out[where] = (read(run, single) if across else read(single, run)).ravel()
    return out[layout.ravel()].reshape(rows.shape)


def from_start(index: ArrayLike, size: int) -> NDArray[np.int64]:
    """Return `index` as non-negative integers; negative ones count from the end of `size` pixels.

    Raises
    ------
    IndexError
        If one is out of range.
    """
    pixels = np.asarray(index)
    pixels = np.where(pixels < 0, pixels + size, pixels).astype(np.int64)
    if pixels.size and not (pixels.min() >= 0 and pixels.max() < size):
        msg = f"index is out of bounds for an axis of {size} pixels"
        raise IndexError(msg)
    return pixels


def runs(ascending: NDArray[np.integer[Any]]) -> Iterator[slice]:
    """Yield slices that together pick the given distinct, sorted integers, greedily from the first.

    Examples
    --------
    >>> list(runs(np.array([0, 1, 2, 10, 20, 40])))
    [slice(0, 3, 1), slice(10, 21, 10), slice(40, 41, 1)]
    """
    values = [int(value) for value in ascending]
    first = 0
    while first < len(values):
        last, step = first, 1
        if first + 1 < len(values):
            step = values[first + 1] - values[first]
            while last + 1 < len(values) and values[last + 1] - values[last] == step:
                last += 1
        yield slice(values[first], values[last] + 1, step)
        first = last + 1


def _lines(points: NDArray[np.integer[Any]]) -> Iterator[tuple[NDArray[np.intp], int, slice]]:
    """Yield for each run of points on one line: their positions in `points`, the line, the slice along it."""
    if not points.size:
        return
    order = np.lexsort((points[1], points[0]))
    lines, starts = np.unique(points[0][order], return_index=True)
    for line, places in zip(lines, np.split(order, starts[1:]), strict=True):
        first = 0
        for run in runs(points[1][places]):
            count = len(range(run.start, run.stop, run.step))
            yield places[first : first + count], int(line), run
            first += count


def _placed(slices: tuple[slice, ...]) -> Iterator[tuple[int, slice]]:
    """Yield slices of at most `CALL_SIDE` pixels, each with its start in the result."""
    place = 0
    for whole in slices:
        pixels = range(whole.start, whole.stop, whole.step)
        for first in range(0, len(pixels), CALL_SIDE):
            span = pixels[first : first + CALL_SIDE]
            yield place + first, slice(span.start, span.stop, span.step)
        place += len(pixels)


def _as_slices(pixels: range) -> tuple[slice, ...]:
    return (slice(pixels.start, pixels.stop, pixels.step),) if pixels else ()
