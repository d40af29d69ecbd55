"""Names of xarray below its public functions: lazily indexed arrays, and what a Variable holds."""

from __future__ import annotations

from typing import Any

from xarray import Variable
from xarray.core.indexing import (
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
)

__all__ = [
    "BasicIndexer",
    "CoordinateTransformIndexingAdapter",
    "CopyOnWriteArray",
    "ExplicitIndexer",
    "ExplicitlyIndexedNDArrayMixin",
    "IndexSelResult",
    "LazilyIndexedArray",
    "LazilyVectorizedIndexedArray",
    "MemoryCachedArray",
    "OuterIndexer",
    "VectorizedIndexer",
    "as_it_is",
    "content_of",
]


def content_of(variable: Variable) -> Any:
    """Return the array that a Variable holds; its `data` would compute lazily indexed ones."""
    return variable._data  # noqa: SLF001


def as_it_is(dims: Any, content: Any, attributes: Any = None) -> Variable:
    """Return a Variable that holds `content` as it is, so that it stays lazy."""
    return Variable(dims, content, attributes, fastpath=True)
