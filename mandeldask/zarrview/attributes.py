"""Attributes of nodes, and metadata documents as JSON.

Attributes named `zarr_v2` or `zarr_v3` (dicts) are merged into the attributes of that format and left out of the
other. OME-Zarr 0.4 and 0.5, for example, use the same names with different meanings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mandeldask.multiscales import in_format
from mandeldask.zarrview.nodes import SKIPPED, Group

if TYPE_CHECKING:
    from mandeldask.zarrview.nodes import Node

V2_ATTRS: Final = "zarr_v2"
V3_ATTRS: Final = "zarr_v3"
DIMENSIONS: Final = "_ARRAY_DIMENSIONS"


def attributes(node: Node, number: int) -> dict[str, Any]:
    """Return the attributes of `node` for Zarr format `number`, with OME-Zarr metadata of its version."""
    own, other = (V2_ATTRS, V3_ATTRS) if number == 2 else (V3_ATTRS, V2_ATTRS)  # noqa: PLR2004
    shared = {name: value for name, value in node.attrs.items() if name not in {own, other}}
    merged = shared | dict(node.attrs.get(own, {}))
    if not isinstance(node, Group):
        return merged
    listed = {SKIPPED: {**merged.get(SKIPPED, {}), **node.skipped}} if node.skipped else {}
    return in_format(merged | listed, number, node.members)


def to_json(document: Any) -> bytes:
    """Return the bytes of a metadata document, in JSON that every parser can read.

    NaN and infinities do not exist in JSON: they are written as Zarr writes fill values.

    Raises
    ------
    TypeError
        If JSON cannot represent a value.

    Examples
    --------
    >>> to_json({"valid_max": float("inf"), "shape": [2]})
    b'{"valid_max":"Infinity","shape":[2]}'
    """
    try:
        return json.dumps(document, separators=(",", ":"), allow_nan=False, default=_plain).encode()
    except ValueError:
        return json.dumps(_spelled(document), separators=(",", ":"), allow_nan=False).encode()


def _plain(value: Any) -> Any:
    """Return numpy's scalars and arrays as Python's numbers and lists."""
    if isinstance(value, (np.generic, np.ndarray)) and value.dtype.kind in "biufUST":
        return value.tolist()
    msg = f"JSON cannot represent a {type(value).__name__}"
    raise TypeError(msg)


def _spelled(value: Any) -> Any:
    """Return a value of JSON's types with NaN and infinities as strings."""
    if isinstance(value, float) and not isfinite(value):
        return "NaN" if isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, Mapping):
        return {name: _spelled(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spelled(each) for each in value]
    return value if isinstance(value, (str, int, float, type(None))) else _spelled(_plain(value))
