"""An array as a format stores it: zarr-python's metadata for it, and the encoding of its chunks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from zarr.api.asynchronous import create_array
from zarr.codecs import ShardingCodec
from zarr.dtype import VariableLengthBytes
from zarr.storage import MemoryStore

from mandeldask.zarrview.blocks import declared, padded
from mandeldask.zarrview.codecs import LIBRARIES, Encoder, codecs_of, run_apart
from mandeldask.zarrview.identity import digest, is_lasting
from mandeldask.zarrview.keys import chunk_grid
from mandeldask.zarrview.shards import Shard

if TYPE_CHECKING:
    import numpy as np

    from mandeldask.zarrview.nodes import Array

_ENCODING = ("data_type", "dtype", "fill_value", "codecs", "filters", "compressor")
"""Fields of the metadata, of either format, that determine the bytes of a chunk."""


@dataclass(frozen=True, slots=True)
class StoredArray:
    """An array as a format stores it."""

    array: Array
    metadata: Any
    """zarr-python's own metadata object."""
    chunks: tuple[int, ...]
    """Shape of the content of one chunk key: a chunk, or a shard."""
    grid: tuple[int, ...]
    """Number of chunk keys along each dimension."""
    tile: tuple[int, ...]
    """Shape of a tile, which is computed as a unit: a chunk, also one within a shard."""
    encoder: Encoder
    """Encodes a tile."""
    shard: Shard | None
    """Layout of a shard; None if each chunk has its own key."""
    content: str
    """Identity of the elements and of how the format divides and encodes them."""
    identity: str
    """The same, including the versions of the encoding libraries."""

    @classmethod
    def of(cls, array: Array, metadata: Any) -> StoredArray:
        """Return `array` with its metadata."""
        codecs = codecs_of(metadata)
        chunks = tile = array.chunks
        shard = None
        if len(codecs) == 1 and isinstance(codecs[0], ShardingCodec):
            chunks, tile = tuple(metadata.chunk_grid.chunk_shape), tuple(codecs[0].chunk_shape)
            shard = Shard.of(codecs[0], array.shape, chunks)
            codecs = codecs[0].codecs
        document = metadata.to_dict()
        stored_as = [document.get(name) for name in _ENCODING]
        content = digest(array.fingerprint, array.shape, chunks, json.dumps(stored_as, default=str))
        encoder = Encoder.of(metadata, tile, codecs)
        grid = chunk_grid(array.shape, chunks)
        return cls(array, metadata, chunks, grid, tile, encoder, shard, content, digest(content, LIBRARIES))

    @property
    def is_lasting(self) -> bool:
        """Whether `content` is valid in every process and at any time."""
        return is_lasting(self.content)

    def encoded_constant(self, span: tuple[slice, ...]) -> bytes | None:
        """Return the bytes of the tile of the elements `span`, if they are known to have one value; else None."""
        shape = tuple(part.stop - part.start for part in span)
        value = None if self.array.constant is None or shape != self.tile else self.array.constant(span)
        return None if value is None else self.encoder.encode_constant(value)

    def encode(self, block: Any, span: tuple[slice, ...]) -> bytes:
        """Return the bytes of a tile; `block` is the result of the array's `read` for its elements, `span`.

        All encoding is done here. Raises the errors of `declared` if shape or dtype differ from the metadata.
        """
        shape = tuple(span.stop - span.start for span in span)
        spec = self.encoder.spec
        elements = declared(block, shape, spec.dtype.to_native_dtype(), self.array.missing)
        return self.encoder.encode(padded(elements, self.tile, spec.fill_value))


def _check_fields(dtype: np.dtype[Any], number: int) -> None:
    """Raise TypeError if a struct has fields that zarr-python cannot write, or cannot read back."""
    for name in dtype.names or ():
        field: np.dtype[Any] = dtype[name]
        if field.names is not None and number == 3:  # noqa: PLR2004
            _check_fields(field, number)
        elif field.kind not in "biufcSU" or field.subdtype is not None:
            msg = f"Zarr v{number} cannot store an array of dtype {dtype}: its field {name!r} is {field}"
            raise TypeError(msg)


@dataclass(frozen=True)
class _Recipe:
    """Arguments of `zarr.create_array`, as a key of a cache."""

    key: str
    options: dict[str, Any] = field(compare=False)


@lru_cache(maxsize=256)
def _created(recipe: _Recipe) -> Any:
    """Return the metadata, made outside zarr's event loop, which may be the caller (of a store's `repr`)."""
    return run_apart(lambda: create_array(MemoryStore(), **recipe.options)).metadata


def template(array: Array, dtype: np.dtype[Any], number: Literal[2, 3], **options: Any) -> Any:
    """Return zarr-python's metadata object for an array like `array` of `dtype`, whose shape is one chunk or shard.

    zarr-python needs 0.6 ms to make one; arrays that differ only in their shape share it.

    Raises
    ------
    TypeError
        If Zarr, or one of the codecs, does not support the array's dtype.
    ValueError
        If shards are not multiples of chunks.
    """
    _check_fields(dtype, number)
    stored_as: Any = {"T": str, "O": VariableLengthBytes()}.get(dtype.kind, dtype)
    options |= {"shape": options.get("shards") or array.chunks, "chunks": array.chunks}
    options |= {"dtype": stored_as, "zarr_format": number}
    try:
        return _created(_Recipe(repr(sorted(options.items())), options))
    except (KeyError, TypeError, ValueError) as error:
        msg = f"Zarr v{number} cannot store an array of dtype {array.dtype} with these options: {error}"
        raise TypeError(msg) from error
