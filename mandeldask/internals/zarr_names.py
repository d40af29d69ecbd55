"""Names of zarr-python that are not public."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zarr.codecs._v2 import V2Codec
from zarr.core.array_spec import ArrayConfig, ArraySpec
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.core.codec_pipeline import BatchedCodecPipeline
from zarr.core.sync import sync

if TYPE_CHECKING:
    from zarr.abc.store import Store

__all__ = [
    "ArrayConfig",
    "ArraySpec",
    "BatchedCodecPipeline",
    "Buffer",
    "BufferPrototype",
    "V2Codec",
    "default_buffer_prototype",
    "encode_in_this_thread",
    "opened",
    "sync",
]


def encode_in_this_thread(codec: Any, content: Any, spec: Any) -> Any:
    """Return a Buffer encoded by `codec`, without the event loop of its public method."""
    return codec._encode_sync(content, spec)  # noqa: SLF001


def opened(store: Store) -> Store:
    """Return `store`, opened: some stores open themselves on the first write, but not on a read."""
    sync(store._open())  # noqa: SLF001
    return store
