"""Tiles that are computed during another computation in the same thread, by a signal handler or a finalizer."""

from __future__ import annotations

import signal
import threading
from functools import partial
from operator import getitem

import numpy as np
import pytest

import mandeldask as md
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.shared_cache import SharedCache

PLACES = {
    "shallow": (Mandelbrot(3000), Grid.window("-0.7453+0.1127j", "0.001", (600, 600))),
    "deep": (Mandelbrot(2000), Grid.window("-1.7400623825793399+0.0281753397792110j", "1e-30", (600, 600))),
    "fields": (Mandelbrot(500, ("iterations", "smooth", "distance")), Grid.window("-0.75+0.1j", "0.01", (200, 200))),
}


@pytest.fixture
def interrupted():
    """Call something in signal handlers of this thread, every so often, while another call runs."""
    before = signal.getsignal(signal.SIGALRM)

    def run(call, handler, seconds):
        results = []

        def handle(*_):
            results.append(handler())
            signal.setitimer(signal.ITIMER_REAL, seconds)  # not within itself

        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            outer = call()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return outer, results

    yield run
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("place", PLACES)
def test_a_tile_within_a_tile_changes_neither(place, interrupted):
    kernel, grid = PLACES[place]
    inner_grid = grid[100:164, 100:164]
    expected, expected_inner = kernel(grid), kernel(inner_grid)
    seen = 0
    for _ in range(5):
        outer, inner = interrupted(lambda: kernel(grid), lambda: kernel(inner_grid), 0.001)
        seen += len(inner)
        for field in kernel.fields:
            np.testing.assert_array_equal(outer[field], expected[field])
            for one in inner:
                np.testing.assert_array_equal(one[field], expected_inner[field])
    assert seen


def test_the_same_chunk_of_a_store_within_itself(interrupted):
    pyramid = md.Pyramid(levels=1, tilesize=512, maxiter=3000, center="-0.7453+0.1127j", width="0.001")
    for _ in range(5):
        mapping = md.to_mapping(md.open_pyramid(pyramid, chunks=None))
        read = partial(getitem, mapping, "0/iterations/0/0")
        outer, inner = interrupted(read, read, 0.02)
        assert set(inner) <= {outer}


def test_a_shared_value_within_its_own_computation():
    class Number(int):
        nbytes = 8

    shared = SharedCache(100)

    def make(_):
        return Number(1 + shared.extended("key", lambda _: True, lambda _: Number(1)))

    results = []
    thread = threading.Thread(target=lambda: results.append(shared.extended("key", lambda _: True, make)), daemon=True)
    thread.start()
    thread.join(60)
    assert results == [2]


def test_a_dataset_within_its_own_load(interrupted):
    tree = md.open_pyramid(levels=3, maxiter=2000, center="-0.7453+0.1127j", width="0.001", chunks=None)
    array = tree["0/iterations"][:300, :300]
    expected = array.copy().values
    outer, inner = interrupted(lambda: array.copy().values, lambda: array.copy().values, 0.005)
    for one in (outer, *inner):
        np.testing.assert_array_equal(one, expected)
