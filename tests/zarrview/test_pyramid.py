import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mandeldask.budget import Unfinished
from mandeldask.images import states
from mandeldask.images.levels import ImageLevels, image_levels, is_large_image
from mandeldask.zarrview.cache_file import NAME, CacheFile
from mandeldask.zarrview.identity import unique
from mandeldask.zarrview.level_storage import CONTENT
from mandeldask.zarrview.nodes import Array, as_node
from mandeldask.zarrview.persistent_cache import PersistentCache
from mandeldask.zarrview.pyramid import pyramid


class Counting:
    """Reads windows of an array, and counts how often each of its chunks was read."""

    def __init__(self, array, chunks):
        self.array, self.chunks = array, chunks
        self.reads = np.zeros([-(-size // side) for size, side in zip(array.shape, chunks, strict=True)], int)
        self.lock = threading.Lock()

    def __call__(self, window):
        with self.lock:
            self.reads[
                tuple(slice(w.start // c, -(-w.stop // c)) for w, c in zip(window, self.chunks, strict=True))
            ] += 1
        return self.array[window]

    def node(self, **more):
        return Array(self.array.shape, self.array.dtype, self, self.chunks, fingerprint=unique(), **more)


def mean_of(array, level, axes):
    """Return the means of a level in float64, cells at the end smaller, rounded half to even."""
    sums = array.astype(np.float64)
    for axis in axes:
        starts = np.arange(0, array.shape[axis], 2**level)
        lengths = np.diff([*starts, array.shape[axis]])
        shape = [-1 if at == axis else 1 for at in range(array.ndim)]
        sums = np.add.reduceat(sums, starts, axis) / lengths.reshape(shape)
    return np.round(sums).astype(array.dtype) if array.dtype.kind in "ui" else sums


def read(group, level, name="image"):
    array = group.members[str(level)].members[name]
    return array.read(tuple(slice(0, size) for size in array.shape))


@pytest.mark.parametrize("shape", [(2100, 1300), (1025, 1), (513, 3000), (1, 5000)])
def test_levels_of_every_size_are_means(shape):
    array = np.random.default_rng(1).integers(0, 2**16, shape, np.uint16)
    group = pyramid(as_node(array), image_levels(shape))
    coarsest = group.members[str(len(group.members) - 1)].members["image"].shape
    assert max(coarsest) <= 512 < 2 * max(coarsest)
    for level in range(len(group.members)):
        np.testing.assert_array_equal(read(group, level), mean_of(array, level, (0, 1)))


@pytest.mark.parametrize("chunks", [(256, 256), (300, 200), (16, 2000), (64, 64)])
def test_every_chunk_is_read_once_for_all_levels(chunks):
    array = np.random.default_rng(2).integers(0, 200, (1500, 2000), np.uint8)
    counting = Counting(array, chunks)
    group = pyramid(counting.node(), image_levels(array.shape))
    for level in reversed(range(1, len(group.members))):
        np.testing.assert_array_equal(read(group, level), mean_of(array, level, (0, 1)))
    assert (counting.reads == 1).all()


def test_many_threads_read_every_chunk_once():
    array = np.random.default_rng(3).integers(0, 200, (2048, 2048), np.uint8)
    counting = Counting(array, (256, 256))
    group = pyramid(counting.node(), image_levels(array.shape))
    with ThreadPoolExecutor(8) as pool:
        levels = list(pool.map(lambda level: read(group, level), [2, 1, 2, 1, 2, 1, 2, 1]))
    np.testing.assert_array_equal(levels[0], mean_of(array, 2, (0, 1)))
    np.testing.assert_array_equal(levels[7], mean_of(array, 1, (0, 1)))
    assert (counting.reads == 1).all()


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_any_window_of_a_level_is_that_of_the_whole(data):
    array = np.random.default_rng(4).integers(0, 2**30, (1100, 700), np.int32)
    group = pyramid(Counting(array, (128, 128)).node(), image_levels(array.shape))
    level = data.draw(st.integers(1, 2))
    coarse = group.members[str(level)].members["image"]
    window = []
    for size in coarse.shape:
        start = data.draw(st.integers(0, size - 1))
        window.append(slice(start, data.draw(st.integers(start + 1, size))))
    np.testing.assert_array_equal(coarse.read(tuple(window)), mean_of(array, level, (0, 1))[tuple(window)])


def test_axes_come_in_the_order_of_ome_zarr():
    array = np.random.default_rng(5).integers(0, 255, (1300, 1100, 3), np.uint8)
    group = pyramid(as_node(array), image_levels(array.shape))
    assert group.members["1"].members["image"].dims == ("c", "y", "x")
    np.testing.assert_array_equal(read(group, 0), array.transpose(2, 0, 1))
    np.testing.assert_array_equal(read(group, 2), mean_of(array, 2, (0, 1)).transpose(2, 0, 1))
    colors = [channel["color"] for channel in group.attrs["zarr_v3"]["ome"]["omero"]["channels"]]
    assert colors == ["FF0000", "00FF00", "0000FF"]


def test_volumes_are_halved_along_three_axes_when_asked():
    array = np.random.default_rng(6).random((2, 12, 1200, 300), np.float32)
    levels = image_levels(array.shape, ("t", "z", "y", "x"), ("z", "y", "x"))
    group = pyramid(as_node(array), levels)
    assert group.members["2"].members["image"].shape == (2, 3, 300, 75)
    np.testing.assert_allclose(read(group, 2), mean_of(array, 2, (1, 2, 3)), rtol=1e-6)


def test_missing_values_are_left_out_and_named():
    array = np.full((1100, 1100), 7, np.int16)
    array[:600] = -1
    array[2, 2] = 9
    node = Counting(array, (512, 512)).node(missing=-1)
    got = read(pyramid(node, image_levels(array.shape)), 2)
    assert got[0, 0] == 9
    assert (got[1:150] == -1).all()
    assert (got[150:] == 7).all()


def test_modes_and_strides():
    array = np.random.default_rng(7).integers(0, 3, (1100, 1100), np.uint8)
    stride = pyramid(as_node(array), image_levels(array.shape, method="stride"))
    np.testing.assert_array_equal(read(stride, 2), array[::4, ::4])
    mode = pyramid(as_node(array), image_levels(array.shape, method="mode"))
    assert set(np.unique(read(mode, 2))) <= {0, 1, 2}
    assert mode.attrs["zarr_v3"]["multiscales"]["resampling_method"] == "mode"


def test_limits_of_large_planes_read_some_places_only(monkeypatch):
    monkeypatch.setattr("mandeldask.images.channels.PLANE_BYTES", 1000)
    array = np.random.default_rng(9).normal(50, 1, (4096, 4096)).astype(np.float32)
    counting = Counting(array, (256, 256))
    window = pyramid(counting.node(), image_levels(array.shape)).attrs["zarr_v3"]["ome"]["omero"]["channels"][0][
        "window"
    ]
    assert 45 < window["start"] < window["end"] < 55
    assert counting.reads.sum() <= 36 < counting.reads.size


class Slow:
    """Reads windows, each of which takes as long as it says."""

    def __init__(self, read, clock, seconds):
        self.read, self.clock, self.seconds = read, clock, seconds

    def __call__(self, window):
        self.clock[0] += self.seconds
        return self.read(window)


def test_a_tile_that_takes_too_long_goes_on_where_it_was(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("mandeldask.budget.time.monotonic", lambda: clock[0])
    array = np.random.default_rng(11).integers(0, 255, (4096, 4096), np.uint8)
    counting = Counting(array, (256, 256))
    node = replace(counting.node(), read=Slow(counting, clock, 1.0))
    coarsest = pyramid(node, image_levels(array.shape), seconds=2.5).members["3"].members["image"]
    tries = 0
    while True:
        before = (counting.reads > 0).sum()
        tries += 1
        try:
            got = coarsest.read((slice(0, 512), slice(0, 512)))
            break
        except Unfinished:
            assert (counting.reads > 0).sum() == before + 48  # three windows of 16 chunks
    np.testing.assert_array_equal(got, mean_of(array, 3, (0, 1)))
    assert tries == 6
    assert (counting.reads == 1).all()


def test_no_limit_is_so_short_that_nothing_is_ever_done():
    array = np.zeros((2048, 1024), np.uint8)
    coarsest = pyramid(Counting(array, (512, 512)).node(), image_levels(array.shape), seconds=0.0).members["2"]
    with pytest.raises(Unfinished, match="try again"):
        coarsest.members["image"].read((slice(0, 512), slice(0, 256)))
    assert not coarsest.members["image"].read((slice(0, 512), slice(0, 256))).any()


def test_states_are_bounded_and_shared_by_identity():
    array = np.random.default_rng(10).integers(0, 9, (1024, 1024), np.uint8)
    first, second = (pyramid(as_node(array.copy()), image_levels(array.shape)) for _ in range(2))
    assert first.members["1"].members["image"].fingerprint == second.members["1"].members["image"].fingerprint
    other = pyramid(as_node(array + 1), image_levels(array.shape))
    assert not np.array_equal(read(first, 1), read(other, 1))
    assert all(states.states_of_level(level).size <= 2**27 for level in range(1, 10))


SOURCES = {
    "chunks that are no powers of two": lambda array: (array, (300, 500)),
    "rows": lambda array: (array, (7, 3000)),
    "stacks in one chunk": lambda array: (np.stack([array[:1200]] * 12), (12, 600, 512)),
    "one chunk": lambda array: (array, (2500, 3000)),
    "odd chunks": lambda array: (array, (2001, 999)),
}


@pytest.mark.parametrize("source", SOURCES)
def test_blocks_are_read_once_in_whatever_order_chunks_are_asked_for(source):
    array = np.random.default_rng(12).integers(0, 2**16, (2500, 3000), np.uint16)
    array, chunks = SOURCES[source](array)
    counting = Counting(array, chunks)
    group = pyramid(counting.node(), image_levels(array.shape))
    levels = [each.members["image"] for each in group.members.values()]
    asked = [
        (level, coords)
        for level in range(1, len(levels))
        for coords in np.ndindex(*(-(-n // c) for n, c in zip(levels[level].shape, levels[level].chunks, strict=True)))
    ]
    np.random.default_rng(13).shuffle(asked)
    for level, coords in asked:
        node = levels[level]
        window = tuple(
            slice(at * side, min((at + 1) * side, size))
            for at, side, size in zip(coords, node.chunks, node.shape, strict=True)
        )
        got = node.read(window)
        if level == len(levels) - 1:
            axes = (array.ndim - 2, array.ndim - 1)
            np.testing.assert_array_equal(got, mean_of(array, level, axes)[window])
    assert (counting.reads == 1).all()


def test_what_is_known_of_levels_is_kept_for_another_process(tmp_path):
    array = np.random.default_rng(14).normal(size=(1700, 2300)).astype(np.float32)
    array[:40] = np.nan
    persistent = PersistentCache(CacheFile(tmp_path / "kept", 2**30).below("levels"), CONTENT, ())

    def opened(fingerprint):
        states.states_of_level.cache_clear()  # another process
        counting = Counting(array, (512, 512))
        node = replace(counting.node(), fingerprint=fingerprint)
        return counting, pyramid(node, image_levels(array.shape), persistent=persistent)

    counting, group = opened("of the file, at first")
    first = read(group, 3)
    assert (counting.reads == 1).all()
    counting, group = opened("of the file, at first")
    np.testing.assert_array_equal(read(group, 3), first)
    np.testing.assert_allclose(read(group, 1)[40:], mean_of(array, 1, (0, 1))[40:], rtol=1e-6)
    assert not counting.reads.any()
    array[:] = 1
    counting, group = opened("of the file, when it was another")
    assert (read(group, 3) == 1).all()
    assert (counting.reads == 1).all()
    with sqlite3.connect(tmp_path / "kept" / NAME) as database:  # damaged
        database.execute("UPDATE tiles SET tile = substr(tile, 1, length(tile) - 3) || x'003F3F'")
    counting, group = opened("of the file, when it was another")
    assert (read(group, 2) == 1).all()
    assert (counting.reads == 1).all()


def test_what_nobody_else_can_know_is_not_kept(tmp_path):
    array = np.zeros((1100, 1100), np.uint8)
    persistent = PersistentCache(CacheFile(tmp_path / "kept", 2**30).below("levels"), CONTENT, ())
    read(pyramid(Counting(array, (512, 512)).node(), image_levels(array.shape), persistent=persistent), 2)
    nothing = replace(as_node(array), version=lambda: None)
    read(pyramid(nothing, image_levels(array.shape), persistent=persistent), 2)
    assert not (tmp_path / "kept").exists()


def test_masked_elements_are_left_out():
    array = np.ma.masked_equal(np.tile(np.array([[4, 8], [6, 99]], np.int16), (600, 600)), 99)
    got = read(pyramid(as_node(array), image_levels(array.shape)), 1)
    assert (got == 6).all()


def test_chunks_of_levels_are_planes_that_viewers_can_take():
    array = np.zeros((64, 1100, 1100), np.uint16)
    group = pyramid(Counting(array, (64, 550, 550)).node(), image_levels(array.shape))
    assert group.members["0"].members["image"].chunks == (4, 550, 550)
    assert group.members["1"].members["image"].chunks == (4, 550, 550)


def test_no_viewer_is_given_a_unit_that_it_refuses():
    axes = image_levels((9, 9), ("lat", "lon"), units={"lat": "degrees_north", "lon": "meter"}).attributes("image")
    described = axes["zarr_v3"]["ome"]["multiscales"][0]["axes"]
    assert described == [{"name": "lat", "type": "space"}, {"name": "lon", "type": "space", "unit": "meter"}]


@pytest.mark.parametrize("dims", [("x", "lat", "lon"), ("t", "y", "x")])
def test_names_that_are_taken_are_left(dims):
    levels = image_levels((2, 9, 9), dims)
    assert levels.for_viewers() is levels


def test_no_chunk_is_wider_than_a_viewer_can_draw():
    array = np.random.default_rng(17).integers(0, 99, (40, 9001), np.uint8)
    counting = Counting(array, (40, 9001))
    finest = pyramid(counting.node(), image_levels(array.shape)).members["0"].members["image"]
    assert max(finest.chunks) <= 2048
    sides = [range(0, size, side) for size, side in zip(array.shape, finest.chunks, strict=True)]
    for row in sides[0]:
        for col in sides[1]:
            window = (slice(row, row + finest.chunks[0]), slice(col, min(col + finest.chunks[1], 9001)))
            np.testing.assert_array_equal(finest.read(window), array[window])
    assert counting.reads.max() == 1


@pytest.mark.parametrize(
    ("shape", "dims", "large"),
    [
        ((1025, 20), None, True),
        ((1024, 1024), None, False),
        ((5000,), None, False),
        ((5000, 1), None, False),
        ((2000, 2000, 3), ("y", "x", "c"), True),
        ((4000, 3, 3), None, True),
        ((0, 2000), None, False),
    ],
)
def test_what_is_a_large_image(shape, dims, large):
    assert is_large_image(shape, dims) is large


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((5,),), "two dimensions"),
        (((5, 5), ("y", "x"), ("y",)), "two or three different"),
        (((5, 5), ("y", "x"), ("y", "z")), "not 'z'"),
        (((5, 5), None, (0, 2)), "not 2"),
        (((5, 5), None, None, "median"), "mean, stride, mode"),
    ],
)
def test_what_is_no_image_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        image_levels(*arguments)


def test_huge_arrays_have_as_many_levels_as_sums_allow():
    assert ImageLevels((0, 1), ("y", "x"), (2**59, 2**59), (0, 1)).count == 16
