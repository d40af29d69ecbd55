import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mandeldask import Pyramid
from mandeldask.lazy.field_cache import FieldCache
from positions import LOG, PositionKernel

LEVEL = Pyramid(levels=1, tilesize=32).grid(0)
KERNEL = PositionKernel(LEVEL, ("iterations", "smooth", "distance"))


@pytest.fixture(autouse=True)
def _clear():
    LOG.clear()


def window(first=0):
    return LEVEL[first : first + 8, 0:8]


def test_fields_of_a_window_come_from_one_call():
    cache = FieldCache()
    taken = {field: cache.take(KERNEL, window(), field) for field in KERNEL.fields}
    assert LOG.calls == 1
    np.testing.assert_array_equal(taken["distance"], taken["iterations"] + taken["smooth"])


def test_nothing_is_kept_once_all_was_taken():
    cache = FieldCache()
    for field in KERNEL.fields:
        cache.take(KERNEL, window(), field)
    assert cache.windows.size == 0


def test_asking_again_computes_again():
    cache = FieldCache()
    assert cache.take(KERNEL, window(), "smooth") is not cache.take(KERNEL, window(), "smooth")
    assert LOG.calls == 2


def test_what_is_kept_is_bounded_and_the_oldest_goes_first():
    field_bytes = 8 * 8 * 8
    cache = FieldCache(max_bytes=4 * field_bytes)
    for first in (0, 8, 16):
        cache.take(KERNEL, window(first), "iterations")
    assert cache.windows.size <= 4 * field_bytes
    cache.take(KERNEL, window(16), "smooth")
    assert LOG.calls == 3
    cache.take(KERNEL, window(0), "smooth")
    assert LOG.calls == 4


def test_threads_that_want_fields_of_one_window_wait_for_one_call():
    cache, barrier = FieldCache(), threading.Barrier(3)

    def take(field):
        barrier.wait(60)
        return cache.take(KERNEL, window(), field)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(take, KERNEL.fields))
    assert LOG.calls == 1


def test_a_call_that_failed_is_made_again():
    cache = FieldCache()
    failures = iter([True, False])

    class Fickle(PositionKernel):
        def __call__(self, grid):
            if next(failures):
                raise ArithmeticError
            return super().__call__(grid)

    kernel = Fickle(LEVEL, KERNEL.fields)
    with pytest.raises(ArithmeticError):
        cache.take(kernel, window(), "smooth")
    assert cache.take(kernel, window(), "smooth").shape == (8, 8)
