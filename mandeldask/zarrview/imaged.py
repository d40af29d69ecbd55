"""The images of a tree, each as a group of levels, at the paths where the tree has their arrays."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from mandeldask.images.levels import axis_type, image_levels, is_image, is_large_image, regular, unit_of
from mandeldask.images.placement import placement_of
from mandeldask.zarrview import nodes
from mandeldask.zarrview.nodes import Array, Changing, Group
from mandeldask.zarrview.own_levels import own_levels
from mandeldask.zarrview.pool import Busy
from mandeldask.zarrview.pyramid import LevelRead, pyramid

if TYPE_CHECKING:
    from mandeldask.images.halving import Halvings
    from mandeldask.zarrview.nodes import Node
    from mandeldask.zarrview.persistent_cache import PersistentCache

log = logging.getLogger(__name__)

NAME = "image"
"""Name of the array in each level."""

PYRAMIDS = ("auto", "none", "mean", "stride", "mode")
"""Methods of making levels of images; "auto" depends on the array."""

_POSITIONS = 2**20
"""Coordinates with more elements than this are not read."""

_FLAGS = ("flag_values", "flag_masks", "flag_meanings")
"""CF attributes of arrays of labels."""


@dataclass(frozen=True, slots=True)
class Making:
    """How levels are made. A copy in another process has no persistent cache."""

    method: str = "auto"
    """"mean", "stride", "mode" or "auto". "auto" is "mode" for labels (arrays with CF flags), "stride" for arrays whose
    elements have no mean, and otherwise "mean"."""
    persistent: PersistentCache | None = None
    """Cache of the states of levels between runs."""
    seconds: float = inf
    """Seconds that a read may take; partial results are kept."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.method, None, self.seconds)


@dataclass(frozen=True, slots=True)
class Images(Mapping[str, "Node"]):
    """Members of a group as images, made on request; a member that is not an image is an empty group.

    Each is also available under its name plus ".zarr": napari recognises Zarr by that suffix.
    """

    members: Mapping[str, Node]
    how: Making

    def __getitem__(self, name: str) -> Node:
        short = name.removesuffix(".zarr")
        member = self.members[name if name in self.members else short]
        if isinstance(member, Array):
            return _levels(member, self.how, self.members)
        return images_of(member, self.how)

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, name: object) -> bool:
        return name in self.members or (isinstance(name, str) and name.removesuffix(".zarr") in self.members)


@dataclass(frozen=True, slots=True)
class Reopened:
    """Opens a node again, as images."""

    reopen: Any
    how: Making

    def __call__(self) -> Node:
        """Return the images of the node in its current state."""
        return images_of(self.reopen(), self.how)


def images_of(node: Node, how: Making | None = None) -> Group:
    """Return the images of a tree as groups of levels, and its groups as groups, without opening anything.

    Parameters
    ----------
    node : Group or Array
        A tree. Groups that have levels of their own keep them.
    how : Making, optional
        How levels are made.
    """
    how = how or Making()
    if isinstance(node, Array):
        return _levels(node, how, {})
    reopen = None if node.reopen is None else Reopened(node.reopen, how)
    if has_levels(node.attrs):
        return replace(own_levels(node, NAME), reopen=reopen)
    return replace(node, members=Images(node.members, how), attrs={}, reopen=reopen, consolidate=False)


def with_levels(node: Node, how: Making) -> Node:
    """Return a tree whose images are replaced by groups of levels, with all other nodes unchanged.

    Parameters
    ----------
    node : Group or Array
        A tree. Groups that have levels of their own stay as they are.
    how : Making
        How levels are made. With the method "auto", only images larger than 1024 elements get levels.
    """
    return _with_levels(how, {}, node, "")


def _with_levels(how: Making, siblings: Mapping[str, Node], node: Node, _: str) -> Node:
    if isinstance(node, Array):
        wanted = is_large_image if how.method == "auto" else is_image
        numbers = node.dtype.kind in "buifc" and node.dtype.names is None
        return _levels(node, how, siblings) if numbers and wanted(node.shape, node.dims) else node
    if has_levels(node.attrs):
        return node
    reopen = None if node.reopen is None else nodes.Reopened(node.reopen, partial(with_levels, how=how))
    return replace(node, members=Changing(node.members, partial(_with_levels, how, node.members)), reopen=reopen)


def made_levels(node: Node, path: str = "") -> Iterator[tuple[str, Halvings]]:
    """Yield the path of every image whose levels are made, and the object that makes them; opens the whole tree."""
    if isinstance(node, Array):
        if isinstance(node.read, LevelRead) and node.read.level == 1:
            yield path.removesuffix(f"/1/{NAME}"), node.read.halvings
        return
    for name in node.members:
        try:
            below = node.members[name]
        except Busy:  # another time
            raise
        except Exception as error:  # noqa: BLE001  a file that cannot be opened; its group reports it
            log.debug("%s/%s has no levels: %s", path, name, error)
            continue
        yield from made_levels(below, f"{path}/{name}" if path else name)


def has_levels(attrs: Mapping[str, Any]) -> bool:
    """Return whether a group's attributes describe levels of an image."""
    described = [attrs, *(attrs.get(name, {}) for name in ("ome", "zarr_v2", "zarr_v3"))]
    return any(isinstance(each, Mapping) and "multiscales" in each for each in described)


def _levels(array: Array, how: Making, siblings: Mapping[str, Node]) -> Group:
    """Return an array as a group of levels; as an empty group if it is not an image."""
    if not is_image(array.shape, array.dims):
        return Group()
    found = image_levels(array.shape, array.dims, None, method_for(array) if how.method == "auto" else how.method)
    scale, origin, units = _placed(found.dims, siblings)
    placed = replace(
        found,
        scale=_by_dimension(array.attrs, "pixel_size", (int, float)) | scale,
        origin=origin,
        units=_by_dimension(array.attrs, "pixel_unit", (str,)) | units,
        placement=None if origin else placement_of(array.attrs, found.dims[-2:], found.shape[-2:]),
    )
    group = pyramid(array, placed.for_viewers(), NAME, persistent=how.persistent, seconds=how.seconds)
    reopen = None if array.reopen is None else Reopened(array.reopen, how)
    return replace(group, version=array.version, as_of=array.as_of, reopen=reopen, consolidate=True)


def method_for(array: Array) -> str:
    """Return the best method for levels of an array."""
    if any(name in array.attrs for name in _FLAGS):
        return "mode"
    return "mean" if array.dtype.kind in "buifc" else "stride"


def _by_dimension(attrs: Mapping[str, Any], name: str, kinds: tuple[type, ...]) -> dict[str, Any]:
    """Return the values by dimension in the attribute `name` of a file's array; empty if it has none."""
    values = attrs.get(name)
    if not isinstance(values, Mapping):
        return {}
    return {dim: value for dim, value in values.items() if isinstance(value, kinds)}


def _placed(
    dims: tuple[str, ...], siblings: Mapping[str, Node]
) -> tuple[dict[str, float], dict[str, float], dict[str, str]]:
    """Return the scale, origin and units of dimensions whose coordinates are evenly spaced."""
    scale: dict[str, float] = {}
    origin: dict[str, float] = {}
    units: dict[str, str] = {}
    for dim in dims:
        along = siblings.get(dim) if dim in siblings else None
        if not isinstance(along, Array) or len(along.shape) != 1 or not 1 < along.shape[0] <= _POSITIONS:
            continue
        spaced = regular(along.read((slice(0, along.shape[0]),))) if axis_type(dim) != "channel" else None
        if spaced is not None:
            origin[dim], scale[dim] = spaced
            unit = unit_of(along.attrs.get("units"))
            units |= {dim: unit} if unit else {}
    return scale, origin, units
