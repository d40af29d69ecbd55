"""Compile the kernels of a pyramid, by a first read before a client waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mandeldask.jupyter import in_notebook
from mandeldask.zarrview.nodes import Array, Group

if TYPE_CHECKING:
    from mandeldask.zarrview.nodes import Node

MARK = "mandeldask"
"""Attribute of a pyramid that is computed when it is read."""


def is_computed(node: Node) -> bool:
    """Return whether a tree is a pyramid that is computed when it is read."""
    return MARK in node.attrs


def prepare(node: Node) -> None:
    """Read the middle row of each array of the coarsest level of a computed pyramid; do nothing for other trees."""
    levels = [name for name in node.members if name.isdecimal()] if isinstance(node, Group) else []
    if not levels or not is_computed(node) or not isinstance(node, Group):
        return
    coarsest = node.members[max(levels, key=int)]
    for array in coarsest.members.values() if isinstance(coarsest, Group) else ():
        if isinstance(array, Array) and len(array.shape) == 2:  # noqa: PLR2004  y and x
            middle = array.shape[0] // 2
            array.read((slice(middle, middle + 1), slice(0, array.shape[1])))


def prepare_in_notebook(node: Node) -> None:
    """In a notebook, do the same: vizarr's widget may read next, and its requests time out after 3 seconds."""
    if in_notebook():
        prepare(node)
