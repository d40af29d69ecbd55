"""Names of zarrs that are not public: its pipeline, which encodes without zarr-python's event loop."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from zarr.abc.store import Store


def check_installed() -> None:
    """Raise ModuleNotFoundError if zarrs is missing."""
    if find_spec("zarrs") is None:
        msg = "zarr's codec pipeline is set to zarrs, which is missing: pip install 'mandeldask[zarrs]'"
        raise ModuleNotFoundError(msg, name="zarrs")


def pipeline_of(document: str, store: Store) -> Any:
    """Return zarrs' pipeline for the array of a metadata document, which writes to a store.

    Chunks are encoded in the calling thread, without the GIL.
    """
    from zarrs._internal import CodecPipelineImpl  # noqa: PLC0415  an extra

    return CodecPipelineImpl(document, store_config=store, num_threads=1)


def store_chunk(pipeline: Any, key: str, block: NDArray[Any]) -> None:
    """Encode a block and write it under a key; a block of only the fill value is not written."""
    from zarrs._internal import ChunkItem  # noqa: PLC0415  an extra

    whole = tuple(slice(0, size) for size in block.shape)
    pipeline.store_chunks_with_indices([ChunkItem(key, whole, block.shape, whole, block.shape)], block, True)  # noqa: FBT003
