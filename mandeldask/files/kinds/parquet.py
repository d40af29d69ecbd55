"""Parquet: columns, read by row groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from mandeldask.files.handles import handles
from mandeldask.files.tables import table

if TYPE_CHECKING:
    from mandeldask.files.stamps import Source
    from mandeldask.zarrview.nodes import Group


def open_parquet(source: Source) -> Any:
    """Return an open file that is read but not mapped."""
    return pq.ParquetFile(source.path, memory_map=False)


def row_group(source: Source, number: int, name: str) -> Any:
    """Return one column of one row group."""
    with handles.lease(source, open_parquet, exclusive=True) as file:
        return file.read_row_group(number, columns=[name], use_threads=False).column(name)


def opened(source: Source) -> Group:
    """Return the Group of the columns of a Parquet file."""
    with handles.lease(source, open_parquet, exclusive=True) as file:
        metadata, schema = file.metadata, file.schema_arrow
        rows = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
        places = {metadata.schema.column(place).path: place for place in range(metadata.num_columns)}

        def has_nulls(name: str) -> bool:
            if not schema.field(name).nullable:
                return False
            counts = [_null_count(metadata, number, places.get(name)) for number in range(metadata.num_row_groups)]
            return any(count is None or count > 0 for count in counts)

        return table(source, schema, rows, row_group, has_nulls)


def _null_count(metadata: Any, number: int, place: int | None) -> int | None:
    """Return the number of nulls of a column in a row group; None if the file does not state it."""
    if place is None:
        return None
    statistics = metadata.row_group(number).column(place).statistics
    return statistics.null_count if statistics is not None and statistics.has_null_count else None
