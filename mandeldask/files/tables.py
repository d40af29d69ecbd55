"""Columns of Arrow tables, read batch by batch and shown as Zarr arrays."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.files.arrow_types import shown
from mandeldask.files.blocks import decoded
from mandeldask.files.skipped import members_of
from mandeldask.files.stamps import Unreadable
from mandeldask.zarrview.cf import with_missing
from mandeldask.zarrview.chunking import CHUNK_BYTES, LEAST_BYTES, MOST_BYTES
from mandeldask.zarrview.nodes import Array, Group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mandeldask.files.stamps import Source

ROWS = "index"
"""Name of the row dimension, the same as for tables in memory."""

_TEXT_BYTES = 16
"""Assumed size of a text in bytes, for the choice of chunks."""

ReadBatch = Callable[["Source", int, str], Any]
"""Returns one column of one batch of a file as an Arrow array."""


@dataclass(frozen=True, slots=True)
class Column:
    """Reads rows of a column."""

    source: Source
    """The file."""
    batch: ReadBatch
    """Reads one batch of the file."""
    starts: tuple[int, ...]
    """First row of each batch, then the number of rows."""
    name: str
    """Name of the column."""
    dtype: Any
    """numpy's type of the elements."""
    nulls: bool
    """Whether there can be nulls."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the rows of `window`."""
        rows = window[0]
        if rows.start == rows.stop:
            return np.empty(tuple(span.stop - span.start for span in window), self.dtype)
        pieces = []
        for number in range(bisect_right(self.starts, rows.start) - 1, bisect_right(self.starts, rows.stop - 1)):
            start = self.starts[number]
            elements = decoded(self.source.identity("column", self.name, number), partial(self._batch, number))
            pieces.append(elements[max(0, rows.start - start) : rows.stop - start])
        joined = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        return joined[(slice(None), *window[1:])]

    def _batch(self, number: int) -> NDArray[Any]:
        column = self.source.read(lambda: self.batch(self.source, number, self.name))
        wanted = self.starts[number + 1] - self.starts[number]
        if len(column) != wanted:
            msg = f"batch {number} of column {self.name!r} has {len(column)} rows, not {wanted}"
            raise ValueError(msg)
        return shown(column.type, nulls=self.nulls).convert(column)


def table(  # noqa: PLR0913  properties of a file's table
    source: Source,
    schema: Any,
    rows: Sequence[int],
    batch: ReadBatch,
    has_nulls: Callable[[str], bool],
    *,
    growing: bool = False,
) -> Group:
    """Return the Group of the columns of a file.

    Parameters
    ----------
    source : Source
        The file.
    schema : pyarrow.Schema
        Names and types of its columns.
    rows : sequence of int
        Rows of each batch of the file.
    batch : callable
        Reads one column of one batch.
    has_nulls : callable
        Returns whether the column of this name may contain nulls.
    growing : bool
        Whether rows are usually appended to such a file.
    """
    starts = (0, *accumulate(rows))
    names = schema.names
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        msg = f"the columns of a table must have different names; {repeated} occur more than once"
        raise Unreadable(msg)

    def column(name: str) -> Array:
        nulls = has_nulls(name)
        became = shown(schema.field(name).type, nulls=nulls)
        inner = became.inner
        itemsize = _TEXT_BYTES if became.dtype.kind == "T" else became.dtype.itemsize * prod(inner)
        return Array(
            shape=(starts[-1], *inner),
            dtype=became.dtype,
            read=Column(source, batch, starts, name, became.dtype, nulls),
            chunks=(row_chunks(rows, max(1, itemsize), growing=growing), *inner),
            dims=(ROWS, *(f"{name}_{axis}" for axis in range(len(inner)))),
            attrs=with_missing(became.attrs, became.missing, became.dtype),
            missing=became.missing,
            fingerprint=source.identity("column", name),
        )

    members, bad = members_of({name: partial(column, name) for name in names})
    return Group(members, skipped=bad)


def row_chunks(rows: Sequence[int], itemsize: int, *, growing: bool) -> int:
    """Return the rows of a chunk: a batch if all batches are of one size, halved or doubled to a fitting size.

    For growing tables, the number does not depend on the current number of rows.
    """
    if growing:
        return max(1, CHUNK_BYTES // 4 // itemsize)
    total, size = sum(rows), max(1, *rows) if rows else 1
    while size * itemsize > MOST_BYTES and size > 1:
        size = -(-size // 2)
    while size * itemsize < LEAST_BYTES and size < total:
        size *= 2
    return max(1, min(size, total))
