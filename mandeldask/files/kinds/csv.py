"""CSV and TSV with pyarrow: read once to find row positions and column types, then block by block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from mandeldask.files.flat import pread
from mandeldask.files.stamps import Unreadable
from mandeldask.files.tables import table
from mandeldask.zarrview.blocked import BLOCK_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mandeldask.files.stamps import Source
    from mandeldask.zarrview.nodes import Group

BLOCK_BYTES = 2**22
"""Size of a block in bytes, extended to the end of its last row."""

LARGEST = 2**32
"""Size in bytes of the largest file that is accepted: it must be read completely to find the rows."""

_QUOTE, _NEWLINE, _RETURN = b'"'[0], b"\n"[0], b"\r"[0]


@dataclass(frozen=True, slots=True)
class Block:
    """Reads a column of one block of rows."""

    offsets: tuple[int, ...]
    """Offset of the first byte of each block, then the size of the file."""
    names: tuple[str, ...]
    """Names of all columns."""
    types: tuple[tuple[str, Any], ...]
    """Types of all columns."""
    delimiter: str
    """Delimiter of columns."""

    def __call__(self, source: Source, number: int, name: str) -> Any:
        """Return one column of one block."""
        start, stop = self.offsets[number : number + 2]
        raw = bytes(pread(source.path, start, stop - start))
        return _parsed(raw, self.names, self.delimiter, dict(self.types), only=[name]).column(name)


def opened(source: Source, delimiter: str = ",") -> Group:
    """Return the Group of the columns of a CSV file."""
    if source.stamp.size > LARGEST:
        msg = f"it has {source.stamp.size} bytes, and CSV files are limited to {LARGEST}: convert it to Parquet"
        raise Unreadable(msg)
    blocks = _blocks(source)
    start, stop = next(blocks)
    head = bytes(pread(source.path, start, stop - start))
    names, body = _header(head, delimiter)
    offsets, rows, types = [start + body], [], None
    nulls = dict.fromkeys(names, False)
    for begin, end in ((start + body, stop), *blocks):
        if begin == end:
            continue
        found = _parsed(bytes(pread(source.path, begin, end - begin)), names, delimiter)
        types = found.schema if types is None else _unified(types, found.schema)
        for name in names:
            nulls[name] |= bool(found.column(name).null_count)
        rows.append(found.num_rows)
        offsets.append(end)
    schema = pa.schema([(name, pa.string()) for name in names]) if types is None else _typed(types)
    part = Block(tuple(offsets), tuple(names), tuple((f.name, f.type) for f in schema), delimiter)
    return table(source, schema, rows, part, nulls.__getitem__, growing=True)


opened_tsv = partial(opened, delimiter="\t")


def _blocks(source: Source) -> Iterator[tuple[int, int]]:
    """Yield the start and end of blocks of whole rows; line ends inside quotes do not end a row."""
    begin = position = 0
    odd = False
    last = 0
    while position < source.stamp.size:
        raw = np.frombuffer(pread(source.path, position, min(BLOCK_BYTES, source.stamp.size - position)), np.uint8)
        inside = (np.cumsum(raw == _QUOTE) + odd) % 2 == 1
        odd = bool(inside[-1])
        ends = np.flatnonzero((raw == _NEWLINE) & ~inside)
        if ends.size:
            last = position + int(ends[-1]) + 1
        position += raw.size
        if last > begin:
            yield begin, last
            begin = last
        elif position - begin > BLOCK_LIMIT:
            msg = f"one of its rows has more than {BLOCK_LIMIT} bytes"
            raise Unreadable(msg)
    if begin < source.stamp.size:
        yield begin, source.stamp.size


def _header(head: bytes, delimiter: str) -> tuple[list[str], int]:
    """Return the names in the first row, and the offset of the second row."""
    odd, end = False, len(head)
    for place, byte in enumerate(head):
        odd ^= byte == _QUOTE
        if byte == _NEWLINE and not odd:
            end = place + 1
            break
    first = head[:end].removeprefix(b"\xef\xbb\xbf")
    names = csv.read_csv(
        BytesIO(first.rstrip(b"\r\n") + b"\n"),
        parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
    ).column_names
    if len(set(names)) < len(names) or not all(names):
        msg = f"its first row must give each column a different name, not {names}"
        raise Unreadable(msg)
    return names, end


def _parsed(
    raw: bytes, names: Any, delimiter: str, types: dict[str, Any] | None = None, only: list[str] | None = None
) -> Any:
    return csv.read_csv(
        BytesIO(raw),
        read_options=csv.ReadOptions(column_names=list(names), use_threads=False, block_size=max(2, 2 * len(raw))),
        parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=csv.ConvertOptions(column_types=types, include_columns=only, strings_can_be_null=False),
    )


def _unified(before: Any, now: Any) -> Any:
    """Return a type that can represent the values of two blocks: numbers become floats, all else becomes text."""
    return pa.schema([(name, _wider(before.field(name).type, now.field(name).type)) for name in before.names])


def _wider(one: Any, other: Any) -> Any:
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if {str(one), str(other)} == {"int64", "double"}:
        return pa.float64()
    if pa.types.is_timestamp(one) and pa.types.is_timestamp(other) and one.tz == other.tz:
        return one if one.unit == "ns" else other
    return pa.string()


def _typed(schema: Any) -> Any:
    """Return the schema with text for columns of unknown type."""
    return pa.schema([(f.name, pa.string() if pa.types.is_null(f.type) else f.type) for f in schema])
