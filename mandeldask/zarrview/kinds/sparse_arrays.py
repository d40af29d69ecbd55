"""Sparse arrays: converted to dense arrays window by window, never as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.zarrview.chunking import default_chunks
from mandeldask.zarrview.identity import digest, identity
from mandeldask.zarrview.nodes import Array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Nonzeros:
    """The elements of an array that are not `background`, in C order.

    The cost of a window of h rows is 2h binary searches plus its own elements, whatever the size of the array.
    """

    shape: tuple[int, ...]
    positions: NDArray[np.int64]
    """Flat positions, ascending, without duplicates."""
    values: NDArray[Any]
    background: Any

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the dense elements of `window`."""
        *leading, last = window or (slice(0, 1),)  # treat a scalar as a row of one element
        width = self.shape[-1] if self.shape else 1
        rows = _flat([np.arange(span.start, span.stop) for span in leading], self.shape[:-1]) * width
        dense = np.full((len(rows), last.stop - last.start), self.background, self.values.dtype)
        starts, stops = np.searchsorted(self.positions, [rows + last.start, rows + last.stop])
        counts = stops - starts
        row = np.repeat(np.arange(len(rows)), counts)
        held = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(starts, counts)
        columns = self.positions[held] - np.repeat(rows + last.start, counts)
        dense[row, columns] = self.values[held]
        return dense.reshape([span.stop - span.start for span in window])


def _flat(axes: Sequence[NDArray[np.int64]], shape: Sequence[int]) -> NDArray[np.int64]:
    """Return the flat positions in `shape` of the outer product of `axes`, in C order."""
    flat = np.zeros(1, np.int64)
    for axis, size in zip(axes, shape, strict=True):
        flat = (flat[:, None] * size + axis).ravel()
    return flat


def sparse_node(shape: tuple[int, ...], coords: Sequence[NDArray[Any]], values: NDArray[Any], background: Any) -> Array:
    """Return the Array of elements given by their coordinates, one vector per dimension, each element once.

    Raises
    ------
    ValueError
        If the array has more than 2**63 - 1 elements.
    """
    if prod(shape) >= 2**63:
        msg = f"a sparse array of shape {shape} has more than 2**63 - 1 elements"
        raise ValueError(msg)
    positions = np.zeros(len(values), np.int64)
    for axis, size in zip(coords, shape, strict=True):
        positions = positions * size + axis
    if (np.diff(positions) < 0).any():
        order = np.argsort(positions)
        positions, values = positions[order], values[order]
    read = Nonzeros(shape, positions, values, background)
    fingerprint = digest(shape, identity(positions), identity(values), background)
    return Array(shape, values.dtype, read, default_chunks(shape, values.dtype.itemsize), fingerprint=fingerprint)
