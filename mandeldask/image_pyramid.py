"""pyramid: make the levels of any two- or three-dimensional image as a DataTree, each from the next finer one."""

from __future__ import annotations

from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from mandeldask.images.levels import image_levels
from mandeldask.internals.xarray_names import content_of
from mandeldask.lazy.images import as_data_array, missing_of, tree_of_levels
from mandeldask.zarrview.identity import digest, is_lasting
from mandeldask.zarrview.identity import identity as identity_of
from mandeldask.zarrview.level_storage import levels_cache_in_folder, with_storage

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from typing import Literal

    import xarray as xr


def pyramid(  # noqa: PLR0913  the public names of a pyramid
    array: Any,
    method: Literal["mean", "stride", "mode"] = "mean",
    *,
    axes: Sequence[int | str] | None = None,
    name: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    identity: str | None = None,
) -> xr.DataTree:
    """Return the levels of an array as groups "0" (the array), "1", ..., without computing them.

    Every level is made from the next finer one. Partial results are kept, so that the elements of the array are read
    only once for all levels, in any order of computing. The coarsest level has at most 512 elements along the axes that
    are halved.

    Parameters
    ----------
    array : DataArray, or an array of numpy, dask or zarr
        An array with two or three spatial axes. Its axes come in OME-Zarr's order: time, channels and others, then
        space.
    method : {"mean", "stride", "mode"}
        Means, rounded once from exact sums, half to even, without NaN and missing values (the `_FillValue` of the
        array's attributes or encoding); every second element; or the most frequent value, for labels (if several are,
        the smallest).
    axes : sequence of int or str, optional
        The two or three axes to halve, by position or name; by default the last two that are not channels.
    name : str, optional
        Name of the array in each group; the array's own, or "image".
    cache_dir : str or path, optional
        Folder on a local disk for the partial results of levels, also for later processes; it may be the cache folder
        of a server. Threads of this process use it; other processes of dask do not.
    identity : str, optional
        A name for the content of the array, which must change whenever the content changes. With `cache_dir`, arrays
        that are not in memory need one, because a change of their content cannot be detected otherwise. The path, size
        and time of a file are enough.

    Returns
    -------
    DataTree
        The root has the attributes of OME-Zarr and zarr-conventions for both formats. Rows and columns are named y and
        x, because viewers require it; coordinates keep their names, and can be used for selection. Coordinates along
        halved axes are those of each cell's middle, or of its first element for "stride". Evenly spaced coordinates
        give the scale of the image.

    Raises
    ------
    ValueError
        If the array has fewer than two dimensions, if `axes` or `method` is not valid, or if `cache_dir` is given for
        an array whose content has no name.
    TypeError
        If it is not an array, or if its elements have no mean.

    Examples
    --------
    >>> import numpy as np
    >>> tree = pyramid(np.arange(1500 * 2000, dtype="u4").reshape(1500, 2000))
    >>> tree["2/image"].shape, int(tree["1/image"][0, 0])
    ((375, 500), 1000)
    """
    given = as_data_array(array)
    found = image_levels(given.shape, tuple(map(str, given.dims)), axes, method)
    keep = None if cache_dir is None else partial(with_storage, persistent=levels_cache_in_folder(cache_dir))
    content = digest(_identity(given, identity, lasting=keep is not None), repr(missing_of(given)), found.order)
    return tree_of_levels(given, found, content, name=name, keeping=keep)


def _identity(array: xr.DataArray, given: str | None, *, lasting: bool) -> str:
    """Return the identity of an array's content; if `lasting`, raise ValueError if it is unknown to other processes."""
    if given is not None:
        if not isinstance(given, str) or not given:
            msg = f"identity must be text that names the content of the array, not {given!r}"
            raise ValueError(msg)
        return digest("given", given, array.shape, array.dtype)
    content = content_of(array.variable)
    found = identity_of(content, inf) if lasting else identity_of(content)
    if lasting and not is_lasting(found):
        msg = (
            f"cache_dir needs a name for the content of this array ({type(content).__name__}), because it may "
            "change: pass identity=, such as the path, size and time of the file from which it is read"
        )
        raise ValueError(msg)
    return found
