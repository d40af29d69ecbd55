"""A canary for the private functions of zarr that we use, and encoding with any codec."""

from __future__ import annotations

import gzip
import threading

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.codecs import (
    BloscCodec,
    BytesCodec,
    Crc32cCodec,
    GzipCodec,
    ShardingCodec,
    TransposeCodec,
    ZstdCodec,
)
from zarr.core.codec_pipeline import BatchedCodecPipeline
from zarr.storage import MemoryStore

from mandeldask.zarrview.blocks import padded
from mandeldask.zarrview.codecs import Encoder, SteadyGZip, SteadyGzipCodec, codecs_of, run_here, steady
from mandeldask.zarrview.store import to_store

DATA = np.arange(7 * 9, dtype="i4").reshape(7, 9)
V2_CODECS = {
    "raw": {"compressor": None},
    "gzip": {"compressor": numcodecs.GZip(5)},
    "zlib": {"compressor": numcodecs.Zlib(1)},
    "zstd": {"compressor": numcodecs.Zstd(1)},
    "blosc": {"compressor": numcodecs.Blosc("lz4")},
    "delta": {"compressor": numcodecs.Zstd(1), "filters": [numcodecs.Delta("i4")]},
}
V3_CODECS = {
    "raw": {"compressors": None},
    "gzip": {"compressors": GzipCodec(level=5)},
    "zstd": {"compressors": ZstdCodec(level=1, checksum=True)},
    "blosc": {"compressors": BloscCodec(cname="zstd")},
    "checksum": {"compressors": (Crc32cCodec(),)},
    "transpose": {"filters": (TransposeCodec(order=(1, 0)),)},
    "big-endian": {"serializer": BytesCodec(endian="big")},
    "shards": {"shards": (14, 18), "compressors": ZstdCodec(level=1)},
}


def written(store, zarr_format, codecs):
    """Return an array that zarr itself makes with these codecs, and ours by default."""
    options = {("compressors" if name == "compressor" else name): codec for name, codec in codecs.items()}
    options = {"compressors": GzipCodec(level=1) if zarr_format == 3 else numcodecs.GZip(1)} | options
    fill_value = -1  # not among the elements: zarr leaves chunks of nothing else out
    return zarr.create_array(
        store, shape=(7, 9), chunks=(7, 9), dtype="i4", zarr_format=zarr_format, fill_value=fill_value, **options
    )


CASES = [(2, name, codecs) for name, codecs in V2_CODECS.items()] + [
    (3, name, codecs) for name, codecs in V3_CODECS.items()
]


@pytest.mark.parametrize(
    ("zarr_format", "codecs"), [(f, c) for f, _, c in CASES], ids=[f"v{f}-{n}" for f, n, _ in CASES]
)
def test_any_codec_works_and_documents_name_it(zarr_format, codecs):
    store = to_store({"a": DATA}, zarr_format, **codecs)
    array = zarr.open_group(store, mode="r")["a"]
    np.testing.assert_array_equal(array[...], DATA)
    like = written(MemoryStore(), zarr_format, codecs)
    assert array.compressors == like.compressors
    assert array.filters == like.filters
    assert array.serializer == like.serializer


@pytest.mark.parametrize(
    ("zarr_format", "codecs"), [(f, c) for f, _, c in CASES], ids=[f"v{f}-{n}" for f, n, _ in CASES]
)
def test_bytes_are_those_that_zarr_writes(zarr_format, codecs):
    """All but gzip's header, in which zarr writes the time of day."""
    memory = MemoryStore()
    array = written(memory, zarr_format, codecs)
    array[...] = DATA
    store = to_store(DATA, zarr_format, **codecs)
    (key,) = [key for key in memory._store_dict if not key.startswith((".z", "zarr.json"))]
    theirs, ours = memory._store_dict[key].to_bytes(), store.get_sync("c/0/0" if zarr_format == 3 else "0/0").to_bytes()
    if "gzip" in str(array.compressors).lower():
        theirs, ours = gzip.decompress(theirs), gzip.decompress(ours)
    assert ours == theirs


def test_gzip_does_not_depend_on_the_time_of_day(monkeypatch):
    results = set()
    for now in (0.0, 1e9):
        monkeypatch.setattr("time.time", lambda now=now: now)
        results |= {to_store(DATA, f).get_sync("c/0/0" if f == 3 else "0/0").to_bytes() for f in (2, 3)}
    assert len(results) == 1


def test_every_gzip_is_made_steady_wherever_it_is():
    assert isinstance(steady(GzipCodec(level=3)), SteadyGzipCodec)
    assert steady(GzipCodec(level=3)).level == 3
    assert isinstance(steady(numcodecs.GZip(4)), SteadyGZip)
    nested = steady(ShardingCodec(chunk_shape=(2,), codecs=(BytesCodec(), GzipCodec(level=2))))
    assert isinstance(nested.codecs[1], SteadyGzipCodec)
    assert steady(ZstdCodec(level=1)) == ZstdCodec(level=1)


def encoder(**options):
    array = zarr.create_array(MemoryStore(), shape=(4, 6), chunks=(4, 6), dtype="f4", **options)
    return Encoder.of(array.metadata, (4, 6), codecs_of(array.metadata))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_is_encoded_decodes(zarr_format):
    codec = encoder(zarr_format=zarr_format)
    block = np.linspace(0, 1, 24, dtype="f4").reshape(4, 6)
    np.testing.assert_array_equal(codec.decode(codec.encode(block)), block)
    assert codec.accepts(codec.encode(block))
    assert not codec.accepts(codec.encode(block)[:-3])
    assert not codec.accepts(b"")


def test_lengths_are_known_where_codecs_keep_them():
    assert encoder(compressors=None).length == 96
    assert encoder(compressors=Crc32cCodec()).length == 100
    assert encoder(compressors=GzipCodec()).length is None
    assert encoder(zarr_format=2, compressors=None).length is None  # zarr does not say


def test_encoding_stays_in_its_thread():
    """zarr's codecs hop to a thread of the loop's pool; ours is the thread itself."""
    threads = []

    class Watching(GzipCodec):
        def _encode_sync(self, chunk_bytes, chunk_spec):
            threads.append(threading.current_thread())
            return super()._encode_sync(chunk_bytes, chunk_spec)

    codec = encoder(compressors=None)
    watched = Encoder(BatchedCodecPipeline.from_codecs([*codec.pipeline, Watching(level=1)]), codec.spec)
    watched.encode(np.zeros((4, 6), "f4"))
    assert threads == [threading.current_thread()]


def test_errors_of_work_reach_the_caller():
    async def fail():
        msg = "no"
        raise OSError(msg)

    with pytest.raises(OSError, match="no"):
        run_here(fail())


def test_padding_fills_the_rest_of_a_chunk():
    block = padded(np.ones((2, 1), "u1"), (3, 2), 9)
    assert block.tolist() == [[1, 9], [1, 9], [9, 9]]
    assert padded(np.array(["a"]), (2,), None).tolist() == ["a", ""]
    whole = np.ones((3, 2))
    assert padded(whole, (3, 2), 0) is whole
