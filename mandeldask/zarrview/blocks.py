"""Blocks of elements: what sources return is converted to the declared shape and dtype, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def dense(window: Any) -> NDArray[Any]:
    """Return the elements of a window as an ndarray; sparse arrays are converted by their own method.

    Masked arrays stay masked: `declared` replaces masked elements by the value for "missing".
    """
    if isinstance(window, np.ma.MaskedArray):
        return window
    return np.asarray(window.todense() if hasattr(window, "todense") else window)


def declared(block: Any, shape: tuple[int, ...], dtype: np.dtype[Any], missing: Any = None) -> NDArray[Any]:
    """Return a block in C order with exactly this shape and dtype; elements are cast only if all keep their values.

    Parameters
    ----------
    block : array
        What a source returned.
    shape : tuple of int
        Elements along each dimension.
    dtype : dtype
        The dtype in the metadata, from `mandeldask.zarrview.dtypes.plain`.
    missing : scalar, optional
        The value that replaces masked elements.

    Raises
    ------
    ValueError
        If the shape differs, or if elements are masked and `missing` is None or also occurs as an element.
    TypeError
        If an element would change.

    Examples
    --------
    >>> declared(np.array([1, 2], ">i2"), (2,), np.dtype("f4"))
    array([1., 2.], dtype=float32)
    >>> declared(np.array([1, 2]), (3,), np.dtype("i8"))
    Traceback (most recent call last):
    ...
    ValueError: the source returned a block of shape (2,), but (3,) was declared
    """
    elements = dense(block)
    if elements.shape != shape:
        msg = f"the source returned a block of shape {elements.shape}, but {shape} was declared"
        raise ValueError(msg)
    mask = np.ma.getmask(elements)
    if mask is np.ma.nomask:
        return _cast(np.asarray(elements), dtype)
    return _filled(np.ma.getdata(elements), np.ma.getmaskarray(elements), dtype, missing)


def _filled(elements: NDArray[Any], mask: NDArray[Any], dtype: np.dtype[Any], missing: Any) -> NDArray[Any]:
    """Return the elements of a masked array, with `missing` in place of masked ones."""
    if not mask.any():
        return _cast(elements, dtype)
    if dtype.kind in "TUSO" and missing is None:
        missing = "" if dtype.kind in "TU" else b""
    if missing is None or mask.dtype.names is not None:
        msg = f"the source returned masked elements, but declared no missing value of dtype {dtype}"
        raise ValueError(msg)
    block = _cast(np.where(mask, np.zeros((), elements.dtype), elements), dtype)
    if dtype.kind in "iu" and is_read_as(block[~mask], missing):
        msg = f"an element equals {missing}, which is the declared missing value"
        raise ValueError(msg)
    block[mask] = missing
    return block


def is_read_as(numbers: NDArray[Any], missing: Any) -> bool:
    """Return whether readers, which compare as float64, would take one of `numbers` for the missing value."""
    return bool((numbers.astype(np.float64) == float(missing)).any())


_FROM = {"b": "b", "i": "biu", "u": "biu", "f": "biuf", "c": "biufc", "S": "S"}
"""Kinds of elements that may be converted: never from numbers with fractions to integers."""


def _cast(block: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return `block` as `dtype`, in C order and with its shape (`np.ascontiguousarray` changes that of scalars)."""
    if dtype.kind == "T":
        return _text(block)
    if dtype.kind == "O":
        return _bytes(block)
    if dtype.names is not None:
        return _fields(block, dtype)
    if np.can_cast(block.dtype, dtype, "equiv"):
        return block.astype(dtype, order="C", copy=False)
    if dtype.kind == "U" and block.dtype.kind in "UTOS":
        return _checked(_text(block), dtype)
    if block.dtype.kind not in _FROM.get(dtype.kind, ""):
        raise _another(block.dtype, dtype)
    return _checked(block, dtype)


def _checked(block: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return `block` as `dtype`; TypeError if an element would change."""
    with np.errstate(all="ignore"):
        cast = block.astype(dtype, order="C")
        back = cast.real if dtype.kind == "c" and block.dtype.kind != "c" else cast
        same = back.astype(block.dtype) == block
    if dtype.kind in "iu" and block.dtype.kind in "iu":
        same &= (cast < 0) == (block < 0)
    if block.dtype.kind in "fc":
        same |= np.isnan(block) & np.isnan(cast)
    if not np.all(same):
        raise _another(block.dtype, dtype)
    return cast


def _fields(block: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a packed struct, cast field by field: numpy casts structs by the order of fields, not by names."""
    if block.dtype.names != dtype.names:
        raise _another(block.dtype, dtype)
    whole = np.empty(block.shape, dtype)
    for name in dtype.names or ():
        field = dtype[name]
        whole[name] = block[name] if field.subdtype is not None else _cast(block[name], field)
    return whole


def _another(dtype: np.dtype[Any], declared_dtype: np.dtype[Any]) -> TypeError:
    return TypeError(
        f"the source returned elements of dtype {dtype}, which are not all elements of the declared {declared_dtype}"
    )


def _text(block: NDArray[Any]) -> NDArray[Any]:
    """Return text of any length; missing objects in it become empty."""
    text = np.dtypes.StringDType()
    if block.dtype.kind == "U":
        block = block.astype(block.dtype.newbyteorder("="), copy=False)  # numpy misreads other byte orders
    if block.dtype == text or block.dtype.kind == "U":
        return block.astype(text, order="C", copy=False)
    if block.dtype.kind not in "TOS":
        raise _another(block.dtype, text)
    elements = [_string(element) for element in block.ravel().tolist()]
    return np.array(elements, text).reshape(block.shape)


def _string(element: Any) -> str:
    if isinstance(element, str):
        return str(element)
    if isinstance(element, bytes):
        return element.decode("ascii")
    if is_missing(element):
        return ""
    msg = f"the source returned {element!r}, but text was declared"
    raise TypeError(msg)


def _bytes(block: NDArray[Any]) -> NDArray[Any]:
    """Return bytes of any length, as objects."""
    elements = [b"" if is_missing(element) else element for element in block.ravel().tolist()]
    if not all(isinstance(element, bytes) for element in elements):
        msg = "the source returned elements that are not bytes, but bytes were declared"
        raise TypeError(msg)
    whole = np.empty(len(elements), object)
    whole[:] = elements
    return whole.reshape(block.shape)


def is_missing(element: Any) -> bool:
    """Return whether an object stands for a missing element: None, NaN, NaT, or pandas' NA."""
    if element is None or type(element).__name__ in {"NAType", "NaTType"}:
        return True
    return isinstance(element, (float, np.floating, np.datetime64, np.timedelta64)) and bool(element != element)  # noqa: PLR0124


def only_value(block: NDArray[Any]) -> bytes | None:
    r"""Return the bytes of the only value in a block in C order; None if there are several values, or none.

    Examples
    --------
    >>> only_value(np.array([7, 7], np.uint8)), only_value(np.array([7, 8], np.uint8))
    (b'\x07', None)
    """
    if block.dtype.kind not in "biuf" or block.dtype.itemsize not in {1, 2, 4, 8} or not block.size:
        return None
    bits = block.reshape(-1).view(f"u{block.dtype.itemsize}")  # so that NaN equals itself, and -0.0 is not 0.0
    first = bits[0]
    if first != bits[-1] or first != bits[bits.size // 2] or (bits != first).any():
        return None
    return bytes(first.tobytes())


def padded(block: NDArray[Any], shape: tuple[int, ...], fill: Any) -> NDArray[Any]:
    """Return `block` padded to `shape` with `fill` (0 if None): Zarr's chunks all have the full shape."""
    if block.shape == shape:
        return block
    whole = np.zeros(shape, block.dtype) if fill is None else np.full(shape, fill, block.dtype)
    whole[tuple(map(slice, block.shape))] = block
    return whole
