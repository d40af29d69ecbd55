"""Plan an export: the arrays of a tree, and the source of the elements of each."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mandeldask.exports.by_zarrs import encoded_by_zarrs
from mandeldask.exports.jobs import PlannedArray
from mandeldask.exports.record import SOURCE, Record
from mandeldask.lazy.described import described
from mandeldask.lazy.origin import origin_of, source_of
from mandeldask.lazy.tree import open_pyramid
from mandeldask.zarrview.cache import TileCache
from mandeldask.zarrview.imaged import Making, with_levels
from mandeldask.zarrview.nodes import Array, Group, Node, as_node
from mandeldask.zarrview.view import ZarrView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mandeldask.exports.targets import Target
    from mandeldask.lazy.described import WindowLike
    from mandeldask.zarrview.formats import Format

MAX_ELEMENTS = 2**40
"""Largest number of elements of an array that an export accepts: a terabyte of bytes, and weeks of computing."""

_OF_A_PASS = ("fields", "tolerance")
"""The keys of an origin that depend on the pass over the orbits (its fields and their tolerances), not on the place."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The options of an export that determine what is written."""

    levels: tuple[int | str, ...] | None
    """Groups of the root; None for all."""
    window: WindowLike | None
    """The part of the tree; None for all."""
    format: Format
    """The format, with its codecs and shards."""
    chunks: int | None
    """Elements along a chunk; None for the tree's own chunks."""
    making: Making
    """How levels of images are made."""

    def view(self, tree: Any, there: Target) -> ZarrView:
        """Return the view of the future target: the requested levels, and those that it already contains."""
        names = getattr(tree, "children", ())
        written = [name for name in names if any(there.read(f"{name}/{document}") for document in self.format.names)]
        node = as_node(described(tree, self.levels, self.window, also=written))
        if self.making.method != "none":
            node = with_levels(node, self.making)
        if self.chunks is not None:
            node = _with_chunks(node, self.chunks)
        return ZarrView(node, self.format, cache=TileCache(0))

    def arrays(self, view: ZarrView, tree: Any, there: Target) -> list[PlannedArray]:
        """Return the arrays of a view; an array that the target already has from an earlier pass keeps that pass.

        Raises
        ------
        ValueError
            If an array is too large.
        """
        arrays = _arrays_of(view, origin_of(tree, self.window))
        for planned in arrays:
            elements = math.prod(planned.stored.array.shape)
            if elements > MAX_ELEMENTS:
                msg = (
                    f"{planned.path} has {elements:.0e} elements, more than the {MAX_ELEMENTS:.0e} that an export "
                    f"accepts{_fitting(tree)}"
                )
                raise ValueError(msg)
        return self._of_their_passes(arrays, there)

    def _of_their_passes(self, arrays: list[PlannedArray], there: Target) -> list[PlannedArray]:
        earlier: dict[str, dict[str, PlannedArray]] = {}
        for index, planned in enumerate(arrays):
            mark = Record(there, planned.path).mark() if planned.origin else None
            if mark is None or mark.content == planned.stored.content:
                continue
            origin = mark.facts.get(SOURCE) or {}
            if not is_another_pass(origin, planned.origin, planned.path):
                continue
            key = repr(origin)
            if key not in earlier:
                tree = open_pyramid(source_of(origin)[0], chunks=None)
                earlier[key] = {each.path: each for each in _arrays_of(self.view(tree, there), origin)}
            again = earlier[key].get(planned.path)
            if again is not None and again.stored.content == mark.content:
                arrays[index] = again
        return arrays


def is_another_pass(origin: Mapping[str, Any], wanted: Mapping[str, Any], path: str) -> bool:
    """Return whether pixels have the wanted place and tolerance, but were computed together with other fields."""
    field = path.rpartition("/")[2]

    def without(source: Mapping[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in source.items() if name not in _OF_A_PASS}
        return {**kept, "tolerance": dict(source.get("tolerance", {})).get(field)}

    names = origin.get("fields", ())
    return field in names and names != wanted.get("fields") and without(origin) == without(wanted)


def _arrays_of(view: ZarrView, origin: Mapping[str, Any]) -> list[PlannedArray]:
    form = view.format
    return [
        PlannedArray(path, encoded_by_zarrs(form.store(array)), form, _version(array), origin)
        for path, array in view.arrays()
    ]


def _version(array: Array) -> Any:
    return None if array.version is None else array.version()


def _with_chunks(node: Node, chunks: int) -> Node:
    if isinstance(node, Group):
        return replace(node, members={name: _with_chunks(member, chunks) for name, member in node.members.items()})
    return replace(node, chunks=tuple(min(chunks, max(1, size)) for size in node.shape))


def _fitting(tree: Any) -> str:
    """Return text for a message: the levels of a tree that an export accepts."""
    levels = getattr(tree, "children", {})
    fit = [
        name
        for name, level in levels.items()
        if all(variable.size <= MAX_ELEMENTS for variable in level.data_vars.values())
    ]
    return f"; select from the levels {fit[0]} to {fit[-1]} (levels=, or --only)" if fit else ""
