"""Initial display of the channels of an image: colours, and contrast limits from its data."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mandeldask.images.downsampling import present
from mandeldask.images.levels import axis_type
from mandeldask.multiscales import Channel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mandeldask.images.halving import Source
    from mandeldask.images.levels import ImageLevels

PLANE_BYTES: Final = 2**26
"""Size in bytes of the largest plane whose coarsest level is computed for the limits; larger planes are sampled."""

PERCENTILES: Final = (0.5, 99.5)
"""Percentiles that are shown as black and white at first."""

MOST_CHANNELS: Final = 16
"""Largest number of channels for which display settings are written."""

COLORS: Final = ("FF0000", "00FF00", "0000FF", "FFFFFF", "00FFFF", "FF00FF", "FFFF00", "FF8000")
"""Colours of channels, in order; red, green and blue of a picture come first."""

_ALPHA, _RGBA = 3, ("c", "rgba")
"""Index of the opacity channel of a colour picture, and the name of the channel axis."""

_HEXADECIMAL = re.compile(r"[0-9A-F]{6}", re.IGNORECASE)

Limits = tuple[tuple[float, float], tuple[float, float]]
"""The initial limits (black, white), and the smallest and largest limits that a user can choose."""

_SAMPLES, _SIDE = 3, 256
"""For large planes: number of samples along each axis, and number of elements along each side of a sample."""


def channels_of(
    levels: ImageLevels,
    finest: Source,
    coarsest: Source,
    name: str,
    described: Mapping[int, Mapping[str, Any]] | None = None,
) -> list[Channel]:
    """Return the display settings of each channel; empty if elements have no order, or if there are too many channels.

    Parameters
    ----------
    levels : ImageLevels
        Names and sizes of the axes.
    finest, coarsest : Source
        The first level and the last.
    name : str
        Label of an image without channels.
    described : mapping, optional
        Channel metadata of a file, by channel number: "label", and "color" as six hexadecimal digits.
    """
    axis = next((at for at, dim in enumerate(levels.dims) if axis_type(dim) == "channel"), None)
    count = 1 if axis is None else levels.shape[axis]
    if finest.dtype.kind not in "buif" or count > MOST_CHANNELS or not all(levels.shape):
        return []
    if axis is None:
        return [Channel(name, *_limits(levels, finest, coarsest, {}))]
    known = [(described or {}).get(at, {}) for at in range(count)]
    alpha = _ALPHA if _is_rgba(levels, axis, finest.dtype) and not any(known) else None
    return [
        Channel(
            "alpha" if at == alpha else str(known[at].get("label") or f"{levels.dims[axis]} {at}"),
            *_limits(levels, finest, coarsest, {axis: at}),
            _color(known[at].get("color")) or COLORS[at % len(COLORS)],
            active=at != alpha,  # viewers would add it as a fourth colour
        )
        for at in range(count)
    ]


def _is_rgba(levels: ImageLevels, axis: int, dtype: np.dtype[Any]) -> bool:
    """Return whether an array is (..., rows, columns, 4) bytes: a picture whose last channel is opacity."""
    is_last = levels.order[axis] == len(levels.order) - 1
    return is_last and levels.shape[axis] == _ALPHA + 1 and dtype == np.uint8 and levels.dims[axis] in _RGBA


def _color(text: Any) -> str | None:
    return text if isinstance(text, str) and _HEXADECIMAL.fullmatch(text) else None


def _limits(levels: ImageLevels, finest: Source, coarsest: Source, fixed: Mapping[int, int]) -> Limits:
    """Return the limits of one channel."""
    dtype = finest.dtype
    if dtype.kind == "b" or dtype == np.uint8:
        most = 1 if dtype.kind == "b" else 255
        return (0, most), (0, most)
    values = _sampled(finest, coarsest, fixed)
    if not values.size:
        return (0, 1), (0, 1)
    least, most = values.min(), values.max()
    start, end = (least, most) if levels.method == "mode" else np.percentile(values, PERCENTILES)
    limits = _plain(start, dtype), _plain(end if end > start else start + 1, dtype)
    if dtype.itemsize <= 2 and dtype.kind in "ui":  # noqa: PLR2004  few enough values to see all of them
        info = np.iinfo(dtype)
        return limits, (int(info.min), int(info.max))
    return limits, (min(_plain(least, dtype), limits[0]), max(_plain(most, dtype), limits[1]))


def _sampled(finest: Source, coarsest: Source, fixed: Mapping[int, int]) -> NDArray[Any]:
    """Return elements of the plane that viewers show first: its coarsest level, or samples of it."""
    height, width = finest.shape[-2:]
    if height * width * finest.dtype.itemsize <= PLANE_BYTES:
        return _finite(coarsest, _plane(coarsest.shape, fixed))
    *before, _, _ = _plane(finest.shape, fixed)
    starts = [
        [max(0, (2 * n + 1) * size // (2 * _SAMPLES) - _SIDE // 2) for n in range(_SAMPLES)] for size in (height, width)
    ]
    looks = [
        _finite(finest, (*before, slice(top, min(top + _SIDE, height)), slice(left, min(left + _SIDE, width))))
        for top, left in product(*starts)
    ]
    return np.concatenate(looks)


def _plane(shape: tuple[int, ...], fixed: Mapping[int, int]) -> tuple[slice, ...]:
    """Return the window of the middle plane of a channel."""
    middle = [fixed.get(axis, size // 2) for axis, size in enumerate(shape[:-2])]
    return (*(slice(at, at + 1) for at in middle), *(slice(0, size) for size in shape[-2:]))


def _finite(source: Source, window: tuple[slice, ...]) -> NDArray[Any]:
    block = source.read(window)
    values: NDArray[Any] = block[present(block, source.missing) & np.isfinite(block)]
    return values


def _plain(value: Any, dtype: np.dtype[Any]) -> float:
    """Return a number as a JSON type."""
    return float(value) if dtype.kind == "f" else round(float(value))
