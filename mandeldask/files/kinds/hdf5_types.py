"""Types of HDF5's elements as types that Zarr has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from mandeldask.files.stamps import Unreadable
from mandeldask.files.times import cf_attributes

if TYPE_CHECKING:
    from numpy.typing import NDArray


def element_type(dataset: h5py.Dataset) -> tuple[Any, dict[str, Any]]:
    """Return the type in which a dataset's elements are shown, and attributes that describe the original type.

    Raises
    ------
    Unreadable
        If Zarr has no such type.
    """
    dtype = dataset.dtype
    text = h5py.check_string_dtype(dtype)
    if text is not None and text.length is None:
        return np.dtypes.StringDType(), {}
    choices = h5py.check_enum_dtype(dtype)
    if choices:
        ordered = sorted(choices.items(), key=lambda pair: pair[1])
        flags = {"flag_values": [int(value) for _, value in ordered], "flag_meanings": " ".join(n for n, _ in ordered)}
        return np.dtype(dtype.newbyteorder("=").str), flags
    if dtype.kind in "mM":
        return np.dtype(np.int64), cf_attributes(dtype)
    return native(dtype), {}


def native(dtype: Any) -> Any:
    """Return a type in this machine's byte order, without gaps between fields.

    Raises
    ------
    Unreadable
        If the elements are objects, references, lists or opaque bytes.
    """
    if dtype.names:
        return np.dtype([(name, native(dtype.fields[name][0])) for name in dtype.names])
    if dtype.subdtype:
        return np.dtype((native(dtype.subdtype[0]), dtype.subdtype[1]))
    if dtype.hasobject or dtype.kind not in "biufcSU":
        inner = h5py.check_vlen_dtype(dtype)
        what = "lists of any length" if inner is not None else "references" if _is_reference(dtype) else str(dtype)
        msg = f"its elements are {what}, which Zarr has no type for"
        raise Unreadable(msg)
    return np.dtype(dtype.newbyteorder("=").str)


def _is_reference(dtype: Any) -> bool:
    return h5py.check_ref_dtype(dtype) is not None


def read_elements(dataset: h5py.Dataset, window: tuple[slice, ...], dtype: Any) -> NDArray[Any]:
    """Return the elements of a window in the type `dtype`."""
    if dtype.kind == "T":
        return np.asarray(dataset.asstr()[window], object).astype(dtype)
    elements: NDArray[Any] = np.asarray(dataset[window])
    if elements.dtype.kind in "mM":
        return elements.astype(elements.dtype.newbyteorder("=")).view(np.int64)
    return elements.astype(dtype, copy=False)
