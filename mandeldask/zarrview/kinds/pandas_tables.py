"""pandas: a DataFrame is a group of columns, with its index as one of them; a Series is an array."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from mandeldask.zarrview.kinds.columns import all_missing, as_column, column_of, masked
from mandeldask.zarrview.nodes import Array, Group, as_node, group_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@as_node.register(pd.DataFrame)
def _(tree: pd.DataFrame) -> Group:
    rows, index = _index(tree.index)
    columns = [*index, *((str(name), tree.iloc[:, place]) for place, name in enumerate(tree.columns))]
    repeated = [name for name, count in Counter(name for name, _ in columns).items() if count > 1]
    if repeated:
        msg = f"the columns and the index of a table must have different names; {repeated} occur more than once"
        raise ValueError(msg)
    return group_of({name: partial(column_node, column, rows, name) for name, column in columns})


@as_node.register(pd.Series)
def _(tree: pd.Series[Any]) -> Array:
    return replace(
        column_node(tree, "index"), dims=None
    )  # other Series of the same group may have the same index name and another length


@as_node.register(pd.Index)
def _(tree: pd.Index[Any]) -> Array:
    return replace(column_node(pd.Series(tree), "index"), dims=None)


def _index(index: pd.Index[Any]) -> tuple[str, list[tuple[str, pd.Series[Any]]]]:
    """Return the name of the row dimension, and the index as columns."""
    if isinstance(index, pd.MultiIndex):
        names = [str(name or f"level_{place}") for place, name in enumerate(index.names)]
        return "index", [(name, pd.Series(index.get_level_values(place))) for place, name in enumerate(names)]
    rows = "index" if index.name is None else str(index.name)
    return rows, [(rows, pd.Series(index))]


def column_node(column: pd.Series[Any], rows: str, name: str = "") -> Array:
    """Return the Array of a column, its dimension named `rows`.

    pandas types that numpy does not have are converted: numbers and booleans with missing values to masked arrays,
    missing text to "", categories to their values, periods and intervals to text, and times with a zone to UTC,
    with the zone as the attribute `timezone`.
    """
    if isinstance(column.dtype, pd.ArrowDtype):
        made = as_node(cast("Any", column.array).__arrow_array__())
        return as_column(cast("Array", made), rows, name)
    return column_of(_values(column), rows, name, _zone(column.dtype))


def _zone(dtype: Any) -> Any:
    return _zone(dtype.categories.dtype) if isinstance(dtype, pd.CategoricalDtype) else getattr(dtype, "tz", None)


def _values(column: Any) -> NDArray[Any]:
    """Return a column as an array of a numpy type or of objects.

    Missing values that these cannot represent are masked.
    """
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _of_categories(column)
    if _zone(dtype) is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    if isinstance(column.dtype, (np.dtype, pd.SparseDtype)):
        return np.asarray(column)
    if not hasattr(dtype, "numpy_dtype"):
        return np.asarray(column, object)
    missing = column.isna().to_numpy()
    values = column.to_numpy(dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
    return masked(values, missing)


def _of_categories(column: pd.Series[Any]) -> NDArray[Any]:
    codes = column.cat.codes.to_numpy()
    categories = _values(pd.Series(column.cat.categories))
    missing = codes < 0
    if not len(categories):
        return all_missing(len(codes))
    values = categories[np.where(missing, 0, codes)]
    return masked(values, missing)
