"""The xarray engine: `xr.open_datatree("mandelbrot:levels=50,maxiter=255", engine="mandeldask")`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr
from xarray.backends import BackendEntrypoint

from mandeldask.fractal.pyramid import FIELDS, Pyramid
from mandeldask.lazy.blocks import MAX_BLOCKS
from mandeldask.lazy.tree import open_pyramid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SCHEME = "mandelbrot:"
"""Prefix of the names of pyramids."""

_INTEGERS = {"levels", "tilesize", "maxiter"}
_TEXTS = {"center", "width", "julia"}


class MandeldaskBackendEntrypoint(BackendEntrypoint):
    """Opens ``mandelbrot:name=value,...`` with the parameters of `Pyramid` as names; fields are joined by ``+``.

    All levels are lazily indexed arrays. With ``chunks={}``, xarray makes dask arrays of levels with at most 256 tiles
    along an axis. A deeper level becomes one block: its windows can be computed, but the whole block is refused.

    Notes
    -----
    With ``chunks="auto"`` or an integer xarray lists the blocks of a level before it calls the engine. So use these
    only for levels of up to about 2^30 pixels along an axis: an engine cannot refuse larger ones before that.
    `open_pyramid` with its own `chunks`, or `.chunk()` of an opened level, is immediate at every level.
    """

    description = "The Mandelbrot set, exact at every level, computed where it is read"
    open_dataset_parameters = ("filename_or_obj", "drop_variables", "group")
    supports_groups = True

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Return whether this is the name of a pyramid."""
        return isinstance(filename_or_obj, str) and filename_or_obj.startswith(SCHEME)

    def open_dataset(
        self, filename_or_obj: Any, *, drop_variables: str | Iterable[str] | None = None, group: str | None = None
    ) -> xr.Dataset:
        """Return one level.

        Raises
        ------
        ValueError
            If the name is malformed, or if `group` is missing or is not a level of the pyramid.
        """
        groups = self.open_groups_as_dict(filename_or_obj, drop_variables=drop_variables)
        path = "/" + str("" if group is None else group).strip("/")
        if path not in groups:
            msg = f"group must be a level from 0 to {len(groups) - 2}, not {group!r}"
            raise ValueError(msg)
        return groups[path]

    def open_groups_as_dict(
        self, filename_or_obj: Any, *, drop_variables: str | Iterable[str] | None = None
    ) -> dict[str, xr.Dataset]:
        """Return the root and every level, by path."""
        tree = open_pyramid(parse(filename_or_obj), chunks=None)
        dropped = [drop_variables] if isinstance(drop_variables, str) else list(drop_variables or ())
        groups = {
            node.path: node.to_dataset(inherit=False).drop_vars(dropped, errors="ignore") for node in tree.subtree
        }
        for dataset in groups.values():
            _prefer_chunks(dataset)
        return groups

    def open_datatree(self, filename_or_obj: Any, *, drop_variables: str | Iterable[str] | None = None) -> xr.DataTree:
        """Return the pyramid."""
        return xr.DataTree.from_dict(self.open_groups_as_dict(filename_or_obj, drop_variables=drop_variables))


def parse(name: str) -> Pyramid:
    """Return the Pyramid of a name.

    Raises
    ------
    ValueError
        If the name does not start with ``mandelbrot:``, or has unknown or malformed parts.

    Examples
    --------
    >>> parse("mandelbrot:levels=8,center=-0.75+0.1j,width=1/3,fields=iterations+smooth").fields
    ('iterations', 'smooth')
    """
    if not isinstance(name, str) or not name.startswith(SCHEME):
        msg = f"the name of a pyramid must look like 'mandelbrot:levels=50,maxiter=255', not {name!r}"
        raise ValueError(msg)
    parts = [part for part in name.removeprefix(SCHEME).split(",") if part]
    return Pyramid(**dict(_keyword(part) for part in parts))


def _keyword(part: str) -> tuple[str, Any]:
    name, equals, text = (piece.strip() for piece in part.partition("="))
    if equals and name in _INTEGERS and (text.isdecimal() or (name, text) == ("maxiter", "auto")):
        return name, text if text == "auto" else int(text)
    if equals and name in _TEXTS:
        return name, text
    if equals and name == "fields":
        return name, tuple(text.split("+"))
    msg = (
        f"{part!r} is not one of levels=N, tilesize=N, maxiter=N or auto, center=RE+IMj, width=NUMBER, julia=RE+IMj, "
        f"fields={'+'.join(FIELDS)} or some of these"
    )
    raise ValueError(msg)


def _prefer_chunks(dataset: xr.Dataset) -> None:
    """Set the preferred chunks of each level that dask can handle to its tiles."""
    for variable in dataset.data_vars.values():
        sides: Mapping[Any, int] = dict(zip(variable.dims, variable.encoding["chunks"], strict=True))
        if all(-(-variable.sizes[dim] // side) <= MAX_BLOCKS for dim, side in sides.items()):
            variable.encoding["preferred_chunks"] = dict(sides)
