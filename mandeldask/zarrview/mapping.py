"""A tree as a Mapping from Zarr keys to bytes, for clients that do not support zarr Stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mandeldask.zarrview.cache import DEFAULT_BYTES, TileCache
from mandeldask.zarrview.preparing import prepare_in_notebook
from mandeldask.zarrview.store import warn_of_skipped, zarr_format_of
from mandeldask.zarrview.view import ZarrView

if TYPE_CHECKING:
    from typing import Literal


class ZarrViewMapping(Mapping[str, bytes]):
    """The keys of a ZarrView and their bytes. Iteration and length include metadata documents only."""

    def __init__(self, view: ZarrView) -> None:
        self.view = view

    def __getitem__(self, key: str) -> bytes:
        content = self.view.content_of(key)
        if content is None:
            raise KeyError(key)
        return content

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.view.find(key) is not None

    def __iter__(self) -> Iterator[str]:
        return self.view.list()

    def __len__(self) -> int:
        return sum(1 for _ in self.view.list())


def to_mapping(  # noqa: PLR0913  the options of a view
    tree: Any,
    zarr_format: Literal[2, 3] = 2,
    *,
    cache: TileCache | None = None,
    cache_bytes: int = DEFAULT_BYTES,
    workers: int | None = None,
    strict: bool = False,
    **codecs: Any,
) -> ZarrViewMapping:
    """Return any tree as a Mapping from Zarr keys to bytes, computed when they are read.

    The parameters are those of `mandeldask.to_store`; `key in mapping` computes nothing.

    Examples
    --------
    >>> import numpy as np
    >>> mapping = to_mapping({"a": np.arange(3)})
    >>> sorted(mapping), "a/0" in mapping, "a/1" in mapping
    (['.zattrs', '.zgroup', '.zmetadata', 'a/.zarray', 'a/.zattrs'], True, False)
    """
    cache = TileCache(cache_bytes) if cache is None else cache
    view = ZarrView(tree, zarr_format_of(zarr_format, codecs), cache=cache, workers=workers)
    warn_of_skipped(view, strict=strict)
    prepare_in_notebook(view.root)
    return ZarrViewMapping(view)
