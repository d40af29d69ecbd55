"""NPY: the elements of one array after a text header."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy

from mandeldask.files.flat import Flat, plane_chunks
from mandeldask.files.stamps import Unreadable
from mandeldask.zarrview.nodes import Array

if TYPE_CHECKING:
    from typing import IO

    from mandeldask.files.stamps import Source

_LONGEST = 10_000
"""Size in bytes of the longest header that is evaluated, the same as in numpy."""

Header = tuple[tuple[int, ...], bool, np.dtype[Any]]
"""Shape, whether in Fortran order, and dtype."""


def opened(source: Source) -> Any:
    """Return the Array of an NPY file."""
    with open(source.path, "rb") as file:  # noqa: PTH123  paths are strings here
        shape, fortran, dtype = header(file)
        offset = file.tell()
    read = Flat.of(source, offset, dtype, shape, "F" if fortran else "C")
    return of_elements(read, source.identity("npy"))


def header(file: IO[bytes]) -> Header:
    """Return the header at the start of `file`; raise Unreadable for objects, which are never unpickled."""
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version in readers:
        shape, fortran, dtype = readers[version](file)
    else:  # 3.0 is 2.0 with UTF-8 names
        shape, fortran, dtype = _header_3_0(file)
    if dtype.hasobject:
        msg = "its elements are Python objects, and reading them could run any code"
        raise Unreadable(msg)
    return shape, fortran, dtype


def _header_3_0(file: IO[bytes]) -> Header:
    length = int.from_bytes(file.read(4), "little")
    if length > _LONGEST:
        msg = f"its header has {length} bytes; at most {_LONGEST} are read"
        raise Unreadable(msg)
    fields = ast.literal_eval(file.read(length).decode("utf-8"))
    return tuple(fields["shape"]), bool(fields["fortran_order"]), npy.descr_to_dtype(fields["descr"])


def of_elements(read: Flat, fingerprint: str, **more: Any) -> Array:
    """Return the Array of elements of a file; `more` are its other fields. Dates are shown as CF numbers."""
    dtype = read.dtype.newbyteorder("=")
    if dtype.kind in "mM":
        from mandeldask.files.times import of_times  # noqa: PLC0415  only for dates

        return of_times(read, fingerprint, **more)
    more = {"chunks": plane_chunks(read.shape, max(1, dtype.itemsize)), **more}
    return Array(shape=read.shape, dtype=dtype, read=read, fingerprint=fingerprint, **more)
