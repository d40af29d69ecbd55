"""The images of a tree, each as a group of levels, at the paths where the tree has their arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mandeldask.images.levels import axis_type, image_levels, is_image, regular
from mandeldask.zarrview.nodes import Array, Group
from mandeldask.zarrview.pyramid import pyramid

if TYPE_CHECKING:
    from mandeldask.zarrview.nodes import Node
    from mandeldask.zarrview.shelf import Shelf

NAME = "image"
"""Name of the array in each level."""

_POSITIONS = 2**20
"""Longest coordinates that are looked at."""

_FLAGS = ("flag_values", "flag_masks", "flag_meanings")
"""CF's attributes of labels."""


@dataclass(frozen=True, slots=True)
class Images(Mapping[str, "Node"]):
    """Members of a group as images, made when they are asked for; what is no image is an empty group.

    Each answers to its name and ".zarr" too: napari knows Zarr by that ending.
    """

    members: Mapping[str, Node]
    method: str
    shelf: Shelf | None = None

    def __getitem__(self, name: str) -> Node:
        short = name.removesuffix(".zarr")
        member = self.members[name if name in self.members else short]
        if isinstance(member, Array):
            return _levels(member, self.method, self.members, self.shelf)
        return images_of(member, self.method, self.shelf)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.members, self.method)  # other processes keep nothing

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, name: object) -> bool:
        return name in self.members or (isinstance(name, str) and name.removesuffix(".zarr") in self.members)


@dataclass(frozen=True, slots=True)
class Reopened:
    """Opens a node anew, as images."""

    reopen: Any
    method: str
    shelf: Shelf | None = None

    def __call__(self) -> Node:
        """Return the images of the node as it is now."""
        return images_of(self.reopen(), self.method, self.shelf)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reopen, self.method)


def images_of(node: Node, method: str = "auto", shelf: Shelf | None = None) -> Group:
    """Return the images of a tree as groups of levels, and its groups as groups; nothing is opened for it.

    Parameters
    ----------
    node : Group or Array
        A tree. Groups that have levels of their own stay as they are.
    method : {"auto", "mean", "stride", "mode"}
        How levels are made; "auto" takes the mode of labels (arrays with CF's flags), every second element of what has
        no mean, and else means.
    shelf : Shelf, optional
        Where what is known of levels is kept.
    """
    if isinstance(node, Array):
        return _levels(node, method, {}, shelf)
    if has_levels(node.attrs):
        return node
    reopen = None if node.reopen is None else Reopened(node.reopen, method, shelf)
    members = Images(node.members, method, shelf)
    return replace(node, members=members, attrs={}, reopen=reopen, consolidate=False)


def has_levels(attrs: Mapping[str, Any]) -> bool:
    """Return whether a group's attributes describe levels of an image."""
    described = [attrs, *(attrs.get(name, {}) for name in ("ome", "zarr_v2", "zarr_v3"))]
    return any(isinstance(each, Mapping) and "multiscales" in each for each in described)


def _levels(array: Array, method: str, siblings: Mapping[str, Node], shelf: Shelf | None) -> Group:
    """Return an array as a group of levels; as an empty group if it is no image."""
    if not is_image(array.shape, array.dims):
        return Group()
    found = image_levels(array.shape, array.dims, None, method_for(array) if method == "auto" else method)
    scale, origin, units = _placed(found.dims, siblings)
    placed = replace(
        found,
        scale=_said(array.attrs, "pixel_size", (int, float)) | scale,
        origin=origin,
        units=_said(array.attrs, "pixel_unit", (str,)) | units,
    )
    group = pyramid(array, placed, NAME, shelf)
    reopen = None if array.reopen is None else Reopened(array.reopen, method, shelf)
    return replace(group, version=array.version, as_of=array.as_of, reopen=reopen, consolidate=True)


def method_for(array: Array) -> str:
    """Return how levels of an array are best made."""
    if any(name in array.attrs for name in _FLAGS):
        return "mode"
    return "mean" if array.dtype.kind in "buifc" else "stride"


def _said(attrs: Mapping[str, Any], name: str, kinds: tuple[type, ...]) -> dict[str, Any]:
    """Return what an attribute of a file's array says of its dimensions, by their names."""
    said = attrs.get(name)
    return {dim: value for dim, value in said.items() if isinstance(value, kinds)} if isinstance(said, Mapping) else {}


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
            unit = along.attrs.get("units")
            units |= {dim: unit} if isinstance(unit, str) and " " not in unit else {}
    return scale, origin, units
