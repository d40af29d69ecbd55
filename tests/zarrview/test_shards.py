"""Shards: read through zarr, in parts and whole; only what is needed is computed."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.codecs import BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, ZstdCodec

from mandeldask.zarrview.byte_requests import requested
from mandeldask.zarrview.store import to_store
from zarrview.patterns import Counted

DATA = np.arange(37 * 53, dtype="u2").reshape(37, 53)
COMPRESSORS = pytest.mark.parametrize(
    "compressors", ["default", None, ZstdCodec(level=1), (GzipCodec(level=2), Crc32cCodec())], ids=str
)


def sharded(compressors="default", source=None, **options):
    source = Counted(DATA) if source is None else source
    options = {"shards": (16, 32)} | options
    return to_store(source.node((8, 8)), 3, compressors=compressors, **options)


@COMPRESSORS
def test_zarr_reads_shards_and_windows_of_them(compressors):
    store = sharded(compressors)
    array = zarr.open_array(store, mode="r")
    assert (array.shards, array.chunks) == ((16, 32), (8, 8))
    np.testing.assert_array_equal(array[9:12, 9:45], DATA[9:12, 9:45])
    np.testing.assert_array_equal(array[...], DATA)
    assert store.view.find("c/2/1") is not None
    assert store.view.find("c/3/0") is None


@COMPRESSORS
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(start=st.integers(0, 5000), length=st.integers(0, 5000), kind=st.sampled_from(["range", "offset", "suffix"]))
def test_parts_of_a_shard_are_those_of_its_bytes(compressors, start, length, kind):
    kinds = {
        "range": RangeByteRequest(start, start + length),
        "offset": OffsetByteRequest(start),
        "suffix": SuffixByteRequest(length),
    }
    store = sharded(compressors)
    for key in ("c/0/0", "c/2/1"):
        want = requested(sharded(compressors).get_sync(key).to_bytes(), kinds[kind])
        assert store.get_sync(key, byte_range=kinds[kind]).to_bytes() == want
        assert asyncio.run(sharded(compressors).get(key, None, kinds[kind])).to_bytes() == want


def test_where_chunks_keep_their_length_the_index_costs_nothing_and_a_range_one_chunk():
    source = Counted(DATA)
    store = sharded(None, source)
    store.get_sync("c/0/0", byte_range=SuffixByteRequest(8 * 16 + 4))
    assert source.windows == []
    zarr.open_array(store, mode="r")[0:8, 8:16]
    assert source.windows == [(slice(0, 8), slice(8, 16))]


def test_where_they_do_not_each_chunk_is_computed_once():
    source = Counted(DATA)
    store = sharded("default", source)
    array = zarr.open_array(store, mode="r")
    for row in range(0, 16, 4):
        np.testing.assert_array_equal(array[row : row + 4, :32], DATA[row : row + 4, :32])
    assert len(source.windows) == 8


def test_the_chunks_of_a_shard_are_computed_at_the_same_time():
    source = Counted(DATA)
    meeting = threading.Barrier(8, timeout=60)  # of all eight chunks; one after another, they would never meet

    def read(window):
        meeting.wait()
        return source(window)

    store = to_store(replace(source.node((8, 8)), read=read), 3, shards=(16, 32), workers=8)
    assert asyncio.run(store.get("c/0/0")) is not None


async def test_giving_a_shard_up_gives_its_chunks_up():
    source = Counted(DATA, seconds=200)
    task = asyncio.create_task(sharded("default", source).get("c/0/0"))
    await asyncio.to_thread(source.started.wait)
    task.cancel()
    assert await asyncio.to_thread(source.stopped.wait, 60)


async def test_an_error_in_one_chunk_is_the_shards():
    source = Counted(DATA)
    source.error = OSError("no")
    with pytest.raises(OSError, match="no"):
        await sharded("default", source).get("c/0/0")


@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("inner", [(8, 8), (4, 2)])
async def test_a_sharding_codec_of_ones_own_works(location, inner):
    codecs = [BytesCodec(), GzipCodec(level=1)]
    codec = ShardingCodec(chunk_shape=inner, codecs=codecs, index_location=location)
    store = to_store(Counted(DATA).node((8, 8)), 3, serializer=codec, compressors=None)
    np.testing.assert_array_equal(zarr.open_array(store, mode="r")[...], DATA)
    raw = (await store.get("c/4/6")).to_bytes()
    assert (await store.get("c/4/6", None, SuffixByteRequest(7))).to_bytes() == raw[-7:]


def test_arrays_that_shards_do_not_fit_are_not_sharded():
    tree = {"a": Counted(DATA).node((8, 8)), "b": np.arange(3), "c": Counted(DATA).node((7, 8))}
    group = zarr.open_group(to_store(tree, shards=(16, 32)), mode="r")
    assert [group[name].shards for name in "abc"] == [(16, 32), None, None]
    group = zarr.open_group(to_store(tree, shards=24), mode="r")
    assert [group[name].shards for name in "abc"] == [(24, 24), (24,), None]
    np.testing.assert_array_equal(group["a"][...], DATA)
    np.testing.assert_array_equal(group["b"][...], np.arange(3))
