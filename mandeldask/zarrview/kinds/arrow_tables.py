"""pyarrow, and polars or anything else that speaks Arrow: a table is a group of columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from mandeldask.zarrview.chunking import default_chunks
from mandeldask.zarrview.identity import unique
from mandeldask.zarrview.kinds.pandas_tables import column_node
from mandeldask.zarrview.nodes import Array, Group, Node, as_node, member

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = "index"
"""Name of the dimension of rows; Arrow has none."""


@dataclass(frozen=True, slots=True)
class Slices:
    """Reads windows of a column of numbers without gaps."""

    column: Any

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        (rows,) = window
        values: NDArray[Any] = self.column.slice(rows.start, rows.stop - rows.start).to_numpy()
        return values


@runtime_checkable
class Stream(Protocol):
    """Anything that speaks Arrow: a frame or a series of polars, of DuckDB, of whatever comes."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Return a capsule of an ArrowArrayStream."""


@as_node.register(Stream)
@as_node.register(pa.Table)
@as_node.register(pa.RecordBatch)
@as_node.register(pa.ChunkedArray)
@as_node.register(pa.Array)
def _(tree: Any) -> Node:
    if isinstance(tree, (pa.ChunkedArray, pa.Array)):
        return replace(_column(tree), dims=None)
    if not isinstance(tree, (pa.Table, pa.RecordBatch)):
        columns = pa.chunked_array(tree)
        if not pa.types.is_struct(columns.type):
            return replace(_column(columns), dims=None)
        tree = pa.table(tree)
    return Group({name: member(name, partial(_column, tree.column(name))) for name in _names(tree.schema)})


def _names(schema: Any) -> list[str]:
    names: list[str] = schema.names
    if len(set(names)) < len(names):
        msg = f"columns of a table need names of their own, not {names}"
        raise ValueError(msg)
    return names


def _column(column: Any) -> Array:
    if column.null_count or not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return column_node(column.to_pandas(), ROWS)
    dtype = np.dtype(column.type.to_pandas_dtype())
    shape = (len(column),)
    return Array(shape, dtype, Slices(column), default_chunks(shape, dtype.itemsize), (ROWS,), fingerprint=unique())
