"""The tile cache: bounded, counted, and in a persistent cache that is also a Zarr store."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import threading
import tracemalloc
from itertools import product

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from mandeldask.zarrview.cache import DEFAULT_BYTES, ENTRY_BYTES, TileCache
from mandeldask.zarrview.formats import V2, V3
from mandeldask.zarrview.nodes import Group
from mandeldask.zarrview.view import ZarrView
from zarrview.patterns import Counted

DATA = np.arange(63, dtype="u2").reshape(7, 9)
FORMATS = pytest.mark.parametrize(
    "form",
    [V2(), V2(compressors=None), V3(), V3(compressors=None), V3(shards=(4, 8)), V3(shards=(4, 8), compressors=None)],
    ids=["v2", "v2-raw", "v3", "v3-raw", "v3-shards", "v3-shards-raw"],
)


def cost(cache):
    return sum(len(tile) + ENTRY_BYTES for tile, _ in cache._values.values())


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3000))), st.integers(0, 5000))
def test_memory_never_exceeds_its_bound_and_keeps_the_latest(puts, bound):
    cache = TileCache(bound)
    for key, size in puts:
        cache.put(key, bytes(size))
        assert cache.size == cost(cache) <= bound
        assert (key in cache) == (size + ENTRY_BYTES <= bound)


def test_small_tiles_take_no_more_memory_than_the_bound():
    cache = TileCache(2**22)
    tracemalloc.start()
    for index in range(2**15):
        cache.put(("0" * 32, (index, index)), bytes(index % 100))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 2**20 < held < 1.1 * 2**22


def test_the_least_recently_used_tile_goes_first():
    cache = TileCache(3 * (10 + ENTRY_BYTES))
    for key in "abc":
        cache.put(key, bytes(10))
    assert cache.get("a") == bytes(10)
    cache.put("d", bytes(10))
    assert ["a" in cache, "b" in cache, "c" in cache, "d" in cache] == [True, False, True, True]
    assert cache.get("b") is None
    assert (cache.hits, cache.misses, cache.evictions) == (1, 1, 1)


def test_the_notebooks_gigabyte_is_the_default():
    assert TileCache().max_bytes == DEFAULT_BYTES == 2**30
    with pytest.raises(ValueError, match="-1"):
        TileCache(-1)


def test_threads_may_share_it():
    cache = TileCache(10_000)

    def use(seed):
        for step in range(2000):
            key = (seed * step) % 37
            cache.put(key, bytes(key))
            cache.get(key)

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.size == cost(cache) <= 10_000
    assert cache.hits + cache.misses == 8000


def test_views_with_the_same_tiles_share_them():
    cache = TileCache()
    source = Counted(DATA)
    one, other = (ZarrView(Group({name: source.node((4, 4))}), V3(), cache=cache) for name in "ab")
    assert one.read(one.find("a/c/0/0")) == other.read(other.find("b/c/0/0"))
    assert len(source.windows) == 1


def view_on(target, form, source=None, data=DATA, **options):
    source = Counted(data) if source is None else source
    cache = TileCache(directory=target, **options)
    return ZarrView(Group({"g": Group({"a": source.node((4, 4), fingerprint=str(data.sum()))})}), form, cache=cache)


def chunks(view):
    grid = view.format.store(dict(view.arrays())["g/a"]).grid
    return [view.find("g/a/" + view.format.chunk_key(coords)) for coords in product(*map(range, grid))]


@FORMATS
def test_a_warmed_persistent_cache_is_a_zarr_store_by_itself(form, tmp_path):
    view = view_on(tmp_path, form)
    for chunk in chunks(view):
        view.read(chunk)
    np.testing.assert_array_equal(zarr.open_group(tmp_path, mode="r")["g/a"][...], DATA)
    assert [path for path, _ in zarr.open_group(tmp_path, mode="r").members(max_depth=None)] == ["g", "g/a"]
    consolidated = zarr.open_consolidated(zarr.storage.LocalStore(tmp_path), mode="r")
    np.testing.assert_array_equal(consolidated["g"]["a"][...], DATA)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {*view.list(), *(chunk.key for chunk in chunks(view)), "zarrview.json"}


@FORMATS
async def test_what_is_on_disk_is_not_computed_again(form, tmp_path):
    first = view_on(tmp_path, form)
    tiles = [first.read(chunk) for chunk in chunks(first)]
    source = Counted(DATA)
    for memory in (2**20, 0):
        again = view_on(tmp_path, form, source, max_bytes=memory)
        assert [again.read(chunk) for chunk in chunks(again)] == tiles
        assert [await again.get(chunk) for chunk in chunks(again)] == tiles
        assert again.cache.loads >= len(tiles)
    assert source.windows == []


@FORMATS
@pytest.mark.parametrize("damage", ["cut", "empty", "grown", "garbage"])
def test_damaged_files_are_computed_afresh(form, damage, tmp_path):
    view = view_on(tmp_path, form)
    tiles = [view.read(chunk) for chunk in chunks(view)]
    path = tmp_path / chunks(view)[0].key
    raw = path.read_bytes()
    path.write_bytes({"cut": raw[:-1], "empty": b"", "grown": raw + b"\1", "garbage": bytes(len(raw) + 3)}[damage])
    again = view_on(tmp_path, form)
    assert [again.read(chunk) for chunk in chunks(again)] == tiles
    assert again.cache.damaged >= 1
    assert path.read_bytes() == raw


@FORMATS
def test_flipped_bits_are_found_where_the_codec_has_a_checksum(form, tmp_path):
    if form.compressors is None:
        pytest.skip("raw chunks have no checksum")
    view = view_on(tmp_path, form)
    good = view.read(chunks(view)[0])
    path = tmp_path / chunks(view)[0].key
    path.write_bytes(bytes([*good[:20], good[20] ^ 16, *good[21:]]))
    assert view_on(tmp_path, form).read(chunks(view)[0]) == good


def test_another_trees_tiles_are_refused(tmp_path):
    view_on(tmp_path, V3())
    view_on(tmp_path, V3())
    for form, data in [(V3(), DATA + 1), (V2(), DATA), (V3(compressors=None), DATA)]:
        with pytest.raises(ValueError, match="contains other tiles"):
            view_on(tmp_path, form, data=data)


def test_a_zarr_store_of_somebody_else_is_refused_and_left_alone(tmp_path):
    zarr.create_array(tmp_path, shape=(3,), dtype="u1")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match="not a tile cache"):
        view_on(tmp_path, V3())
    assert sorted(tmp_path.rglob("*")) == before


def test_a_broken_mark_is_refused(tmp_path):
    view_on(tmp_path, V3())
    (tmp_path / "zarrview.json").write_text("[")
    with pytest.raises(ValueError, match="content None"):
        view_on(tmp_path, V3())


def test_attributes_may_change_and_are_written_anew(tmp_path):
    node = Counted(DATA).node((4, 4))
    for title in ("one", "two"):
        ZarrView(Group({"a": node}, {"title": title}), V3(), cache=TileCache(directory=tmp_path))
        assert json.loads((tmp_path / "zarr.json").read_text())["attributes"] == {"title": title}


def test_a_full_disk_is_logged_once_and_no_error(tmp_path, caplog):
    view = view_on(tmp_path, V3())
    (tmp_path / "g/a/c").write_text("a file where a directory should be")
    for chunk in chunks(view):
        assert len(view.read(chunk)) > 0
    assert caplog.text.count("tiles cannot be cached") == 1


def test_urls_and_stores_can_keep_tiles_too(tmp_path):
    pytest.importorskip("fsspec")
    stores = zarr.storage.MemoryStore(), zarr.storage.LocalStore(tmp_path / "store")
    for target in (f"file://{tmp_path}/url", "memory://tiles", *stores):
        view = view_on(target, V3())
        tiles = [view.read(chunk) for chunk in chunks(view)]
        source = Counted(DATA)
        again = view_on(target, V3(), source)
        assert [again.read(chunk) for chunk in chunks(again)] == tiles
        assert source.windows == []
    with pytest.raises(ValueError, match="read-only"):
        view_on(zarr.storage.LocalStore(tmp_path / "store", read_only=True), V3())


async def test_a_persistent_cache_serves_the_event_loop(tmp_path):
    view = view_on(tmp_path, V3())
    got = [await view.get(chunk) for chunk in chunks(view)]
    assert got == [(tmp_path / chunk.key).read_bytes() for chunk in chunks(view)]


def warm(target, seed):
    view = view_on(target, V3())
    order = np.random.default_rng(seed).permutation(len(chunks(view)))
    return [view.read(chunks(view)[place]) for place in order] and sorted(view.read(chunk) for chunk in chunks(view))


def test_several_processes_may_warm_one_persistent_cache(tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.starmap(warm, [(tmp_path, seed) for seed in range(2)])
    assert results[0] == results[1]
    np.testing.assert_array_equal(zarr.open_group(tmp_path, mode="r")["g/a"][...], DATA)
    assert not list(tmp_path.rglob("*.partial"))


def test_caches_pickle_without_their_tiles(tmp_path):
    cache = TileCache(100, tmp_path)
    cache.put("a", b"tile")
    again = pickle.loads(pickle.dumps(cache))
    assert (again.max_bytes, again.directory, len(again)) == (100, tmp_path, 0)
