"""Arrays that are read in blocks that differ from their chunks."""

from __future__ import annotations

import pickle
import threading
from unittest.mock import patch

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st

from mandeldask.cancellation import Cancellation, Cancelled, cancellable
from mandeldask.zarrview import chunking
from mandeldask.zarrview.blocked import ENTRY_BYTES, BlockCache, Blocked, in_blocks
from mandeldask.zarrview.formats import V3
from mandeldask.zarrview.nodes import Array, Group
from mandeldask.zarrview.store import to_store
from mandeldask.zarrview.view import ZarrView
from zarrview.patterns import Counted

DATA = np.arange(35 * 22, dtype="u2").reshape(35, 22)


def strips(source, chunks, block, budget=None, fingerprint="strips"):
    budget = BlockCache() if budget is None else budget  # an empty one is false
    return in_blocks(source.node(chunks, fingerprint=fingerprint), block, budget=budget)


@given(st.data())
def test_every_window_is_that_of_the_array(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 12), max_size=3)))
    values = np.random.default_rng(1).integers(0, 255, shape)
    block = tuple(data.draw(st.integers(1, 14)) for _ in shape)
    window = []
    for size in shape:
        start = data.draw(st.integers(0, size - 1))
        window.append(slice(start, data.draw(st.integers(start + 1, size))))
    array = Array(shape, values.dtype, values.__getitem__, tuple(max(1, size) for size in shape), fingerprint="")
    got = in_blocks(array, block, budget=BlockCache()).read(tuple(window))
    np.testing.assert_array_equal(got, values[tuple(window)])


def test_a_block_that_serves_many_chunks_is_read_once():
    source = Counted(DATA)
    view = ZarrView(Group({"a": strips(source, (8, 4), (16, 22))}), V3())
    for row in range(5):
        for col in range(6):
            view.read(view.find(f"a/c/{row}/{col}"))
    assert len(source.windows) == 3
    assert [window[0] for window in source.windows] == [slice(0, 16), slice(16, 32), slice(32, 35)]


def test_whole_blocks_are_read_as_they_are_and_not_kept():
    source, budget = Counted(DATA), BlockCache()
    array = strips(source, (16, 22), (8, 22), budget)
    assert array.read((slice(16, 35), slice(0, 22))).base is not None
    assert source.windows == [(slice(16, 35), slice(0, 22))]
    assert len(budget) == 0


def test_memory_for_blocks_is_bounded():
    source = Counted(DATA)
    budget = BlockCache(2 * (4 * 22 * 2 + ENTRY_BYTES))
    array = strips(source, (3, 5), (4, 22), budget)
    for row in range(33):
        array.read((slice(row, row + 1), slice(1, 3)))
        assert budget.size <= budget.most
    assert len(source.windows) == 9


def test_threads_wait_for_a_block_that_is_being_read():
    source = Counted(DATA, seconds=0.1)
    array = strips(source, (8, 4), (35, 22))
    got = []
    threads = [
        threading.Thread(target=lambda col=col: got.append(array.read((slice(0, 8), slice(col, col + 4)))))
        for col in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len(source.windows) == 1


def test_a_cancelled_reader_stops_a_block_that_no_other_wants():
    source = Counted(DATA, seconds=200)
    array = strips(source, (8, 4), (35, 22))
    cancellation = Cancellation()

    def read():
        with cancellable(cancellation), pytest.raises(Cancelled):
            array.read((slice(0, 8), slice(0, 4)))

    thread = threading.Thread(target=read)
    thread.start()
    assert source.started.wait(60)
    cancellation.cancel()
    thread.join(60)
    assert not thread.is_alive()
    assert source.cancelled == 1


def test_a_cancelled_reader_leaves_the_others_their_block():
    source = Counted(DATA, seconds=0.3)
    array = strips(source, (8, 4), (35, 22))
    cancellation, got = Cancellation(), []

    def read(mine):
        with cancellable(mine):
            try:
                got.append(array.read((slice(0, 8), slice(0, 4))))
            except Cancelled as error:
                got.append(error)

    first = threading.Thread(target=read, args=(Cancellation(),))
    first.start()
    assert source.started.wait(60)
    other = threading.Thread(target=read, args=(cancellation,))
    other.start()
    cancellation.cancel()
    other.join(60)
    assert [type(one) for one in got] == [Cancelled]
    first.join(60)
    np.testing.assert_array_equal(got[1], DATA[:8, :4])


def test_a_short_block_is_refused():
    array = Array((8,), np.dtype("u1"), lambda _: np.zeros(3, "u1"), (2,), fingerprint="short")
    with pytest.raises(ValueError, match=r"shape \(3,\), but \(4,\) was declared"):
        in_blocks(array, (4,), budget=BlockCache()).read((slice(1, 3),))


def test_other_content_has_other_blocks():
    budget = BlockCache()
    window = (slice(1, 3), slice(0, 2))
    for values in (DATA, DATA + 1):
        array = strips(Counted(values), (8, 4), (16, 22), budget, fingerprint=str(values.sum()))
        np.testing.assert_array_equal(array.read(window), values[window])


def test_readers_pickle_without_their_blocks():
    budget = BlockCache(12345)
    read = Blocked(DATA.__getitem__, DATA.shape, DATA.dtype, (16, 22), "a", budget=budget)
    read((slice(1, 2), slice(0, 22)))
    again = pickle.loads(pickle.dumps(read))
    assert (again.budget.most, len(again.budget), again.identity) == (12345, 0, read.identity)
    usual = Blocked(DATA.__getitem__, DATA.shape, DATA.dtype, (16, 22), "a")
    assert pickle.loads(pickle.dumps(usual)).budget is usual.budget


def test_a_block_of_dask_is_computed_once_for_all_its_chunks():
    calls = []

    def block(block_id=None):
        calls.append(block_id)
        return np.full((64, 64), block_id[0], "u1")

    lazy = da.map_blocks(block, chunks=((64, 64), (64, 64)), dtype="u1", meta=np.empty((0, 0), "u1"))
    for tree in (lazy, xr.Variable(("y", "x"), lazy)):
        calls.clear()
        with patch.multiple(chunking, MOST_BYTES=2**8, LEAST_BYTES=1):
            array = zarr.open_group(to_store({"a": tree}), mode="r")["a"]
        assert array.chunks == (16, 16)
        np.testing.assert_array_equal(array[...], lazy.compute(scheduler="synchronous"))
        assert sorted(set(calls)) == [(0, 0), (0, 1), (1, 0), (1, 1)]
        assert len(calls) == 8  # once each, and once each for the comparison


def test_a_block_of_another_kind_is_refused_where_chunks_are_parts_of_it():
    lazy = da.map_blocks(lambda part: part + 0.5, da.arange(64, chunks=64), dtype="i8", meta=np.empty(0, "i8"))
    with patch.multiple(chunking, MOST_BYTES=2**6, LEAST_BYTES=1):
        array = zarr.open_group(to_store({"a": lazy}), mode="r")["a"]
    with pytest.raises(TypeError, match="not all elements of the declared"):
        array[...]


def test_one_block_larger_than_the_bound_is_read_once_until_another_is_used():
    source, budget = Counted(DATA), BlockCache(100)  # bytes, less than a block
    array = strips(source, (4, 5), (35, 22), budget)
    for row in range(0, 32, 4):
        np.testing.assert_array_equal(array.read((slice(row, row + 4), slice(0, 5))), DATA[row : row + 4, :5])
    assert len(source.windows) == len(budget) == 1
    strips(Counted(DATA), (4, 5), (35, 22), budget, "another").read((slice(0, 4), slice(0, 5)))
    assert len(budget) == 1
    array.read((slice(0, 4), slice(0, 5)))
    assert len(source.windows) == 2
