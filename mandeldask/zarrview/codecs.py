"""Encoding of chunks by zarr's own codecs, in the calling thread.

This is the only module that uses zarr's codec code below its public functions; tests/zarrview/test_codecs.py checks it.
"""

from __future__ import annotations

import asyncio
import gzip
import math
import threading
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numcodecs
import numpy as np
import zarr
from numcodecs.gzip import GZip
from zarr.codecs import GzipCodec, ShardingCodec
from zarr.dtype import UInt64

from mandeldask.internals.zarr_names import (
    ArrayConfig,
    ArraySpec,
    BatchedCodecPipeline,
    V2Codec,
    default_buffer_prototype,
    encode_in_this_thread,
)
from mandeldask.zarrview.blocks import only_value

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from numpy.typing import NDArray

    from mandeldask.internals.zarr_names import Buffer

LIBRARIES = f"zarr {zarr.__version__}, numcodecs {numcodecs.__version__}, zlib {zlib.ZLIB_RUNTIME_VERSION}"
"""Versions of libraries on which the bytes of an encoded chunk also depend."""


class SteadyGzipCodec(GzipCodec):
    """zarr's gzip codec, without the time of day in its header: equal chunks have equal bytes."""

    def _encode_sync(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer | None:
        raw = gzip.compress(chunk_bytes.as_numpy_array().data, self.level, mtime=0)
        return chunk_spec.prototype.buffer.from_bytes(raw)

    async def _encode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer | None:
        return self._encode_sync(chunk_bytes, chunk_spec)


class SteadyGZip(GZip):  # type: ignore[misc]
    """numcodecs' gzip codec, without the time of day in its header."""

    def encode(self, buf: Any) -> bytes:
        """Return the compressed bytes of `buf`."""
        return gzip.compress(numcodecs.compat.ensure_contiguous_ndarray(buf), self.level, mtime=0)


def steady(codec: Any) -> Any:
    """Return `codec` with every gzip in it replaced by one of the same format whose bytes do not change with time."""
    if isinstance(codec, GzipCodec):
        return SteadyGzipCodec(level=codec.level)
    if isinstance(codec, GZip):
        return SteadyGZip(codec.level)
    if isinstance(codec, tuple):
        return tuple(map(steady, codec))
    if is_dataclass(codec) and not isinstance(codec, type):
        nested = {
            item.name: getattr(codec, item.name)
            for item in fields(codec)
            if item.name in {"codecs", "filters", "compressor"} and getattr(codec, item.name) is not None
        }
        return replace(codec, **{name: steady(value) for name, value in nested.items()}) if nested else codec
    return codec


class _HereExecutor(ThreadPoolExecutor):
    """Runs each submitted call at once, in the submitting thread.

    zarr's codecs call `asyncio.to_thread`; switching to a thread of a pool costs more than gzip does, and pools that
    wait for each other deadlock.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  belongs to the caller that waits
            future.set_exception(error)
        return future


class _Loop:
    """An event loop that is closed when its thread ends."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_default_executor(_HereExecutor(1))

    def __del__(self) -> None:
        self.loop.close()


class _Own(threading.local):
    """The loop of each thread that encodes."""

    def __init__(self) -> None:
        self.owner = _Loop()


_own = _Own()


def run_here(work: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of `work`, run to its end in this thread, which must not be running an event loop."""
    return _own.owner.loop.run_until_complete(work)


def run_apart(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Return the result of the coroutine from `work`; in a separate thread if an event loop runs in this one."""
    if not in_loop():
        return run_here(work())
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(lambda: run_here(work())).result()


def in_loop() -> bool:
    """Return whether an event loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


_MOST_CONSTANTS = 256
"""Number of encoded uniform blocks that an encoder keeps; together they must take less memory than one block."""

_SMALL = 1 << 16
"""Bytes that they may take in any case."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """Encodes chunks of one shape and dtype as bytes, and decodes them."""

    pipeline: BatchedCodecPipeline
    spec: ArraySpec
    _constants: dict[bytes, bytes] = field(default_factory=dict, compare=False, repr=False)
    """Encoded uniform blocks, by the bytes of their value: each is encoded once."""

    @classmethod
    def of(cls, metadata: Any, shape: tuple[int, ...], codecs: Iterable[Any]) -> Encoder:
        """Return the encoder for chunks of `shape` of the array whose metadata is zarr's object `metadata`."""
        return cls._of(metadata.dtype, metadata.fill_value, shape, codecs)

    @classmethod
    def of_index(cls, counts: tuple[int, ...], codecs: Iterable[Any]) -> Encoder:
        """Return the encoder of a shard's index: offset and length of each of `counts` chunks."""
        return cls._of(UInt64(endianness="little"), 2**64 - 1, (*counts, 2), codecs)

    @classmethod
    def _of(cls, dtype: Any, fill_value: Any, shape: tuple[int, ...], codecs: Iterable[Any]) -> Encoder:
        config = ArrayConfig.from_dict({"order": "C", "write_empty_chunks": True})
        spec = ArraySpec(shape, dtype, fill_value, config, default_buffer_prototype())
        steps = tuple(steady(codec).evolve_from_array_spec(spec) for codec in codecs)
        return cls(BatchedCodecPipeline.from_codecs(steps), spec)

    def encode(self, block: NDArray[Any]) -> bytes:
        """Return the bytes of a block of the chunk's full shape, in C order, in this thread."""
        value = only_value(block)
        if value is None:
            return self._encoded(block)
        raw = self._constants.get(value)
        return self._kept(value, self._encoded(block), block.nbytes) if raw is None else raw

    def encode_constant(self, value: Any) -> bytes:
        """Return the bytes of a block of the chunk's full shape whose elements are all `value`."""
        dtype = self.spec.dtype.to_native_dtype()
        raw = self._constants.get(np.array(value, dtype).tobytes())
        return self.encode(np.full(self.spec.shape, value, dtype)) if raw is None else raw

    def _kept(self, value: bytes, raw: bytes, nbytes: int) -> bytes:
        """Return the encoded uniform block; it is kept if it needs little memory."""
        if len(self._constants) < _MOST_CONSTANTS and len(raw) * _MOST_CONSTANTS <= max(nbytes, _SMALL):
            self._constants[value] = raw
        return raw

    def _encoded(self, block: NDArray[Any]) -> bytes:
        array = self.spec.prototype.nd_buffer.from_ndarray_like(cast("Any", block))
        encoded = self._encoded_at_once(array) or next(iter(run_here(self.pipeline.encode([(array, self.spec)]))))
        return bytes(encoded.to_bytes())

    def _encoded_at_once(self, content: Any) -> Any:
        """Return the encoded Buffer if every codec can encode without an event loop, which would cost 0.1 ms."""
        steps: tuple[Any, ...] = tuple(self.pipeline)
        if not all(hasattr(codec, "_encode_sync") and not isinstance(codec, ShardingCodec) for codec in steps):
            return None
        spec = self.spec
        for codec in steps:
            content, spec = encode_in_this_thread(codec, content, spec), codec.resolve_metadata(spec)
        return content

    def decode(self, raw: bytes) -> NDArray[Any]:
        """Return the block that `encode` encoded as `raw`; raises the error of the codecs if `raw` is damaged."""
        (decoded,) = run_here(self.pipeline.decode([(self.spec.prototype.buffer.from_bytes(raw), self.spec)]))
        return np.asarray(decoded.as_numpy_array())

    def accepts(self, raw: bytes) -> bool:
        """Return whether `raw` decodes to a block of the chunk's shape."""
        try:
            return self.decode(raw).shape == self.spec.shape
        except Exception:  # noqa: BLE001  each codec raises other errors for damaged bytes
            return False

    @property
    def length(self) -> int | None:
        """Number of bytes of every chunk; None if it depends on the elements."""
        if not all(getattr(codec, "is_fixed_size", False) for codec in self.pipeline):  # text has no such attribute
            return None
        itemsize = self.spec.dtype.to_native_dtype().itemsize
        return self.pipeline.compute_encoded_size(math.prod(self.spec.shape) * itemsize, self.spec)


def codecs_of(metadata: Any) -> tuple[Any, ...]:
    """Return the codecs of an array's metadata (zarr's object of either format) as v3 codecs."""
    if metadata.zarr_format == 2:  # noqa: PLR2004
        return (V2Codec(filters=metadata.filters, compressor=metadata.compressor),)
    return tuple(metadata.codecs)
