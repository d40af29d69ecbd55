"""A Pyramid as a tree for Zarr whose levels are opened on request: of most places, clients read one level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mandeldask.fractal.rationals import as_text, point_as_text
from mandeldask.lazy.metadata import root_attributes
from mandeldask.lazy.tree import open_level
from mandeldask.zarrview.kinds.xarrays import COMPUTED
from mandeldask.zarrview.nodes import Group, as_node
from mandeldask.zarrview.view import NODE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mandeldask.fractal.pyramid import Pyramid
    from mandeldask.zarrview.nodes import Node

_TEXT_BYTES = 1300
"""Memory for the documents of a node in bytes, without the digits of exact numbers; measured."""


@dataclass(frozen=True, slots=True)
class Levels(Mapping[str, "Node"]):
    """The levels of a pyramid, "0" (the finest), "1", ..., each opened on first use."""

    pyramid: Pyramid
    _opened: dict[str, Node] = field(default_factory=dict, compare=False, repr=False)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.pyramid,)

    def __getitem__(self, name: str) -> Node:
        if name not in self:
            raise KeyError(name)
        if name not in self._opened:
            self._opened[name] = as_node(open_level(self.pyramid, int(name)))
        return self._opened[name]

    def __iter__(self) -> Iterator[str]:
        return map(str, range(self.pyramid.levels))

    def __len__(self) -> int:
        return self.pyramid.levels

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.isdecimal() and name == str(int(name)) and int(name) < len(self)


def pyramid_tree(pyramid: Pyramid) -> Group:
    """Return the Group of a pyramid: the same as that of ``open_pyramid(pyramid, chunks=None)``.

    Examples
    --------
    >>> from mandeldask.fractal.pyramid import Pyramid
    >>> pyramid_tree(Pyramid(levels=50)).members["49"].members["iterations"].shape
    (1024, 1024)
    """
    return Group(Levels(pyramid), root_attributes(pyramid), held_bytes=_held_bytes(pyramid))


def _held_bytes(pyramid: Pyramid) -> int:
    """Return an estimate of the memory of the tree in bytes, once all of it was requested."""
    with_coordinates = sum(pyramid.tilesize << number <= COMPUTED for number in range(1, pyramid.levels + 1))
    nodes = 1 + pyramid.levels * (1 + len(pyramid.fields)) + 2 * with_coordinates
    digits = len(point_as_text(pyramid.center)) + len(as_text(pyramid.grid(0).spacing))
    return nodes * (NODE_BYTES + _TEXT_BYTES + digits)
