"""Coarser levels of an array: exact partial results, halved level by level and rounded once.

An element of a level represents a cell of the array: 2**level elements along each spatial axis, fewer at the end of an
axis. The data that a level needs from the next finer one is called its *state*. For means, the state holds sums
instead of rounded means: rounding at each of eight levels can turn a true mean of 1.50 into 0 or 2, but sums are
rounded only once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import numpy as np

from mandeldask.images.rounding import divided, rounded, shifted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

METHODS: Final = ("mean", "stride", "mode")
"""The methods of making a level from the next finer one."""

CELL_BITS: Final = 30
"""A cell has at most 2**CELL_BITS elements, so that sums and remainders fit into 64 bits."""

State: TypeAlias = tuple["NDArray[Any]", ...]
"""The data of a level from which the next coarser one is computed: arrays of one shape."""


class Method(Protocol):
    """Makes levels of one array."""

    def begin(self, block: NDArray[Any]) -> State:
        """Return the state of elements of the array itself."""

    def halve(self, state: State, level: int) -> State:
        """Return the state of `level` from the state of the next finer level, which starts at an even position."""

    def finish(self, state: State, cells: NDArray[Any]) -> NDArray[Any]:
        """Return the elements of a level; `cells` has the number of elements in the cell of each."""


def method(name: str, dtype: np.dtype[Any], axes: Sequence[int], missing: Any = None) -> Method:
    """Return the method of this name for an array.

    Parameters
    ----------
    name : {"mean", "stride", "mode"}
        The mean of each cell, its first element, or its most frequent value.
    dtype : dtype
        Type of the array's elements.
    axes : sequence of int
        The axes that are halved.
    missing : optional
        The value that stands for missing elements, in addition to NaN; they are left out of means and modes.

    Raises
    ------
    ValueError
        If there is no such method.
    TypeError
        If elements of the dtype have no mean.
    """
    if name not in METHODS:
        msg = f"method must be one of {', '.join(METHODS)}, not {name!r}"
        raise ValueError(msg)
    if name == "stride":
        return Stride(tuple(axes))
    if name == "mode":
        return Mode(tuple(axes), missing)
    if dtype.kind not in "buifc":
        msg = f"elements of dtype {dtype} have no mean; use method='stride' or 'mode'"
        raise TypeError(msg)
    return Mean(dtype, tuple(axes), missing)


def cells_along(size: int, level: int, start: int, stop: int) -> NDArray[np.int64]:
    """Return the number of elements (of `size`) in the cells of a level's elements from `start` to `stop`.

    Examples
    --------
    >>> cells_along(10, 2, 0, 3)
    array([4, 4, 2])
    """
    ends: NDArray[np.int64] = np.minimum(size, np.arange(start + 1, stop + 1, dtype=np.int64) << level)
    return ends - (np.arange(start, stop, dtype=np.int64) << level)


def half(size: int, level: int = 1) -> int:
    """Return the size of a level, given that of the array: `size` / 2**level, rounded up."""
    return -(-size >> level)


@dataclass(frozen=True, slots=True)
class Stride:
    """The first element of each cell."""

    axes: tuple[int, ...]

    def begin(self, block: NDArray[Any]) -> State:
        """Return the elements themselves."""
        return (block,)

    def halve(self, state: State, level: int) -> State:  # noqa: ARG002  the signature of Method
        """Return every second element."""
        (block,) = state
        return (block[tuple(slice(None, None, 2 if axis in self.axes else 1) for axis in range(block.ndim))],)

    def finish(self, state: State, cells: NDArray[Any]) -> NDArray[Any]:  # noqa: ARG002  the signature of Method
        """Return the elements themselves."""
        return state[0]


@dataclass(frozen=True, slots=True)
class Mode:
    """The most frequent value in each cell of the finer level; of several, the smallest.

    These are modes of modes: the exact mode of a cell would need all its elements at once.
    """

    axes: tuple[int, ...]
    missing: Any = None

    def begin(self, block: NDArray[Any]) -> State:
        """Return the elements, and which of them are present."""
        return block, present(block, self.missing)

    def halve(self, state: State, level: int) -> State:  # noqa: ARG002  the signature of Method
        """Return the modes of cells of two along each axis."""
        values, counted = _candidates(state[0], self.axes), _candidates(state[1], self.axes, absent=True)
        best, most = values[0].copy(), np.where(counted[0], 0, -1)
        for value, counts in zip(values, counted, strict=True):
            votes = sum(
                ((other == value) & there).astype(np.int8) for other, there in zip(values, counted, strict=True)
            )
            better = counts & ((votes > most) | ((votes == most) & (value < best)))
            best, most = np.where(better, value, best), np.where(better, votes, most)
        return best, most > 0

    def finish(self, state: State, cells: NDArray[Any]) -> NDArray[Any]:  # noqa: ARG002  the signature of Method
        """Return the modes; if all elements of a cell are missing, one of them."""
        return state[0]


def _candidates(block: NDArray[Any], axes: Sequence[int], *, absent: bool = False) -> list[NDArray[Any]]:
    """Return the elements of each cell, one array per position in it; past the end, the first element as absent."""
    offsets = [(0, 1) if axis in axes else (0,) for axis in range(block.ndim)]
    first = block[tuple(slice(None, None, len(each)) for each in offsets)]
    found = []
    for offset in product(*offsets):
        part = block[tuple(slice(start, None, len(each)) for start, each in zip(offset, offsets, strict=True))]
        whole = np.zeros(first.shape, block.dtype) if absent else first.copy()
        whole[tuple(map(slice, part.shape))] = part
        found.append(whole)
    return found


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of the elements of each cell that are not missing, rounded once: half to even for whole numbers.

    Sums of whole numbers are exact. They are one word, or, if that is too short, two words: the lower 32 bits and the
    rest. Sums of floats are a float64 and its rounding error; this pair is exact unless the elements differ greatly in
    size.
    """

    dtype: np.dtype[Any]
    axes: tuple[int, ...]
    missing: Any = None

    @property
    def _counts(self) -> bool:
        """Whether elements can be missing, so that each state counts those that are present."""
        return self.missing is not None or self.dtype.kind in "fc"

    @property
    def _wide(self) -> bool:
        """Whether sums need two words."""
        return self.dtype.kind in "ui" and self.dtype.itemsize * 8 + CELL_BITS > 63  # noqa: PLR2004  bits of int64

    def begin(self, block: NDArray[Any]) -> State:
        """Return the state of single elements: their sums are the elements themselves."""
        if not self._counts:
            return self._split(block)
        there = present(block, self.missing)
        return *self._split(np.where(there, block, block.dtype.type(0))), there.astype(np.uint8)

    def _split(self, block: NDArray[Any]) -> State:
        """Return elements as the words of their sums."""
        if self.dtype.kind == "c":
            return *self._pair(block.real), *self._pair(block.imag)
        if self.dtype.kind == "f":
            return self._pair(block)
        if self._wide:
            return (block >> 32).astype(np.int64), (block & 0xFFFFFFFF).astype(np.int64)
        return (block,)

    @staticmethod
    def _pair(block: NDArray[Any]) -> State:
        sums = block.astype(np.float64)
        return sums, np.zeros_like(sums)

    def halve(self, state: State, level: int) -> State:
        """Return the sums of cells of two along each axis."""
        bits = len(self.axes) * level
        words = state[:-1] if self._counts else state
        counts = [_added(state[-1], self.axes, _unsigned(bits + 1))] if self._counts else []
        if self.dtype.kind in "fc":
            pairs = zip(words[::2], words[1::2], strict=True)
            return *(word for sums, errors in pairs for word in _added_floats(sums, errors, self.axes)), *counts
        if self._wide:
            high, low = (_added(word, self.axes, np.int64) for word in words)
            return high + (low >> 32), low & 0xFFFFFFFF, *counts
        return _added(words[0], self.axes, self._word(bits)), *counts

    def _word(self, bits: int) -> type[Any]:
        """Return the shortest type that can represent sums of 2**`bits` elements."""
        bits += 1 if self.dtype.kind == "b" else self.dtype.itemsize * 8
        return np.int64 if self.dtype.kind == "i" else _unsigned(bits)

    def finish(self, state: State, cells: NDArray[Any]) -> NDArray[Any]:
        """Return the means, of the array's dtype; if all elements of a cell are missing, the missing value."""
        bits = _shared_bits(cells)
        if bits is not None and self.dtype.kind in "ui" and not (self._counts or self._wide):
            return shifted(state[0], bits).astype(self.dtype)
        words = state[:-1] if self._counts else state
        counts = state[-1].astype(np.int64) if self._counts else cells
        means = self._divided(words, np.maximum(counts, 1)).astype(self.dtype)
        if self._counts:
            gap = np.nan if self.dtype.kind in "fc" and self.missing is None else self.missing
            means[counts == 0] = gap
        return means

    def _divided(self, words: State, counts: NDArray[Any]) -> NDArray[Any]:
        if self.dtype.kind == "c":
            return np.asarray(divided(words[0], words[1], counts) + 1j * divided(words[2], words[3], counts))
        if self.dtype.kind == "f":
            return divided(words[0], words[1], counts)
        if not self._wide:
            return rounded(*np.divmod(words[0].astype(np.int64), counts), counts)
        above, rest = np.divmod(words[0], counts)
        below, rest = np.divmod((rest << 32) + words[1], counts)  # rest < 2**30
        modulus = (above << 32) + below  # of 64 bits, for unsigned numbers past 2**63 too
        return rounded(modulus, rest, counts)


def _shared_bits(cells: NDArray[np.int64]) -> int | None:
    """Return b if all cells have 2**b elements and `cells` is one broadcast number; else None."""
    if not cells.size or any(cells.strides):
        return None
    count = int(cells[(0,) * cells.ndim])
    return count.bit_length() - 1 if count & (count - 1) == 0 else None


def present(block: NDArray[Any], missing: Any) -> NDArray[np.bool_]:
    """Return which elements are neither NaN nor the value `missing`."""
    there = np.ones(block.shape, bool)
    if block.dtype.kind in "fc":
        there &= ~np.isnan(block)
    if missing is not None and missing == missing:  # noqa: PLR0124  False for NaN
        there &= block != missing
    return there


def _unsigned(bits: int) -> type[Any]:
    """Return the shortest unsigned type of at least `bits`, but int64 past 32."""
    return np.uint16 if bits <= 16 else np.uint32 if bits <= 32 else np.int64  # noqa: PLR2004


def _added(block: NDArray[Any], axes: Sequence[int], dtype: Any) -> NDArray[Any]:
    """Return the sums of pairs along each axis; the last element of an odd number has no partner."""
    for axis in axes:
        first, second = _pairs(block, axis)
        sums = first.astype(dtype)
        ahead = _upto(sums, axis, second.shape[axis])
        ahead += second
        block = sums
    return block


def _added_floats(sums: NDArray[Any], errors: NDArray[Any], axes: Sequence[int]) -> State:
    """Return sums of pairs of float64 and the errors of these sums (Knuth's TwoSum)."""
    for axis in axes:
        (first, second), (error, other) = _pairs(sums, axis), _pairs(errors, axis)
        total, lost = first.copy(), error.copy()
        a, size = _upto(first, axis, second.shape[axis]), second.shape[axis]
        with np.errstate(invalid="ignore", over="ignore"):  # infinities have no error
            both = a + second
            shift = both - a
            rounding = (a - (both - shift)) + (second - shift)
            _upto(total, axis, size)[...] = both
            _upto(lost, axis, size)[...] += other + np.where(np.isfinite(both), rounding, 0.0)
        sums, errors = total, lost
    return sums, errors


def _pairs(block: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    before = (slice(None),) * axis
    return block[(*before, slice(0, None, 2))], block[(*before, slice(1, None, 2))]


def _upto(block: NDArray[Any], axis: int, size: int) -> NDArray[Any]:
    return block[(*(slice(None),) * axis, slice(0, size))]
