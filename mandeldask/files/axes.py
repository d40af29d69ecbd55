"""Dimension names for several images in one file."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from mandeldask.zarrview.nodes import Array, Group

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mandeldask.zarrview.nodes import Node


def without_clashes(members: Mapping[str, Node]) -> dict[str, Node]:
    """Return the members of a group; dimensions with one name but several sizes get the names of their arrays.

    xarray cannot open a group if a dimension has two sizes in it or in its subgroups.

    Examples
    --------
    >>> import numpy as np
    >>> one, other = (Array((size, 4), np.dtype("u1"), None, (1, 4), ("y", "x")) for size in (2, 3))
    >>> [array.dims for array in without_clashes({"a": one, "b": other}).values()]
    [('y_a', 'x'), ('y_b', 'x')]
    """
    sizes = defaultdict(set)
    for array in _arrays(members):
        for dim, size in zip(array.dims or (), array.shape, strict=False):
            sizes[dim].add(size)
    clashing = {dim for dim, found in sizes.items() if len(found) > 1}
    return {name: _renamed(node, name, clashing) for name, node in members.items()}


def _arrays(members: Mapping[str, Node]) -> Iterator[Array]:
    for node in members.values():
        if isinstance(node, Group):
            yield from _arrays(node.members)
        else:
            yield node


def _renamed(node: Node, name: str, clashing: set[str]) -> Node:
    if isinstance(node, Group) or node.dims is None or not clashing & {*node.dims}:
        return node
    return replace(node, dims=tuple(f"{dim}_{name}" if dim in clashing else dim for dim in node.dims))
