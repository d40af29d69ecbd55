"""Names of xarray that are not public: lazily indexed arrays, and the content of a Variable."""

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
    """Return the array in a Variable without computing it; `data` would compute a lazily indexed array."""
    return variable._data  # noqa: SLF001


def as_it_is(dims: Any, content: Any, attributes: Any = None) -> Variable:
    """Return a Variable with `content` unchanged, so that it stays lazy."""
    return Variable(dims, content, attributes, fastpath=True)
