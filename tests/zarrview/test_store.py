"""The store as zarr, xarray and other clients use it."""

from __future__ import annotations

import asyncio
import gc
import pickle
import resource
import threading
import time
import warnings

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from mandeldask.zarrview.byte_requests import resolved
from mandeldask.zarrview.cache import TileCache
from mandeldask.zarrview.nodes import Array, Group
from mandeldask.zarrview.store import to_store
from zarrview.patterns import Counted, deep_tree, pattern

FORMATS = pytest.mark.parametrize("zarr_format", [2, 3], ids=["v2", "v3"])
DATA = np.arange(64, dtype="u2").reshape(8, 8)


@FORMATS
def test_groups_open_and_read_only_is_all_there_is(zarr_format):
    store = to_store({"g": {"a": DATA}}, zarr_format)
    group = zarr.open_group(store, mode="r")
    np.testing.assert_array_equal(group["g/a"][2:5, 1:], DATA[2:5, 1:])
    assert list(group["g"].array_keys()) == ["a"]
    assert store.with_read_only(read_only=True) == store
    with pytest.raises(ValueError, match="read-only"):
        store.with_read_only(read_only=False)
    with pytest.raises(ValueError, match="read-only"):
        zarr.open_group(store, mode="r")["g"]["a"][0] = 1


@FORMATS
def test_consolidated_metadata_open(zarr_format):
    store = to_store({"g": {"a": DATA}}, zarr_format)
    group = zarr.open_consolidated(store, mode="r")
    assert group["g"]["a"].shape == (8, 8)
    assert [path for path, _ in group.members(max_depth=None)] == ["g", "g/a"]


@FORMATS
def test_a_store_is_enough_of_a_mapping_for_clients_of_either(zarr_format):
    store = to_store({"a": DATA}, zarr_format)
    chunk = "a/c/0/0" if zarr_format == 3 else "a/0/0"
    assert chunk in store
    assert "a/c/9/9" not in store
    assert 3 not in store
    assert store[chunk] == store.get_sync(chunk).to_bytes()
    assert {key: store[key] for key in store} == {key: store.get_sync(key).to_bytes() for key in store.view.list()}
    with pytest.raises(KeyError, match="nothing"):
        store["nothing"]


@FORMATS
def test_trees_whose_arrays_have_one_name_and_many_sizes_open_in_xarray(zarr_format):
    tree = {"a": np.arange(3), "g": {"a": np.arange(5), "h": {"a": np.eye(2, 4)}}, "z": {"a": np.arange(6)}}
    with xr.open_datatree(to_store(tree, zarr_format), engine="zarr", chunks=None) as seen:
        assert seen["a"].dims == ("a_0",)
        assert seen["g/h/a"].dims == ("g.h.a_0", "g.h.a_1")
        np.testing.assert_array_equal(seen["g/h/a"], tree["g"]["h"]["a"])
        np.testing.assert_array_equal(seen["z/a"], tree["z"]["a"])


@FORMATS
async def test_listing_is_of_metadata_only(zarr_format):
    store = to_store({"g": {"a": DATA}, "b": DATA}, zarr_format)
    keys = [key async for key in store.list()]
    assert all(key.rpartition("/")[2].startswith((".z", "zarr.json")) for key in keys)
    assert {name async for name in store.list_dir("")} >= {"g", "b"}
    assert {name async for name in store.list_dir("g")} >= {"a"}
    assert [key async for key in store.list_dir("nothing")] == []
    assert await store.is_empty("nothing")
    assert not await store.is_empty("")


@FORMATS
async def test_existence_and_sizes_of_documents_compute_nothing(zarr_format):
    source = Counted(DATA)
    store = to_store(Group({"a": source.node((4, 4))}), zarr_format)
    chunk = "a/c/1/1" if zarr_format == 3 else "a/1/1"
    assert await store.exists(chunk)
    assert not await store.exists("a/c/2/0" if zarr_format == 3 else "a/2/0")
    for key in [key async for key in store.list()]:
        assert await store.exists(key)
        assert await store.getsize(key) == len((await store.get(key)).to_bytes())
    assert source.windows == []
    assert await store.getsize(chunk) == len((await store.get(chunk)).to_bytes())
    with pytest.raises(FileNotFoundError):
        await store.getsize("a/nothing")
    assert len(source.windows) == 1


READS_DEEP = tuple(map(int, zarr.__version__.split(".")[:2])) >= (3, 2)
"""zarr-python before 3.2 misreads unaligned slices of such arrays."""
REQUESTS = [
    None,
    RangeByteRequest(3, 9),
    RangeByteRequest(0, 10**9),
    OffsetByteRequest(5),
    OffsetByteRequest(10**9),
    SuffixByteRequest(4),
    SuffixByteRequest(10**9),
]


@FORMATS
@pytest.mark.parametrize("request_", REQUESTS, ids=repr)
async def test_parts_of_values(zarr_format, request_):
    store = to_store({"a": DATA}, zarr_format)
    prototype = default_buffer_prototype()
    for key in ("a/c/0/0", "zarr.json") if zarr_format == 3 else ("a/0/0", ".zattrs"):
        whole = (await store.get(key)).to_bytes()
        start, stop = resolved(request_, len(whole))
        want = whole[start:stop]
        assert (await store.get(key, prototype, request_)).to_bytes() == want
        assert store.get_sync(key, byte_range=request_).to_bytes() == want
        assert [part.to_bytes() for part in await store.get_partial_values(prototype, [(key, request_)])] == [want]
    assert await store.get("nothing", prototype, request_) is None
    assert store.get_sync("nothing") is None


async def test_a_part_of_no_known_kind_is_an_error():
    with pytest.raises(TypeError, match="byte_range"):
        await to_store({"a": DATA}).get("zarr.json", None, (0, 1))


@FORMATS
def test_stores_pickle_and_compare_by_content(zarr_format):
    store = to_store({"a": DATA, "d": da.arange(10, chunks=4)}, zarr_format)
    again = pickle.loads(pickle.dumps(store))
    assert again == store
    assert hash(again) == hash(store)
    np.testing.assert_array_equal(zarr.open_group(again, mode="r")["d"][:], np.arange(10))
    assert store != to_store({"a": DATA + 1, "d": da.arange(10, chunks=4)}, zarr_format)
    assert store != to_store({"a": DATA, "d": da.arange(10, chunks=4)}, 5 - zarr_format)


def test_stores_cross_to_other_processes():
    store = to_store({"a": DATA})
    lazy = xr.open_datatree(store, engine="zarr", chunks={})["a"]
    np.testing.assert_array_equal(lazy.compute(scheduler="processes", num_workers=1), DATA)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="zarr_format must be 2 or 3, not 4"):
        to_store({}, 4)
    with pytest.raises(TypeError, match=r"v3 takes the options compressors, .*, not compressor"):
        to_store({}, 3, compressor=None)
    with pytest.raises(TypeError, match="v2 takes the options compressor, filters, not shards"):
        to_store({}, 2, shards=(8, 8))


@FORMATS
def test_fifty_levels_open_in_xarray_and_read_exactly(zarr_format):
    store = to_store(deep_tree(50), zarr_format)
    tree = xr.open_datatree(store, engine="zarr", chunks=None)
    assert len(tree.children) == 50
    last = 2**59
    window = tree["0/pattern"][last - 512 :, last - 1024 : last - 512]
    np.testing.assert_array_equal(window, pattern((last - 512, last), (last - 1024, last - 512)))
    shallow = tree["40/pattern"][1000:1700, 3:900]
    np.testing.assert_array_equal(shallow, pattern((1000, 1700), (3, 900)))
    if READS_DEEP:
        unaligned = tree["0/pattern"][last - 700 : last - 3, 2**58 + 11 : 2**58 + 600]
        np.testing.assert_array_equal(unaligned, pattern((last - 700, last - 3), (2**58 + 11, 2**58 + 600)))


@pytest.mark.parametrize("levels", [44, 45, 50])
def test_zarr_that_misreads_deep_arrays_is_warned_of(levels):
    misread = levels > 44 and not READS_DEEP
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        to_store(deep_tree(levels))
    assert [one.category for one in caught] == [UserWarning] * misread
    assert all("2**53" in str(one.message) for one in caught)


def test_memory_stays_flat_over_many_reads():
    store = to_store(deep_tree(20), cache=TileCache(2**20), compressors=None)
    view = store.view
    for col in range(40):
        view.read(view.find(f"0/pattern/c/3/{col}"))
    assert view.cache.size <= 2**20
    assert view.cache.evictions == 37
    assert len(view.cache.flights) == 0


def test_threads_go_with_their_store():
    before = threading.active_count()
    for _ in range(20):
        store = to_store({"a": DATA}, workers=2)
        asyncio.run(store.get("a/c/0/0"))
    del store
    gc.collect()
    deadline = time.monotonic() + 60
    while threading.active_count() > before + 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() <= before + 2


@pytest.mark.slow
def test_memory_is_flat_over_a_hundred_thousand_reads():
    node = Array((2**59, 2**59), np.dtype("u1"), lambda _: np.zeros((8, 8), "u1"), (8, 8), fingerprint="flat")
    store = to_store(node, cache_bytes=2**20)
    for index in range(110_000):
        store.get_sync(f"c/{index}/0")
        if index == 10_000:  # the cache is full
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4096  # KiB


def test_arrays_are_shown_where_zarrs_own_loop_opens_them():
    """Newer releases of zarr-python name the store, and so walk it, in their event loop."""

    async def named():
        return str(to_store({"g": {"a": np.zeros(3, "f4"), "b": np.zeros((2, 2), "i2")}}))

    async def skipped():
        return to_store({"g": {"c": np.zeros(5, "u4")}}).view.skipped()

    assert "zarrview://" in sync(named())
    assert sync(skipped()) == {}
