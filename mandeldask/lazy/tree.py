"""open_pyramid: a Pyramid as an xarray DataTree of lazy levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from mandeldask.fractal.kernels import kernel_of
from mandeldask.fractal.pyramid import Pyramid
from mandeldask.lazy import accessor as _registered  # noqa: F401  `tree.mandel`
from mandeldask.lazy.chunking import Division
from mandeldask.lazy.levels import as_dataset
from mandeldask.lazy.metadata import level_attributes, root_attributes

if TYPE_CHECKING:
    from collections.abc import Callable

    from mandeldask.fractal.kernel import Kernel
    from mandeldask.lazy.chunking import ChunksLike


def open_pyramid(
    pyramid: Pyramid | int = 50,
    *,
    chunks: ChunksLike = "auto",
    ome: str = "0.4",
    kernel: Callable[[Pyramid, int], Kernel] = kernel_of,
    **keywords: Any,
) -> xr.DataTree:
    """Return the levels of a pyramid as groups "0" (the finest), "1", ..., without computing them.

    Parameters
    ----------
    pyramid : Pyramid or int
        The pyramid to open, or a number of levels.
    chunks : int, "auto", tuple, dict or None
        Block size in pixels, as for `window`; None for lazily indexed arrays on all levels. Levels of more than 256
        blocks along an axis (dask would list them), or with blocks too large to compute, are lazily indexed in any
        case. "auto" is the pyramid's tilesize. It is smaller if a tile could take more than about a second at
        `maxiter`, and up to 2048 for levels of 16 tiles and more along an axis. Windows of such levels, and Zarr
        chunks, still consist of tiles.
    ome : {"0.4", "0.1"}
        OME-Zarr version of the attributes for Zarr v2.
    kernel : callable
        Returns the kernel of a level; titles, fields and their attributes come from it.
    **keywords
        Parameters of `Pyramid`: levels, tilesize, maxiter, center, width, fields, tolerance, julia.

    Returns
    -------
    DataTree
        Every group has a variable for each field, with dimensions (y, x) and exact coordinates. The root has attributes
        only: xarray requires that a node's children align with its own variables.

    Raises
    ------
    ValueError, TypeError
        If a value is out of its range, or if keywords come with a Pyramid.

    Examples
    --------
    >>> tree = open_pyramid(levels=50, maxiter=255)
    >>> tree["49/iterations"].shape, tree["0/iterations"].shape[0] == 2**59
    ((1024, 1024), True)
    """
    spec = as_pyramid(pyramid, **keywords)
    kernels = [kernel(spec, level) for level in range(spec.levels)]
    levels = {str(level): _level(spec, level, chunks, one) for level, one in enumerate(kernels)}
    about = kernels[0].about
    root = xr.Dataset(attrs=root_attributes(spec, ome, fields=tuple(kernels[0].dtypes), title=about.title))
    return xr.DataTree.from_dict({"/": root, **levels}, name=about.name)


def as_pyramid(pyramid: Pyramid | int = 50, **keywords: Any) -> Pyramid:
    """Return a Pyramid: `pyramid` itself, or one made from a number of levels and the keywords of `Pyramid`."""
    if not isinstance(pyramid, Pyramid):
        return Pyramid(**{"levels": pyramid, **keywords})
    if keywords:
        msg = f"got both a Pyramid and {', '.join(keywords)}; pass one or the other"
        raise TypeError(msg)
    return pyramid


def open_level(pyramid: Pyramid, level: int) -> xr.Dataset:
    """Return one level of a pyramid, lazily indexed: the same as that of `open_pyramid` with ``chunks=None``."""
    return _level(pyramid, level, None, kernel_of(pyramid, level))


def _level(pyramid: Pyramid, level: int, chunks: ChunksLike, kernel: Kernel) -> xr.Dataset:
    grid = pyramid.grid(level)
    division = Division.of(chunks, grid.shape, pyramid.tilesize, pyramid.maxiter_at(level))
    return as_dataset(grid, kernel, division, level_attributes(pyramid, level))
