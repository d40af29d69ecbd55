"""Prepare a tree for an export: select levels and a window, correct the metadata, and read without dask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import xarray as xr

from mandeldask.internals.xarray_names import content_of
from mandeldask.lazy.chunking import DIMS
from mandeldask.lazy.cutting import windows_of
from mandeldask.lazy.guarded import GuardedArray
from mandeldask.lazy.indexing import LazyPixels, PixelArray
from mandeldask.lazy.metadata import describing, pyramid_of
from mandeldask.lazy.selection import selected
from mandeldask.lazy.variable import PixelVariable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mandeldask.lazy.cutting import PlaceLike

FORMATS = ("zarr_v2", "zarr_v3")
"""Attributes of a pyramid's root that belong to one Zarr format: its multiscales."""


WindowLike: TypeAlias = "Mapping[str, slice] | PlaceLike"
"""Pixels along each dimension, or a square of the plane."""


def described(
    tree: Any, levels: Iterable[int | str] | None, window: WindowLike | None, also: Iterable[str] = ()
) -> Any:
    """Return the part of `tree` that an export writes.

    Parameters
    ----------
    tree : any tree
        The tree to export.
    levels : iterable of int or str, or None
        Groups of the root; by default all.
    window : mapping of str to slice, str, (center, width) or None
        Pixels along each dimension; or, for a pyramid, a square of the plane: a link, or its centre and width. Each
        level is cut to its pixels in the square, and the multiscales metadata state their position.
    also : iterable of str
        Levels that are already in the target; they are kept.

    Raises
    ------
    ValueError
        If a level or dimension is not in the tree, or levels are given for a tree that has no groups.
    TypeError
        If a window is given for a tree without named dimensions.
    """
    if not isinstance(tree, xr.DataTree):
        return _cut(tree, levels, _as_pixels(tree, window))
    asked = selected(tree, levels)
    names = tuple(name for name in tree.children if name in {*asked, *also})
    side = tree.attrs.get("mandeldask", {}).get("tilesize")
    numbers = [int(name) for name in names] if "mandeldask" in tree.attrs else []
    windows = None
    if numbers and window is not None and not isinstance(window, Mapping):
        windows = windows_of(pyramid_of(tree.attrs), numbers, window)
        cuts: dict[str, Any] = {str(level): dict(zip(DIMS, pixels, strict=True)) for level, pixels in windows.items()}
    else:
        cuts = dict.fromkeys(names, _as_pixels(tree, window))
    groups = {name: _cut(tree[name].to_dataset(), None, cuts[name], side) for name in names if not tree[name].children}
    groups |= {name: tree[name] for name in names if tree[name].children}
    root = tree.to_dataset()
    if numbers:
        root.attrs = dict(describing(tree.attrs, numbers, windows))
    if windows is not None:
        del root.attrs["mandeldask"]  # it describes the whole pyramid
    elif window is not None:
        root.attrs = {name: value for name, value in root.attrs.items() if name not in {*FORMATS, "mandeldask"}}
    return xr.DataTree.from_dict({"/": root, **groups}, name=tree.name)


def _as_pixels(tree: Any, window: WindowLike | None) -> Mapping[str, slice] | None:
    """Return `window` if it gives pixels; raise TypeError if it is a place, since `tree` is not a pyramid."""
    if window is None or isinstance(window, Mapping):
        return window
    msg = f"a window at a place needs a pyramid; this {type(tree).__name__} does not have the attributes of one"
    raise TypeError(msg)


def _cut(
    tree: Any, levels: Iterable[int | str] | None, window: Mapping[str, slice] | None, side: int | None = None
) -> Any:
    """Return a window of a Dataset or array, with lazily indexed pixels where this package computes them."""
    if levels is not None:
        msg = f"levels need a tree of groups, not a {type(tree).__name__}"
        raise ValueError(msg)
    if isinstance(tree, xr.Dataset):
        tree = tree.assign({name: _lazily_indexed(each, side) for name, each in tree.data_vars.variables.items()})
    if window is None:
        return tree
    if not isinstance(tree, (xr.Dataset, xr.DataArray)):
        msg = f"a window needs named dimensions; a {type(tree).__name__} has none"
        raise TypeError(msg)
    unknown = [dim for dim in window if dim not in tree.dims]
    if unknown:
        msg = f"window must name dimensions among {', '.join(map(str, tree.dims))}, not {unknown[0]!r}"
        raise ValueError(msg)
    return tree.isel(dict(window))


def _lazily_indexed(variable: xr.Variable, side: int | None) -> xr.Variable:
    """Return pixels of this package as lazily indexed ones, so that one kernel call computes all fields of a chunk."""
    data = content_of(variable)
    if not isinstance(data, GuardedArray) or data.pixels is None:
        return variable
    chunks = data.chunksize if side is None else (side,) * data.ndim
    pixels = LazyPixels(PixelArray(data.pixels))
    return PixelVariable(variable.dims, pixels, variable.attrs, {**variable.encoding, "chunks": chunks}, fastpath=True)
