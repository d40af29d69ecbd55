"""Images that have levels of their own, such as whole slides: shown as those whose levels are made are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mandeldask.images.channels import channels_of
from mandeldask.images.levels import image_levels
from mandeldask.multiscales import Axis, Dataset, Image, ome
from mandeldask.zarrview.described import Described
from mandeldask.zarrview.nodes import Array, Group
from mandeldask.zarrview.pyramid import ordered, said_channels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mandeldask.images.levels import ImageLevels
    from mandeldask.zarrview.nodes import Node


def own_levels(group: Group, name: str) -> Group:
    """Return a group of levels as groups "0", "1", ..., their axes in OME-Zarr's order, with windows of its channels.

    Groups whose documents say more already, or whose levels are not arrays right below, stay as they are.

    Parameters
    ----------
    group : Group
        With OME-Zarr's attributes.
    name : str
        Name of the array in each level.
    """
    described = group.attrs.get("ome")
    images = described.get("multiscales") if isinstance(described, Mapping) and "omero" not in described else None
    if not group.consolidate or not isinstance(images, list) or len(images) != 1:
        return group
    arrays = _arrays(group, images[0])
    if not arrays or arrays[0].dims is None or any(array.dims != arrays[0].dims for array in arrays):
        return group
    levels = image_levels(arrays[0].shape, arrays[0].dims)
    if sorted(levels.dims) != sorted(axis["name"] for axis in images[0]["axes"]):
        return group
    shown = [ordered(array, levels, array.shape) for array in arrays]
    members: dict[str, Node] = {str(level): Group({name: array}) for level, array in enumerate(shown)}
    return replace(
        group, members=members, attrs=Described(partial(_attributes, group.attrs, images[0], levels, shown, name))
    )


def _arrays(group: Group, image: Mapping[str, Any]) -> list[Array]:
    """Return the levels of an image, the finest first; none if one is no array right below, or larger than another."""
    paths = [dataset["path"] for dataset in image["datasets"]]
    found = [group.members[path] for path in paths if path in group.members]
    arrays = [each for each in found if isinstance(each, Array)]
    falling = all(a.shape >= b.shape and len(a.shape) == len(b.shape) for a, b in pairwise(arrays))
    return arrays if len(arrays) == len(paths) and falling else []


def _attributes(
    attrs: Mapping[str, Any], image: Mapping[str, Any], levels: ImageLevels, arrays: Sequence[Array], name: str
) -> dict[str, Any]:
    order = [[axis["name"] for axis in image["axes"]].index(dim) for dim in levels.dims]
    axes = tuple(Axis(each["name"], each.get("type"), each.get("unit")) for each in (image["axes"][at] for at in order))
    datasets = tuple(_dataset(f"{level}/{name}", each, order) for level, each in enumerate(image["datasets"]))
    channels = channels_of(levels, arrays[0], arrays[-1], name, said_channels(attrs))
    others = {key: value for key, value in attrs.items() if key != "ome"}
    return others | {"ome": ome([Image(image.get("name", name), axes, datasets)], channels, name)}


def _dataset(path: str, described: Mapping[str, Any], order: Sequence[int]) -> Dataset:
    found = {each["type"]: each[each["type"]] for each in described["coordinateTransformations"]}
    scale = found["scale"]
    shift = found.get("translation", [0.0] * len(scale))
    return Dataset(path, tuple(scale[at] for at in order), tuple(shift[at] for at in order))
