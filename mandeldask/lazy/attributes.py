"""The label of each coordinate in plots and tables: CF's attribute `long_name`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def axis_attributes(dim: str, variable: str) -> Mapping[str, Any]:
    """Return the attributes of a coordinate, without its exact positions.

    Examples
    --------
    >>> axis_attributes("y", "c")
    {'long_name': 'Im(c)'}
    """
    return {"long_name": f"{'Im' if dim == 'y' else 'Re'}({variable})"}
