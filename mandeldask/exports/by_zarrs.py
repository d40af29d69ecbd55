"""Encoding of chunks with zarrs, the Zarr library in Rust, if zarr's configuration selects its pipeline."""

from __future__ import annotations

import atexit
import itertools
import json
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.storage import LocalStore

from mandeldask.internals.zarrs_names import check_installed, pipeline_of, store_chunk
from mandeldask.zarrview.blocks import only_value
from mandeldask.zarrview.codecs import Encoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.zarrview.stored_array import StoredArray

PIPELINE = "zarrs.ZarrsCodecPipeline"
"""Value of ``codec_pipeline.path`` in `zarr.config` that selects zarrs."""

_MEMORY = Path("/dev/shm")  # noqa: S108  in a private folder
"""Folder in memory, if the system has one, for files that zarrs writes and that are read back at once."""


def encoded_by_zarrs(stored: StoredArray) -> StoredArray:
    """Return `stored` with chunks encoded by zarrs, if zarr's configuration selects zarrs and zarrs supports the array.

    `stored` is returned unchanged if it has Zarr format 2, if its elements are not numbers, or if a test block that
    zarrs encodes does not decode to the same bytes.

    Raises
    ------
    ModuleNotFoundError
        If zarrs is selected but not installed; the message names the extra.
    """
    if zarr.config.get("codec_pipeline.path") != PIPELINE or stored.metadata.zarr_format != 3:  # noqa: PLR2004
        return stored
    check_installed()
    document = stored.metadata.to_dict()
    if stored.shard is not None:
        document["codecs"] = document["codecs"][0]["configuration"]["codecs"]
    document["shape"] = document["chunk_grid"]["configuration"]["chunk_shape"] = stored.tile
    encoder = ZarrsEncoder(stored.encoder.pipeline, stored.encoder.spec, document=json.dumps(document))
    return replace(stored, encoder=encoder) if encoder.agrees() else stored


@dataclass(frozen=True, slots=True)
class ZarrsEncoder(Encoder):
    """Encodes chunks with zarrs, sometimes faster than zlib; the bytes may differ from those of zlib."""

    document: str = ""
    """Metadata, as JSON, of an array of one chunk."""

    def agrees(self) -> bool:
        """Return whether a block that zarrs encoded decodes to the same bytes."""
        dtype, shape = self.spec.dtype.to_native_dtype(), self.spec.shape
        if dtype.kind not in "iuf" or 0 in shape:
            return False
        block = (np.arange(np.prod(shape)) % 251).astype(dtype).reshape(shape)
        try:
            return self.decode(self.encode(block)).tobytes() == block.tobytes()
        except (ImportError, ValueError, TypeError, RuntimeError, OSError):  # of zarrs, or of the decoding codecs
            return False

    def encode(self, block: NDArray[Any]) -> bytes:
        """Return the encoded bytes of a block of the chunk's full shape, in C order.

        Blocks of one value are encoded by `Encoder`, which caches them.
        """
        if only_value(block) is not None:  # zarrs does not write chunks that have only the fill value
            return Encoder.encode(self, block)
        return _through(self.document, os.getpid()).encoded(block)


@dataclass(frozen=True, slots=True)
class _Through:
    """zarrs' pipeline for one metadata document.

    It writes only to stores, so a file is written, read back and removed.
    """

    pipeline: Any
    folder: Path

    def encoded(self, block: NDArray[Any]) -> bytes:
        file = self.folder / f"{threading.get_ident()}-{next(_numbers)}"
        try:
            store_chunk(self.pipeline, file.name, block)
            return file.read_bytes()
        finally:
            file.unlink(missing_ok=True)


_numbers = itertools.count()


@lru_cache(maxsize=64)
def _through(document: str, process: int) -> _Through:
    folder = _folder(process)
    return _Through(pipeline_of(document, LocalStore(folder)), folder)


@lru_cache(maxsize=1)
def _folder(process: int) -> Path:
    """Return a folder that only this process uses; it is removed when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="mandeldask-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None))
    atexit.register(_remove, folder, process)
    return folder


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # not in a forked child
        shutil.rmtree(folder, ignore_errors=True)
