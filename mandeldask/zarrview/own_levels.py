"""Images that already have levels, such as whole slides: shown like images whose levels are made here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mandeldask.conventions import Placed, spatial
from mandeldask.images.channels import channels_of
from mandeldask.images.levels import image_levels
from mandeldask.images.placement import Placement, placement_of
from mandeldask.multiscales import Axis, Dataset, Image, ome
from mandeldask.zarrview.described import Described
from mandeldask.zarrview.nodes import Array, Group
from mandeldask.zarrview.pyramid import channels_in_file, ordered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mandeldask.images.levels import ImageLevels
    from mandeldask.zarrview.nodes import Node


def own_levels(group: Group, name: str) -> Group:
    """Return a group of levels as groups "0", "1", ..., with axes in OME-Zarr's order and contrast limits.

    Groups whose documents already contain more, or whose levels are not direct members, are returned unchanged.

    Parameters
    ----------
    group : Group
        A group with OME-Zarr attributes.
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
    """Return the levels of an image, finest first; empty if one is not a direct member or larger than a finer one."""
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
    channels = channels_of(levels, arrays[0], arrays[-1], name, channels_in_file(attrs))
    others = {key: value for key, value in attrs.items() if key != "ome"}
    described = ome([Image(image.get("name", name), axes, datasets)], channels, name)
    return others | {"ome": described, "zarr_v3": _spatial(attrs, levels.dims, datasets, arrays)}


def _spatial(
    attrs: Mapping[str, Any], dims: Sequence[str], datasets: Sequence[Dataset], arrays: Sequence[Array]
) -> dict[str, Any]:
    """Return the metadata of zarr-conventions. All levels show the same area, also if their sizes are rounded."""
    shapes = [(array.shape[-2], array.shape[-1]) for array in arrays]
    (height, width), (step_y, step_x) = shapes[0], datasets[0].scale[-2:]
    finest = placement_of(attrs, dims[-2:], shapes[0]) or Placement((step_x, 0.0, 0.0, 0.0, step_y, 0.0))
    placed = [
        Placed(
            str(level),
            shape,
            finest.coarser(height / shape[0], width / shape[1]).transform,
            (finer[0] / shape[0], finer[1] / shape[1]),
        )
        for level, (shape, finer) in enumerate(zip(shapes, [shapes[0], *shapes], strict=False))
    ]
    return spatial(placed, dims=(dims[-2], dims[-1]), crs=finest.crs)


def _dataset(path: str, described: Mapping[str, Any], order: Sequence[int]) -> Dataset:
    found = {each["type"]: each[each["type"]] for each in described["coordinateTransformations"]}
    scale = found["scale"]
    shift = found.get("translation", [0.0] * len(scale))
    return Dataset(path, tuple(scale[at] for at in order), tuple(shift[at] for at in order))
