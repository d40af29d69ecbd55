"""A tree as an export writes it: some of its levels, described as what they are, and read without dask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from mandeldask.lazy.indexing import LazyPixels, PixelArray
from mandeldask.lazy.memory import GuardedArray
from mandeldask.lazy.metadata import describing
from mandeldask.lazy.selection import selected
from mandeldask.lazy.variable import PixelVariable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORMATS = ("zarr_v2", "zarr_v3")
"""Attributes of a pyramid's root that belong to one Zarr format: its multiscales."""


def described(
    tree: Any, levels: Iterable[int | str] | None, window: Mapping[str, slice] | None, also: Iterable[str] = ()
) -> Any:
    """Return what of `tree` is written.

    Parameters
    ----------
    tree : any tree
        What was given.
    levels : iterable of int or str, or None
        Groups of its root; all by default.
    window : mapping of str to slice, or None
        Pixels along each dimension.
    also : iterable of str
        Levels that are there already, and stay.

    Raises
    ------
    ValueError
        If a level or dimension is not in the tree, or levels are given for a tree that has no groups.
    TypeError
        If a window is given for a tree without named dimensions.
    """
    if not isinstance(tree, xr.DataTree):
        return _cut(tree, levels, window)
    asked = selected(tree, levels)
    names = tuple(name for name in tree.children if name in {*asked, *also})
    side = tree.attrs.get("mandeldask", {}).get("tilesize")
    groups = {name: _cut(tree[name].to_dataset(), None, window, side) for name in names if not tree[name].children}
    groups |= {name: tree[name] for name in names if tree[name].children}
    root = tree.to_dataset()
    if "mandeldask" in tree.attrs:
        root.attrs = dict(describing(tree.attrs, [int(name) for name in names]))
    if window is not None:
        root.attrs = {name: value for name, value in root.attrs.items() if name not in {*FORMATS, "mandeldask"}}
    return xr.DataTree.from_dict({"/": root, **groups}, name=tree.name)


def _cut(
    tree: Any, levels: Iterable[int | str] | None, window: Mapping[str, slice] | None, side: int | None = None
) -> Any:
    """Return a window of a Dataset or array, its pixels lazily indexed where they are ours."""
    if levels is not None:
        msg = f"levels need a tree of groups, not a {type(tree).__name__}"
        raise ValueError(msg)
    if isinstance(tree, xr.Dataset):
        tree = tree.assign({name: _undasked(each, side) for name, each in tree.data_vars.variables.items()})
    if window is None:
        return tree
    if not isinstance(tree, (xr.Dataset, xr.DataArray)):
        msg = f"a window needs named dimensions, which a {type(tree).__name__} has not"
        raise TypeError(msg)
    unknown = [dim for dim in window if dim not in tree.dims]
    if unknown:
        msg = f"window must name dimensions out of {', '.join(map(str, tree.dims))}, not {unknown[0]!r}"
        raise ValueError(msg)
    return tree.isel(dict(window))


def _undasked(variable: xr.Variable, side: int | None) -> xr.Variable:
    """Return pixels of ours lazily indexed, so that one call of the kernel answers all fields of a chunk."""
    data = variable._data  # noqa: SLF001  `.data` would compute lazily indexed arrays
    if not isinstance(data, GuardedArray) or data.pixels is None:
        return variable
    chunks = data.chunksize if side is None else (side,) * data.ndim
    pixels = LazyPixels(PixelArray(data.pixels))
    return PixelVariable(variable.dims, pixels, variable.attrs, {**variable.encoding, "chunks": chunks}, fastpath=True)
