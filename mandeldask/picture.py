"""Draw pictures of fields: palettes of the viewer or colormaps of matplotlib, with the inside of the set in black."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.colors import Colormap
    from numpy.typing import ArrayLike, NDArray
    from PIL.Image import Image

STEPS = 1024
"""Number of colours of a palette."""

_PER_TURN = 2
"""Increase of the fourth root of (value + 1) in one turn of the palette: counts 0 to 80, to 624, ..."""

MAX_PIXELS = 2**28
"""Greatest number of pixels of a picture, so that whole levels are not drawn by mistake."""


def render(
    array: ArrayLike,
    cmap: str | Colormap = "ember",
    *,
    maxiter: int | None = None,
    unit: float = 1.0,
) -> Image:
    """Return the picture of one field, one pixel for each element.

    The palettes are those of the viewer page. Colours follow the fourth root of the value, so that bands are of similar
    width at all depths. The page, in contrast, adapts its colours to the visible values.

    Parameters
    ----------
    array : DataArray or array_like, shape (height, width)
        Escape counts, smooth escape times or distances. dask arrays are computed; fields stored in steps of a
        tolerance (CF's ``scale_factor``) are unpacked.
    cmap : str or matplotlib Colormap
        One of `palettes`, or a matplotlib colormap or its name (used forwards and backwards, so that it has no seam).
    maxiter : int, optional
        Values of at least this, and NaN, are inside the set and black. By default the array's attribute ``maxiter``;
        without it the greatest value of an unsigned dtype, or no limit for other dtypes.
    unit : float
        Value that corresponds to one iteration; for distances the spacing of the pixels.

    Returns
    -------
    PIL.Image.Image
        Mode RGB, size (width, height).

    Raises
    ------
    ValueError
        If the array is not two-dimensional or has more than `MAX_PIXELS` pixels, or if `cmap` names no palette.
    TypeError
        If `cmap` is neither a name nor a Colormap, or if the elements are not real numbers.
    ModuleNotFoundError
        If Pillow is not installed, or matplotlib although `cmap` needs it; the message names the extra.

    Examples
    --------
    >>> render(np.array([[0, 5], [80, 255]], np.uint8)).getpixel((1, 1))
    (0, 0, 0)
    """
    colours = lookup_table(cmap)
    shape = np.shape(array)
    if len(shape) != 2 or shape[0] * shape[1] > MAX_PIXELS:  # noqa: PLR2004  rows and columns
        msg = f"array must be (height, width) of at most {MAX_PIXELS} pixels, not of shape {shape}"
        raise ValueError(msg)
    values = np.asarray(array)
    if values.dtype.kind not in "buif":
        msg = f"array must have real numbers, not {values.dtype}"
        raise TypeError(msg)
    cap = inside_of(array, values.dtype) if maxiter is None else maxiter
    values = unpacked(values, getattr(array, "attrs", {}))
    picture: Image = pillow().fromarray(paint(values, colours, inside=cap, unit=unit))
    return picture


def palettes() -> Sequence[str]:
    """Return the names of the built-in palettes; the first is the default."""
    return tuple(_anchors())


def paint(
    values: NDArray[Any], colours: NDArray[np.uint8], *, inside: float = np.inf, unit: float = 1.0
) -> NDArray[np.uint8]:
    """Return RGB bytes, shape ``(*values.shape, 3)``, for values, by a table of `STEPS` colours.

    Values below -1, which `smooth` has far outside the set, get the colour of -1. It uses only
    square roots, sums and products, which IEEE 754 rounds identically on every machine.
    """
    outside = values < inside  # False for NaN
    scaled = np.where(outside, values, 0).astype(np.float64) / unit
    turned = (np.sqrt(np.sqrt(np.maximum(scaled + 1.0, 0.0))) - 1.0) * (STEPS // _PER_TURN)
    steps = np.floor(turned).astype(np.int64) % STEPS
    picture = colours[steps]
    picture[~outside] = 0
    return picture


def lookup_table(cmap: str | Colormap) -> NDArray[np.uint8]:
    """Return the colours of one turn of a palette, uint8 of shape (`STEPS`, 3)."""
    if isinstance(cmap, str) and cmap in _anchors():
        return _between(_anchors()[cmap])
    if not isinstance(cmap, str) and not callable(cmap):
        msg = f"cmap must be one of {', '.join(_anchors())}, or a colormap of matplotlib or its name, not {cmap!r}"
        raise TypeError(msg)
    forth_and_back = 1 - np.abs(np.linspace(-1, 1, STEPS, endpoint=False))
    table: NDArray[np.uint8] = _matplotlib_cmap(cmap)(forth_and_back, bytes=True)[:, :3]
    return table


def _between(anchors: Sequence[str]) -> NDArray[np.uint8]:
    """Interpolate colours ``#rrggbb`` on a ring: after the last comes the first."""
    colours = np.array([[int(text[at : at + 2], 16) for at in (1, 3, 5)] for text in anchors], np.float64)
    positions = np.arange(STEPS) * len(colours) / STEPS
    before = positions.astype(np.int64)
    part = (positions - before)[:, None]
    after = (before + 1) % len(colours)
    return np.floor(colours[before] + (colours[after] - colours[before]) * part + 0.5).astype(np.uint8)


@cache
def _anchors() -> Mapping[str, Sequence[str]]:
    text = (files("mandeldask") / "web" / "viewer" / "palettes.json").read_text("utf-8")
    anchors: Mapping[str, Sequence[str]] = json.loads(text)
    return anchors


def unpacked(values: NDArray[Any], attrs: Mapping[Any, Any]) -> NDArray[Any]:
    """Return `values`, unpacked by CF's attributes; fields with a tolerance are stored packed."""
    if "scale_factor" not in attrs or values.dtype.kind not in "iu":
        return values
    unpacked = values * float(attrs["scale_factor"]) + float(attrs.get("add_offset", 0.0))
    unpacked[values == attrs.get("_FillValue")] = np.nan
    return unpacked


def inside_of(array: object, dtype: np.dtype[Any]) -> float:
    """Return the smallest value of pixels inside the set, from the array's attributes or its dtype."""
    attrs = getattr(array, "attrs", {})
    if "maxiter" in attrs:
        return int(attrs["maxiter"])
    return float(np.iinfo(dtype).max) if dtype.kind == "u" else np.inf


def _matplotlib_cmap(cmap: str | Colormap) -> Colormap:
    try:
        import matplotlib as mpl  # noqa: PLC0415  only for matplotlib's colormaps
    except ModuleNotFoundError as error:
        msg = f"cmap {cmap!r} needs matplotlib: pip install 'mandeldask[render]', or use {', '.join(_anchors())}"
        raise ModuleNotFoundError(msg, name=error.name) from error
    if not isinstance(cmap, str):
        return cmap
    try:
        return mpl.colormaps[cmap]
    except KeyError as error:
        msg = f"cmap must be one of {', '.join(_anchors())} or a colormap of matplotlib, not {cmap!r}"
        raise ValueError(msg) from error


def pillow() -> Any:
    """Return Pillow's module Image; raise ModuleNotFoundError that names the extra if it is not installed."""
    try:
        from PIL import Image  # noqa: PLC0415  an optional extra
    except ModuleNotFoundError as error:
        msg = "rendering needs Pillow: pip install 'mandeldask[render]'"
        raise ModuleNotFoundError(msg, name=error.name) from error
    return Image
