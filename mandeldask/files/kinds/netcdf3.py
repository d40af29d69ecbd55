"""NetCDF-3, the classic format, with 64-bit offsets and 64-bit data: a header, then numbers at known places.

It is read without a library: scipy maps the file or reads all of it, and netCDF4 supports only one thread at a time.
https://docs.unidata.ucar.edu/netcdf-c/current/file_format_specifications.html
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.files.attributes import attributes
from mandeldask.files.flat import Flat, plane_chunks, pread
from mandeldask.files.skipped import members_of
from mandeldask.files.stamps import Unreadable
from mandeldask.zarrview.cf import with_missing
from mandeldask.zarrview.nodes import Array, Group

if TYPE_CHECKING:
    from mandeldask.files.stamps import Source

TYPES = {1: "i1", 2: "S1", 3: ">i2", 4: ">i4", 5: ">f4", 6: ">f8", 7: "u1", 8: ">u2", 9: ">u4", 10: ">i8", 11: ">u8"}
"""numpy's names of the types, by their NetCDF numbers."""

_HEADER_LIMIT = 2**26
"""Size in bytes of the longest header that is read."""

_STREAMING = 2**32 - 1
"""Special number of records: as many as the file has room for."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable, from the header."""

    name: str
    dims: tuple[int, ...]
    attrs: dict[str, Any]
    dtype: np.dtype[Any]
    size: int
    """Size in bytes of the variable, or of one record of it."""
    begin: int
    """Offset of its first element."""


class Header:
    """Reads the header sequentially."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 4
        self._wide = 8 if raw[3] == 5 else 4  # noqa: PLR2004  CDF-5
        self._offset = 4 if raw[3] == 1 else 8
        self.records = self.number()
        self.dims = self._list(self._dimension)
        self.attrs = dict(self._list(self._attribute))
        self.variables = self._list(self._variable)

    def number(self, width: int | None = None) -> int:
        """Return the next number."""
        width = width or self._wide
        return int.from_bytes(self._bytes(width), "big")

    def _bytes(self, length: int) -> bytes:
        raw = self._raw[self._at : self._at + length]
        if len(raw) < length:
            msg = "its header ends early"
            raise EOFError(msg)
        self._at += length
        return raw

    def _padded(self, length: int) -> bytes:
        raw = self._bytes(length)
        self._bytes(-length % 4)
        return raw

    def _name(self) -> str:
        return self._padded(self.number()).decode("utf-8", "replace")

    def _list(self, item: Any) -> list[Any]:
        self.number(4)  # the tag says what follows, or 0 for nothing
        return [item() for _ in range(self.number())]

    def _dimension(self) -> tuple[str, int]:
        return self._name(), self.number()

    def _attribute(self) -> tuple[str, Any]:
        name, dtype, count = self._name(), self._dtype(), self.number()
        raw = self._padded(count * dtype.itemsize)
        if dtype.kind == "S":
            return name, raw.decode("utf-8", "replace").rstrip("\0")
        values = np.frombuffer(raw, dtype)
        return name, values[0] if count == 1 else values

    def _variable(self) -> Variable:
        name = self._name()
        dims = tuple(self.number() for _ in range(self.number()))
        attrs = dict(self._list(self._attribute))
        return Variable(name, dims, attrs, self._dtype(), self.number(), self.number(self._offset))

    def _dtype(self) -> np.dtype[Any]:
        number = self.number(4)
        if number not in TYPES:
            msg = f"its header names the type {number}, which NetCDF-3 does not have"
            raise Unreadable(msg)
        return np.dtype(TYPES[number])


def opened(source: Source) -> Group:
    """Return the Group of a NetCDF-3 file."""
    header = _header(source)
    record = _record_bytes(header)
    members, bad = members_of({each.name: partial(_array, source, header, each, record) for each in header.variables})
    return Group(members, attributes(header.attrs.items()), skipped=bad)


def _header(source: Source) -> Header:
    """Return the header; its length is known only after reading it."""
    length = min(2**16, source.stamp.size)
    while True:
        try:
            return Header(bytes(pread(source.path, 0, length)))
        except EOFError:
            if length in {source.stamp.size, _HEADER_LIMIT}:
                raise
            length = min(16 * length, source.stamp.size, _HEADER_LIMIT)


def _is_record(header: Header, variable: Variable) -> bool:
    return bool(variable.dims) and header.dims[variable.dims[0]][1] == 0


def _record_bytes(header: Header) -> int:
    """Return the size in bytes of one record of all variables; the record of a single variable is not padded."""
    sizes = [_record_size(header, each) for each in header.variables if _is_record(header, each)]
    return sizes[0] if len(sizes) == 1 else sum(size + -size % 4 for size in sizes)


def _record_size(header: Header, variable: Variable) -> int:
    return variable.dtype.itemsize * int(prod(header.dims[dim][1] for dim in variable.dims[1:]))


def _array(source: Source, header: Header, variable: Variable, record: int) -> Array:
    dims = tuple(header.dims[dim][0] for dim in variable.dims)
    shape = tuple(header.dims[dim][1] for dim in variable.dims)
    if _is_record(header, variable):
        own = _record_size(header, variable)
        fitting = max(0, (source.stamp.size - variable.begin - own) // record + 1) if record else 0
        shape = (fitting if header.records == _STREAMING else header.records, *shape[1:])
        steps = (record, *_steps(variable, shape[1:]))
    else:
        steps = _steps(variable, shape)
    end = (
        variable.begin
        + variable.dtype.itemsize
        + sum((size - 1) * step for size, step in zip(shape, steps, strict=True))
    )
    if prod(shape) and end > source.stamp.size:
        msg = f"the file has {source.stamp.size} bytes, but its elements need {end}"
        raise EOFError(msg)
    dtype = variable.dtype.newbyteorder("=")
    attrs = attributes((name, value) for name, value in variable.attrs.items() if name != "_FillValue")
    missing = variable.attrs.get("_FillValue")
    missing = None if missing is None or dtype.kind == "S" else np.asarray(missing).reshape(-1)[:1].astype(dtype)[0]
    return Array(
        shape=shape,
        dtype=dtype,
        read=Flat(source, variable.begin, variable.dtype, shape, steps),
        chunks=plane_chunks(shape, dtype.itemsize),
        dims=dims if len(set(dims)) == len(dims) else None,
        attrs=with_missing(attrs, missing, dtype),
        missing=missing,
        fingerprint=source.identity("netcdf3", variable.name),
    )


def _steps(variable: Variable, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(variable.dtype.itemsize * prod(shape[axis + 1 :]) for axis in range(len(shape)))
