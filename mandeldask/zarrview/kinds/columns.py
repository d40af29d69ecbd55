"""Columns of tables: one array each; all share the row dimension."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.zarrview.kinds.numpy_arrays import array_node

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.zarrview.nodes import Array


def column_of(values: NDArray[Any], rows: str, name: str = "", zone: Any = None) -> Array:
    """Return the Array of a column; its first dimension is `rows`. Further ones, of lists, are named after the column.

    Parameters
    ----------
    values : ndarray
        One element or row for each row of the table; missing ones are masked.
    rows : str
        Name of the row dimension.
    name : str
        Name of the column.
    zone : object, optional
        Time zone of the times, which are in UTC; it becomes the attribute `timezone`.
    """
    return as_column(array_node(values), rows, name, zone)


def as_column(node: Array, rows: str, name: str = "", zone: Any = None) -> Array:
    """Return an Array as a column of a table: see `column_of`."""
    dims = (rows, *(f"{name}_{axis}" for axis in range(1, len(node.shape))))
    return replace(node, dims=dims, attrs=node.attrs if zone is None else {**node.attrs, "timezone": str(zone)})


def masked(values: NDArray[Any], missing: NDArray[Any]) -> NDArray[Any]:
    """Return `values` with the elements in `missing` masked."""
    if not missing.any():
        return values
    result: NDArray[Any] = np.ma.masked_array(np.ma.getdata(values), missing | np.ma.getmaskarray(values))
    return result


def all_missing(rows: int) -> NDArray[Any]:
    """Return a column in which all values are missing."""
    return masked(np.zeros(rows), np.ones(rows, bool))
