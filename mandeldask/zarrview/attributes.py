"""Attributes of nodes, and metadata documents as JSON.

Attributes named `zarr_v2` or `zarr_v3` (dicts) are merged into the attributes of that format and left out of the
other: OME-Zarr 0.4 and 0.5, for example, claim the same names for different things.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mandeldask.multiscales import in_format
from mandeldask.zarrview.nodes import Group

if TYPE_CHECKING:
    from mandeldask.zarrview.nodes import Node

V2_ATTRS: Final = "zarr_v2"
V3_ATTRS: Final = "zarr_v3"
DIMENSIONS: Final = "_ARRAY_DIMENSIONS"


def attributes(node: Node, number: int) -> dict[str, Any]:
    """Return the attributes of `node` in Zarr format `number`: the other format's left out, OME-Zarr's translated."""
    own, other = (V2_ATTRS, V3_ATTRS) if number == 2 else (V3_ATTRS, V2_ATTRS)  # noqa: PLR2004
    shared = {name: value for name, value in node.attrs.items() if name not in {own, other}}
    merged = shared | dict(node.attrs.get(own, {}))
    return in_format(merged, number, node.members) if isinstance(node, Group) else merged


def to_json(document: Any) -> bytes:
    """Return the bytes of a metadata document. NaN and infinity are written as zarr-python writes them."""
    return json.dumps(document, separators=(",", ":")).encode()
