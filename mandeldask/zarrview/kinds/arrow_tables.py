"""pyarrow, polars and every other library with Arrow's C stream interface: a table is a group of columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from mandeldask.zarrview.chunking import default_chunks
from mandeldask.zarrview.dtypes import TEXT
from mandeldask.zarrview.identity import identity
from mandeldask.zarrview.kinds.columns import all_missing, column_of, masked
from mandeldask.zarrview.nodes import Array, Group, Node, as_node, group_of, load_families

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ROWS = "index"
"""Name of the dimension of rows; Arrow has none."""


@dataclass(frozen=True, slots=True)
class Slices:
    """Reads windows of a column of numbers without nulls."""

    column: Any

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        (rows,) = window
        values: NDArray[Any] = self.column.slice(rows.start, rows.stop - rows.start).to_numpy()
        return values


@runtime_checkable
class Stream(Protocol):
    """Any object with Arrow's C stream interface: a frame or a series of polars, DuckDB or another library."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Return a capsule of an ArrowArrayStream."""


@as_node.register(Stream)
def _(tree: Any) -> Node:
    if load_families(type(tree)):  # a pandas DataFrame has this interface as well
        return as_node(tree)
    columns = pa.chunked_array(tree)
    return as_node(pa.table(tree) if types.is_struct(columns.type) else columns)


@as_node.register(pa.ChunkedArray)
@as_node.register(pa.Array)
def _(tree: Any) -> Array:
    return replace(_column(tree, ""), dims=None)


@as_node.register(pa.Table)
@as_node.register(pa.RecordBatch)
def _(tree: Any) -> Group:
    return group_of({name: partial(_column, tree.column(name), name) for name in _names(tree.schema)})


def _names(schema: Any) -> list[str]:
    names: list[str] = schema.names
    if len(set(names)) < len(names):
        msg = f"the columns of a table must have different names, not {names}"
        raise ValueError(msg)
    return names


def _column(column: Any, name: str) -> Array:
    """Return the Array of a column. Numbers without nulls are not copied; other elements are converted immediately."""
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    numbers = types.is_integer(column.type) or types.is_floating(column.type)
    if column.null_count or not numbers:
        zone = getattr(_plain_type(column.type), "tz", None)
        return column_of(_values(column), ROWS, name, zone)
    dtype = np.dtype(column.type.to_pandas_dtype())
    shape = (len(column),)
    chunks = default_chunks(shape, dtype.itemsize)
    return Array(shape, dtype, Slices(column), chunks, (ROWS,), fingerprint=identity(column.to_numpy()))


def _plain_type(kind: Any) -> Any:
    return kind.value_type if types.is_dictionary(kind) else kind


def _values(column: Any) -> NDArray[Any]:
    """Return a column as an array of a numpy type or of objects; nulls that these cannot represent are masked.

    Raises
    ------
    TypeError
        If its elements are structs, maps, unions, or lists of different lengths.
    """
    kind = column.type
    for is_kind, convert in _CONVERSIONS:
        if is_kind(kind):
            return convert(column)
    return _objects(column)


def _of_storage(column: Any) -> NDArray[Any]:
    return _values(pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type))


def _of_dictionary(column: Any) -> NDArray[Any]:
    """Return the decoded values of a dictionary column: Arrow itself cannot decode all types."""
    column = column.unify_dictionaries()
    codes = [pc.fill_null(chunk.indices, 0).to_numpy(zero_copy_only=False) for chunk in column.chunks]
    missing = column.is_null().to_numpy()
    if missing.all():
        return all_missing(len(column))
    values = _values(pa.chunked_array([column.chunk(0).dictionary]))
    return masked(values[np.concatenate(codes)], missing)


def _of_runs(column: Any) -> NDArray[Any]:
    return _values(pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks], column.type.value_type))


def _dates(column: Any) -> NDArray[Any]:
    return _values(column.cast(pa.timestamp("s" if types.is_date32(column.type) else "ms")))


def _times(column: Any) -> NDArray[Any]:
    values: NDArray[Any] = column.to_numpy()  # nulls become NaT
    return values


def _texts(column: Any) -> NDArray[Any]:
    return np.array([text or "" for text in column.to_pylist()], TEXT)


def _objects(column: Any) -> NDArray[Any]:
    objects = np.empty(len(column), object)
    objects[:] = column.to_pylist()
    return objects


def _numbers(column: Any) -> NDArray[Any]:
    kind = column.type
    if not column.null_count:
        values: NDArray[Any] = column.to_numpy()
        return values
    if types.is_float16(kind):  # which Arrow cannot fill
        return np.array([np.nan if one is None else one for one in column.to_pylist()], np.float16)
    filled = pc.fill_null(column, pa.scalar(0, pa.int8()).cast(kind)).to_numpy()
    return masked(filled, column.is_null().to_numpy())


def _rows(column: Any) -> NDArray[Any]:
    """Return lists of equal length as rows."""
    kind = column.type
    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    if not lists or column.null_count:
        msg = f"a column of {kind} {'with nulls ' if lists else ''}cannot be shown as an array"
        raise TypeError(msg)
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(lengths) > 1:
        msg = f"a column of lists of different lengths ({min(lengths)} to {max(lengths)}) cannot be shown as an array"
        raise TypeError(msg)
    width = lengths[0] if lengths else 0
    flat = pa.chunked_array([chunk.flatten() for chunk in column.chunks], kind.value_type)
    values = _values(flat)
    return values.reshape((len(column), width, *values.shape[1:]))


_CONVERSIONS: tuple[tuple[Callable[[Any], bool], Callable[[Any], NDArray[Any]]], ...] = (
    (lambda kind: isinstance(kind, pa.BaseExtensionType), _of_storage),
    (types.is_dictionary, _of_dictionary),
    (types.is_run_end_encoded, _of_runs),
    (types.is_null, lambda column: all_missing(len(column))),
    (types.is_nested, _rows),
    (types.is_date, _dates),
    (lambda kind: types.is_timestamp(kind) or types.is_duration(kind), _times),
    (lambda kind: types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind), _numbers),
    (lambda kind: types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind), _texts),
)
"""Functions that convert a column to a numpy array, by type; columns of other types become objects."""
