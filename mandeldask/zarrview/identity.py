"""Identities of arrays for caches: by their content if it is known, otherwise unique to this process.

Identities that are valid only in this process end in `-process`, and so do all identities that are made from them.
"""

from __future__ import annotations

import mmap
import uuid
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final

import numpy as np

from mandeldask.internals.module_names import LAZY_MODULE

HASHED_BYTES = 2**26
"""Arrays in memory up to this size are identified by a hash (0.1 s); the identity of larger ones is unique."""


PROCESS: Final = "-process"
"""Suffix of identities that are valid only in this process."""

_LENGTH = 32 + len(PROCESS)


def digest(*items: object) -> str:
    """Return 32 hexadecimal digits that depend only on the text (or bytes) of every item.

    If an item is valid only in this process, so is the result.
    """
    hashed = blake2b(digest_size=16)
    for item in items:
        raw = item if isinstance(item, (bytes, memoryview)) else str(item).encode("utf-8", "surrogatepass")
        hashed.update(len(raw).to_bytes(8, "little"))
        hashed.update(raw)
    lasting = all(is_lasting(item) for item in items if isinstance(item, str))
    return hashed.hexdigest() + ("" if lasting else PROCESS)


def unique() -> str:
    """Return a unique identity, for content that is not known or can change without notice."""
    return uuid.uuid4().hex + PROCESS


def is_lasting(identity: str) -> bool:
    """Return whether an identity, or a digest of several, means the same content in every process and at any time."""
    return not (identity.endswith(PROCESS) and len(identity) == _LENGTH)


def identity(data: Any, hashed_bytes: float = HASHED_BYTES) -> str:
    """Return the identity of an array's content; it is unique for arrays larger than `hashed_bytes`.

    Arrays in memory are identified by their elements, xarray's lazy wrappers by the array that they wrap. Other arrays,
    such as lazily indexed pyramids, guarantee with `__dask_tokenize__` that their content never changes. The token of a
    dask array is only its name, which any code can choose, and which stays the same when a file changes. So the
    functions of a dask array must give that guarantee.
    """
    if isinstance(data, np.ma.MaskedArray):
        parts = np.ma.getdata(data), np.ma.getmaskarray(data)
        return digest("masked", *(identity(part, hashed_bytes) for part in parts))
    if isinstance(data, np.ndarray):
        return _of_elements(data, hashed_bytes)
    if hasattr(data, "__dask_graph__"):
        return _of_graph(data)
    return _of_promise(data) if hasattr(data, "__dask_tokenize__") else _of_wrapper(data)


def _of_wrapper(data: Any) -> str:
    """Return the identity of one of xarray's lazy wrappers; a unique one for other objects."""
    if type(data).__module__ != LAZY_MODULE or not hasattr(data, "array"):
        return unique()
    if type(data.array).__module__.partition(".")[0] == "pandas":
        return _of_elements(np.asarray(data))
    key = getattr(getattr(data, "key", None), "tuple", ())
    items = [identity(item) if isinstance(item, np.ndarray) else repr(item) for item in key]
    return digest(type(data).__qualname__, *items, identity(data.array))


def _of_promise(data: Any) -> str:
    token = data.__dask_tokenize__()
    spelled = _spelled(token)
    if spelled is not None:
        return digest("token", spelled)
    from dask.base import tokenize  # noqa: PLC0415  0.2 s of import

    return str(tokenize(data))


def _spelled(token: Any) -> str | None:
    """Return all of a token as text, if it consists of tuples, text and numbers; else None."""
    if type(token) is int:
        return hex(token)  # repr fails for more than 4300 digits
    if type(token) is tuple:
        parts = [_spelled(each) for each in token]
        return None if None in parts else f"({','.join(map(str, parts))})"
    return repr(token) if token is None or type(token) in {str, bytes, float, bool} else None


def _of_graph(data: Any) -> str:
    """Return the identity of a dask array from those of the functions that make its blocks, if all of them have one."""
    promises = [_of_layer(layer) for layer in getattr(data.dask, "layers", {None: None}).values()]
    if None in promises:
        return unique()
    return digest("dask", data.shape, data.chunks, data.dtype, *promises)


def _of_layer(layer: Any) -> str | None:
    """Return the identity of a layer of blocks, if it is one function with an identity or a selection; else None."""
    from dask.blockwise import Blockwise  # noqa: PLC0415
    from dask.layers import ArrayBlockIdDep  # noqa: PLC0415

    if not isinstance(layer, Blockwise):
        return None
    if not all(isinstance(each, ArrayBlockIdDep) for each in layer.io_deps.values()):
        return None
    if type(layer.task.func) is itemgetter:
        return repr(layer.task.func)
    given = [value for value, index in layer.indices if index is None and value != ("block_id",)]
    if len(given) == 1 and hasattr(given[0], "__dask_tokenize__"):
        return _of_promise(given[0])
    return None


def _is_mapped(data: Any) -> bool:
    """Return whether an array is mapped from a file that other processes can change."""
    while data is not None:
        if isinstance(data, (np.memmap, mmap.mmap)):
            return True
        data = data.obj if isinstance(data, memoryview) else getattr(data, "base", None)
    return False


def _of_elements(data: np.ndarray[Any, Any], hashed_bytes: float = HASHED_BYTES) -> str:
    if data.nbytes > hashed_bytes or _is_mapped(data):
        return unique()
    if data.dtype.kind in "OT":  # their bytes are pointers
        return _of_texts(data)
    if data.dtype.hasobject:
        return unique()
    elements = np.ascontiguousarray(data).reshape(-1).view(np.uint8).data if data.nbytes else b""
    return digest(repr(data.dtype), data.shape, elements)


def _of_texts(data: np.ndarray[Any, Any]) -> str:
    elements = data.ravel().tolist()
    if not {type(element) for element in elements} <= {str, bytes, int, float, bool, type(None)}:
        return unique()
    return digest(data.dtype, data.shape, *map(repr, elements))
