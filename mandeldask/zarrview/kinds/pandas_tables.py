"""pandas: a DataFrame is a group of columns, with its index as one of them; a Series is an array."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mandeldask.zarrview.nodes import Array, Group, as_node, member

if TYPE_CHECKING:
    from numpy.typing import NDArray


@as_node.register(pd.DataFrame)
def _(tree: pd.DataFrame) -> Group:
    rows, index = _index(tree.index)
    columns = [*index, *((str(name), tree.iloc[:, place]) for place, name in enumerate(tree.columns))]
    repeated = [name for name, count in Counter(name for name, _ in columns).items() if count > 1]
    if repeated:
        msg = f"columns and index of a table need names of their own; {repeated} occur more than once"
        raise ValueError(msg)
    return Group({name: member(name, partial(column_node, column, rows)) for name, column in columns})


@as_node.register(pd.Series)
def _(tree: pd.Series[Any]) -> Array:
    return replace(column_node(tree, "index"), dims=None)  # siblings of other lengths may have the same index name


@as_node.register(pd.Index)
def _(tree: pd.Index[Any]) -> Array:
    return replace(column_node(pd.Series(tree), "index"), dims=None)


def _index(index: pd.Index[Any]) -> tuple[str, list[tuple[str, pd.Series[Any]]]]:
    """Return the name of the dimension of rows, and the columns that the index is."""
    if isinstance(index, pd.MultiIndex):
        names = [str(name or f"level_{place}") for place, name in enumerate(index.names)]
        return "index", [(name, pd.Series(index.get_level_values(place))) for place, name in enumerate(names)]
    rows = "index" if index.name is None else str(index.name)
    return rows, [(rows, pd.Series(index))]


def column_node(column: pd.Series[Any], rows: str) -> Array:
    """Return the Array of a column, its dimension named `rows`.

    What numpy cannot hold becomes what it can: whole numbers with gaps become floats with NaN, truth values with gaps
    1.0, 0.0 and NaN, gaps in text "", categories their values, periods and intervals their text, and times in a zone
    UTC, with the zone as the attribute `timezone`.
    """
    zone = getattr(column.dtype, "tz", None)
    if zone is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    node = as_node(_values(column))
    if not isinstance(node, Array):
        msg = f"a column of dtype {column.dtype} is no array"
        raise TypeError(msg)
    attrs = {} if zone is None else {"timezone": str(zone)}
    return replace(node, dims=(rows,), attrs={**node.attrs, **attrs})


def _values(column: pd.Series[Any]) -> NDArray[Any]:
    """Return a column as an array of a numpy type, or of strings as objects."""
    dtype: Any = column.dtype
    if isinstance(dtype, (np.dtype, pd.CategoricalDtype, pd.SparseDtype)):
        return np.asarray(column)
    if isinstance(dtype, (pd.PeriodDtype, pd.IntervalDtype)):
        return column.astype(str).to_numpy(object)
    if dtype.kind in "mM":
        return np.asarray(column)
    gaps = column.isna().to_numpy()
    if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)):
        return np.where(gaps, "", column.to_numpy(object))
    return column.to_numpy(np.float64, na_value=np.nan) if gaps.any() else column.to_numpy(dtype.numpy_dtype)
