"""Lazily indexed pixels for xarray. No other module uses xarray's semi-private indexing interface.

xarray's own `LazilyIndexedArray` is lazy only for slices: vectorised and transposed access list every index of the
array (4 EiB at 2^59 pixels). The subclass in this module computes both from the slices. `tests/lazy/test_indexing.py`
tests the names that this module imports.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from xarray.backends import BackendArray

from mandeldask.cancellation import Cancellation, cancellable
from mandeldask.fractal.rationals import as_key
from mandeldask.internals.xarray_names import (
    BasicIndexer,
    CoordinateTransformIndexingAdapter,
    CopyOnWriteArray,
    ExplicitIndexer,
    ExplicitlyIndexedNDArrayMixin,
    IndexSelResult,
    LazilyIndexedArray,
    LazilyVectorizedIndexedArray,
    MemoryCachedArray,
    OuterIndexer,
    VectorizedIndexer,
    content_of,
)
from mandeldask.lazy.memory import check_read
from mandeldask.lazy.reading import from_start, read_outer, read_points
from mandeldask.lazy.tokens import normalize_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from xarray import Variable

    from mandeldask.lazy.pixels import Pixels

__all__ = ["IndexSelResult", "LazyPixels", "PixelArray", "PixelLabels", "pixels_of"]


class PixelLabels(CoordinateTransformIndexingAdapter):
    """Coordinates that a transform computes, with a short repr: the first, the second and the last.

    xarray's own repr computes as many labels as fit on a line, which takes more than half of the time to show a tree of
    50 levels.
    """

    def _repr_inline_(self, max_width: int) -> str:
        size = self.shape[0]
        if size < 3:  # noqa: PLR2004  fewer than three values
            return super()._repr_inline_(max_width)
        shown = self._transform.forward({self._dims[0]: np.array([0, 1, size - 1])})
        return "{:.4g} {:.4g} ... {:.4g}".format(*shown[self._coord_name])

    def __dask_tokenize__(self) -> Any:
        """Return what determines every label, without computing one."""
        transform: Any = self._transform
        axis = transform.axis
        return "labels", as_key(axis.start, axis.step), axis.size


class PixelArray(BackendArray):
    """One field of a grid, as an xarray BackendArray.

    Parameters
    ----------
    pixels : Pixels
        Source of the values.
    """

    __slots__ = ("dtype", "pixels", "shape")

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self.shape = pixels.shape
        self.dtype = pixels.dtype

    def __getitem__(self, key: ExplicitIndexer) -> Any:
        """Return the pixels of `key`, computed in this thread."""
        if isinstance(key, VectorizedIndexer):
            rows, cols = key.tuple
            return read_points(self.pixels.read, self.shape, (rows, cols), self.dtype)
        return read_outer(self.pixels.read, self.shape, key.tuple, self.dtype)

    async def async_getitem(self, key: ExplicitIndexer) -> Any:
        """Return the pixels of `key`, computed in a thread; cancelling the task stops the kernel."""
        cancellation = Cancellation()
        with cancellable(cancellation):
            try:
                return await asyncio.to_thread(self.__getitem__, key)
            except asyncio.CancelledError:
                cancellation.cancel()
                raise

    def __dask_tokenize__(self) -> Any:
        return self.pixels.__dask_tokenize__()


class LazyPixels(LazilyIndexedArray):
    """A `LazilyIndexedArray` that stays lazy for vectorised and transposed access, at any size."""

    __slots__ = ()

    def transpose(self, order: Sequence[int]) -> Any:
        """Return the array with its axes in another order, also lazy."""
        return _Transposed(self) if tuple(order) == (1, 0) else self

    def __getitem__(self, indexer: ExplicitIndexer) -> Any:
        _check_bounds(indexer, self.shape)
        return super().__getitem__(indexer)

    def _oindex_get(self, indexer: OuterIndexer) -> Any:
        _check_bounds(indexer, self.shape)
        return super()._oindex_get(indexer)

    def _vindex_get(self, indexer: VectorizedIndexer) -> Any:
        picked = iter(_as_arrays(indexer, self.shape))
        points = [
            np.asarray(own) if isinstance(own, (int, np.integer)) else _compose(own, next(picked), size)
            for own, size in zip(self.key.tuple, self.array.shape, strict=True)
        ]
        return LazilyVectorizedIndexedArray(self.array, VectorizedIndexer(tuple(np.broadcast_arrays(*points))))

    def constant(self) -> np.generic | None:
        """Return the common value of all elements if it is known without computing them, else None."""
        if self.ndim != 2 or not all(isinstance(key, slice) for key in self.key.tuple):  # noqa: PLR2004  rows and columns
            return None
        pixels: Pixels = self.array.pixels
        return replace(pixels, grid=pixels.grid[self.key.tuple]).constant()

    def __dask_tokenize__(self) -> Any:
        # not its repr, which omits the middle of long lists
        return self.array.__dask_tokenize__(), normalize_token(self.key.tuple)


def pixels_of(variable: Variable) -> Pixels | None:
    """Return the Pixels of a variable if it is a two-dimensional window of lazily indexed pixels, else None."""
    data = content_of(variable)
    while isinstance(data, (MemoryCachedArray, CopyOnWriteArray)):  # xarray's wrappers of backend arrays
        data = data.array
    if not isinstance(data, LazyPixels) or not all(isinstance(key, slice) for key in data.key.tuple):
        return None
    pixels: Pixels = data.array.pixels
    return replace(pixels, grid=pixels.grid[data.key.tuple])


class _Transposed(ExplicitlyIndexedNDArrayMixin):
    """The transpose of two-dimensional `LazyPixels`."""

    __slots__ = ("array",)

    def __init__(self, array: LazyPixels) -> None:
        self.array = array

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.array.dtype)

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.array.shape
        return width, height

    def transpose(self, order: Sequence[int]) -> Any:
        return self.array if tuple(order) == (1, 0) else self

    def get_duck_array(self) -> NDArray[Any]:
        return np.transpose(self.array.get_duck_array())  # type: ignore[no-untyped-call]

    async def async_get_duck_array(self) -> NDArray[Any]:
        return np.transpose(await self.array.async_get_duck_array())  # type: ignore[no-untyped-call]

    def __getitem__(self, indexer: ExplicitIndexer) -> Any:
        self._check_and_raise_if_non_basic_indexer(indexer)
        return _transposed(self.array[BasicIndexer(_reversed(indexer))])

    def _oindex_get(self, indexer: OuterIndexer) -> Any:
        return _transposed(self.array.oindex[OuterIndexer(_reversed(indexer))])

    def _vindex_get(self, indexer: VectorizedIndexer) -> Any:
        arrays = _as_arrays(indexer, self.shape)
        return self.array.vindex[VectorizedIndexer(tuple(reversed(arrays)))]

    def __dask_tokenize__(self) -> Any:
        return "transposed", self.array.__dask_tokenize__()


def _check_bounds(indexer: ExplicitIndexer, shape: tuple[int, ...]) -> None:
    """Raise IndexError for an index that is out of range: xarray would count from the end twice."""
    for key, size in zip(indexer.tuple, shape, strict=True):
        if not isinstance(key, slice):
            from_start(key, size)


def _transposed(array: LazyPixels) -> Any:
    return _Transposed(array) if array.ndim == 2 else array  # noqa: PLR2004  only two dimensions are transposed


def _reversed(indexer: ExplicitIndexer) -> tuple[Any, ...]:
    key = indexer.tuple
    return (slice(None), *reversed(key)) if len(key) == 1 else tuple(reversed(key))


def _as_arrays(indexer: VectorizedIndexer, shape: tuple[int, ...]) -> tuple[NDArray[Any], ...]:
    """Return `indexer` with its slices as arrays; their dimensions come last, as in numpy."""
    slices = [axis for axis, key in enumerate(indexer.tuple) if isinstance(key, slice)]
    lengths = {axis: len(range(shape[axis])[indexer.tuple[axis]]) for axis in slices}
    points = np.broadcast_shapes(*(key.shape for axis, key in enumerate(indexer.tuple) if axis not in lengths))
    check_read((math.prod(points), *lengths.values()))
    arrays = []
    for axis, key in enumerate(indexer.tuple):
        if axis in lengths:
            picked = range(shape[axis])[key]
            trailing = len(slices) - slices.index(axis) - 1
            arrays.append(np.arange(picked.start, picked.stop, picked.step).reshape(-1, *(1,) * trailing))
        else:
            arrays.append(from_start(key, shape[axis]).reshape(*key.shape, *(1,) * len(slices)))
    return tuple(np.broadcast_arrays(*arrays))


def _compose(own: slice | NDArray[Any], picked: NDArray[Any], size: int) -> NDArray[Any]:
    """Return positions `picked`, which count within the index `own`, as positions along the whole axis."""
    if isinstance(own, slice):
        pixels = range(size)[own]
        return np.asarray(pixels.start + picked * pixels.step)
    return np.asarray(own[picked])
