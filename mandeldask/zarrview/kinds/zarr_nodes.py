"""Arrays and groups of zarr-python, in either format."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import zarr
from zarr.abc.store import Store

from mandeldask.internals.zarr_names import default_buffer_prototype, sync
from mandeldask.multiscales import dimensions
from mandeldask.zarrview.attributes import DIMENSIONS
from mandeldask.zarrview.cf import decoded_missing, with_missing
from mandeldask.zarrview.identity import unique
from mandeldask.zarrview.kinds.numpy_arrays import Indexed
from mandeldask.zarrview.nodes import Array, Group, Node, as_node, group_of, named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@as_node.register(Store)
def _(tree: Store) -> Node:
    return as_node(zarr.open(tree, mode="r"))


@as_node.register(zarr.Group)
def _(tree: zarr.Group) -> Group:
    attrs = dict(tree.attrs)
    axes = dimensions(attrs)
    openers = _openers(tree)
    return group_of({name: partial(_member, name, opened, axes.get(name)) for name, opened in openers.items()}, attrs)


def _openers(tree: zarr.Group) -> dict[str, Callable[[], Any]]:
    """Return functions that open each member, by name. zarr-python itself opens all or, after one error, none."""
    try:
        return {name: partial(_same, below) for name, below in tree.members()}
    except Exception:  # noqa: BLE001  an unknown data type, codec or document
        plain = zarr.open_group(tree.store_path, mode="r", use_consolidated=False)
        return {name: partial(plain.__getitem__, name) for name in sync(_names(plain))}


async def _names(tree: zarr.Group) -> list[str]:
    """Return the names in a group that have a metadata document, valid or not."""
    prototype, prefix = default_buffer_prototype(), f"{tree.path}/".lstrip("/")
    documents = ("zarr.json",) if tree.metadata.zarr_format == 3 else (".zarray", ".zgroup")  # noqa: PLR2004
    names = [name async for name in tree.store.list_dir(tree.path)]
    keys = {name: [f"{prefix}{name}/{document}" for document in documents] for name in names}
    return [name for name in names if any([await tree.store.get(key, prototype) for key in keys[name]])]


def _same(node: Any) -> Any:
    return node


def _member(name: str, opened: Callable[[], Any], axes: tuple[str, ...] | None) -> Node:
    return named(_along(as_node(opened()), axes), name)


def _along(node: Node, axes: tuple[str, ...] | None) -> Node:
    """Return an array with the dimension names of its axes, if it has none itself and the number of axes is right."""
    if isinstance(node, Array) and node.dims is None and axes is not None and len(axes) == len(node.shape):
        return replace(node, dims=axes)
    return node


@as_node.register(zarr.Array)
def _(tree: zarr.Array[Any]) -> Array:
    attrs = dict(tree.attrs)
    dims = tree.metadata.dimension_names if tree.metadata.zarr_format == 3 else attrs.pop(DIMENSIONS, None)  # noqa: PLR2004
    missing, attrs = _missing(tree, attrs)
    return Array(
        shape=tree.shape,
        dtype=tree.dtype,
        read=Indexed(tree),
        chunks=tuple(max(1, size) for size in tree.chunks),
        dims=_whole(dims),
        attrs=with_missing(attrs, missing, tree.dtype),
        fill_value=tree.fill_value,
        missing=missing,
        fingerprint=unique(),  # another process may write to the store
    )


def _missing(tree: zarr.Array[Any], attrs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the missing value, as xarray interprets the format, and the other attributes."""
    if tree.metadata.zarr_format == 2:  # noqa: PLR2004
        return tree.fill_value, dict(attrs)
    missing = decoded_missing(attrs.get("_FillValue"), tree.dtype)
    return missing, {name: value for name, value in attrs.items() if missing is None or name != "_FillValue"}


def _whole(dims: Any) -> tuple[str, ...] | None:
    """Return the dimension names if all dimensions have one."""
    return tuple(dims) if dims is not None and None not in dims else None
