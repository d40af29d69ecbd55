"""Codecs of a server's chunks: by a name for both formats, or given for each format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numcodecs
from zarr.codecs import BloscCodec, ZstdCodec

from mandeldask.zarrview.store import zarr_format_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mandeldask.zarrview.formats import Format

CODECS: Mapping[str, Callable[[], Mapping[int, Mapping[str, Any]]]] = {
    "gzip": lambda: {2: {}, 3: {}},
    "blosc": lambda: {2: {"compressor": numcodecs.Blosc()}, 3: {"compressors": BloscCodec()}},
    "zstd": lambda: {2: {"compressor": numcodecs.Zstd(level=3)}, 3: {"compressors": ZstdCodec(level=3)}},
    "none": lambda: {2: {"compressor": None}, 3: {"compressors": None}},
}
"""Codecs by name: browsers decode gzip themselves; some viewers know blosc only."""


def formats_of(codecs: str | Mapping[int, Mapping[str, Any]]) -> dict[int, Format]:
    """Return the Zarr formats of a server, by number, with the given codecs.

    Parameters
    ----------
    codecs : {"gzip", "blosc", "zstd", "none"} or mapping
        A name, or for each of 2 and 3 the codecs that `mandeldask.to_store` takes in that format.

    Raises
    ------
    ValueError
        If the name or the format is unknown.
    TypeError
        If the codecs are not valid for the format.

    Examples
    --------
    >>> formats_of("none")[3].compressors is None
    True
    """
    if isinstance(codecs, str):
        if codecs not in CODECS:
            msg = f"codecs must be one of {', '.join(CODECS)}, or codecs for 2 and 3, not {codecs!r}"
            raise ValueError(msg)
        codecs = CODECS[codecs]()
    elif not isinstance(codecs, Mapping) or not set(codecs) <= {2, 3}:
        msg = f"codecs must be one of {', '.join(CODECS)}, or codecs for 2 and 3, not {codecs!r}"
        raise ValueError(msg)
    return {number: zarr_format_of(number, dict(codecs.get(number, {}))) for number in (2, 3)}
