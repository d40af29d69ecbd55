"""Arrow files (IPC, Feather version 2): columns, read by record batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mandeldask.files.handles import handles
from mandeldask.files.tables import table

if TYPE_CHECKING:
    from mandeldask.files.stamps import Source
    from mandeldask.zarrview.nodes import Group


class Batches:
    """An open file, with readers for single columns."""

    def __init__(self, source: Source) -> None:
        self._file = pa.OSFile(source.path)
        self._readers: dict[int | None, Any] = {}

    def reader(self, column: int | None = None) -> Any:
        """Return a reader of one column, or of all."""
        if column not in self._readers:
            fields = None if column is None else [column]
            self._readers[column] = pa.ipc.open_file(self._file, options=pa.ipc.IpcReadOptions(included_fields=fields))
        return self._readers[column]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def batch(source: Source, number: int, name: str) -> Any:
    """Return one column of one record batch."""
    with handles.lease(source, Batches, exclusive=True) as file:
        place = file.reader().schema.get_field_index(name)
        return file.reader(place).get_batch(number).column(0)


def opened(source: Source) -> Group:
    """Return the Group of the columns of an Arrow file."""
    with handles.lease(source, Batches, exclusive=True) as file:
        reader = file.reader()
        schema, count = reader.schema, reader.num_record_batches
        first = file.reader(0) if len(schema) else reader
        batches = [first.get_batch(number) for number in range(count)]
        rows = [each.num_rows for each in batches]
        nulls: dict[str, bool] = {}
        for place, name in enumerate(schema.names):
            one = file.reader(place)
            nulls[name] = any(one.get_batch(number).column(0).null_count for number in range(count))
        return table(source, schema, rows, batch, nulls.__getitem__)
