"""What makes two arrays the same to a cache: deterministic where the source says so, else unique to this process."""

from __future__ import annotations

import uuid
from hashlib import blake2b
from typing import Any

import numpy as np

HASHED_BYTES = 2**26
"""Arrays in memory up to this size are identified by hashing them (0.1 s); larger ones are unique to the process."""


def digest(*parts: object) -> str:
    """Return 32 hexadecimal digits that depend on every part's text, or bytes, and on nothing else."""
    hashed = blake2b(digest_size=16)
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
        hashed.update(len(raw).to_bytes(8, "little"))
        hashed.update(raw)
    return hashed.hexdigest()


def unique() -> str:
    """Return an identity that nothing else has, for content that can change behind our back."""
    return uuid.uuid4().hex


def identity(data: Any) -> str:
    """Return the identity of an array's content.

    Arrays with a `__dask_tokenize__` (lazily indexed pyramids, dask arrays) are identified by it, xarray's lazy
    wrappers by what they wrap, arrays in memory by their elements.
    """
    if isinstance(data, np.ndarray):
        return _of_elements(data)
    if hasattr(data, "__dask_tokenize__"):
        from dask.base import tokenize  # noqa: PLC0415  0.1 s of import, for those who have such arrays

        return str(tokenize(data))
    if type(data).__module__ != "xarray.core.indexing" or not hasattr(data, "array"):
        return unique()
    if type(data.array).__module__.partition(".")[0] == "pandas":
        return _of_elements(np.asarray(data))
    key = getattr(getattr(data, "key", None), "tuple", ())
    parts = [identity(part) if isinstance(part, np.ndarray) else repr(part) for part in key]
    return digest(type(data).__qualname__, *parts, identity(data.array))


def _of_elements(data: np.ndarray[Any, Any]) -> str:
    if data.nbytes > HASHED_BYTES:
        return unique()
    if data.dtype.kind in "OT":  # their bytes are pointers
        return _of_texts(data)
    if data.dtype.hasobject:
        return unique()
    return digest(data.dtype.descr, data.shape, np.ascontiguousarray(data).tobytes())


def _of_texts(data: np.ndarray[Any, Any]) -> str:
    elements = data.ravel().tolist()
    if not {type(element) for element in elements} <= {str, bytes, int, float, bool, type(None)}:
        return unique()
    return digest(data.dtype, data.shape, *map(repr, elements))
