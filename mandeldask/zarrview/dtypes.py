"""Data types as they are stored: native, little-endian and without gaps."""

from __future__ import annotations

from typing import Any

import numpy as np

TEXT = np.dtypes.StringDType()
"""Text of any length."""

DIGITS = 2**53
"""float64 represents all whole numbers up to this one exactly."""


def plain(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return `dtype` little-endian; structs packed, fields of structs too, and text at least one character wide.

    numpy has several types for the same whole numbers (`longlong` and `int64`); zarr-python knows only one of them.

    Examples
    --------
    >>> plain(np.dtype([("a", "i1"), ("b", ">f8")], align=True))
    dtype([('a', 'i1'), ('b', '<f8')])
    >>> plain(np.dtype("U0")), plain(np.dtype(">M8[s]"))
    (dtype('<U1'), dtype('<M8[s]'))
    """
    if dtype.fields is not None and dtype.names is not None:
        return np.dtype([(name, plain(dtype.fields[name][0])) for name in dtype.names])
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.dtype((plain(base), shape))
    if dtype.kind == "T":
        return TEXT
    if dtype.kind in "US" and dtype.itemsize == 0:
        return np.dtype(f"{dtype.kind}1")
    little = dtype.newbyteorder("<")
    return np.dtype(little.str) if little.kind in "biufc" else little
