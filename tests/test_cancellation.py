"""Giving up a computation: the flag is the context's, and kernels see it within milliseconds."""

from __future__ import annotations

import threading
import time
from contextvars import copy_context

import pytest

from fractal.places import PLACES
from mandeldask.cancellation import Cancellation, Cancelled, cancellable, current
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot


def test_a_flag_is_the_contexts_own():
    mine = Cancellation()
    with cancellable(mine):
        assert current() is mine
        with cancellable(Cancellation()) as inner:
            assert current() is inner
        assert current() is mine
    assert current() is not mine
    assert not current().cancelled


def test_a_context_carries_it_into_a_thread():
    seen = []
    with cancellable(Cancellation()) as mine:
        context = copy_context()
    thread = threading.Thread(target=context.run, args=(lambda: seen.append(current()),))
    thread.start()
    thread.join()
    assert seen == [mine]


def test_check_raises_once_cancelled():
    cancellation = Cancellation()
    cancellation.check()
    cancellation.cancel()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        cancellation.check()


@pytest.mark.parametrize(
    ("center", "width", "maxiter"),
    [
        ("-0.5", "3", 4_000_000),
        (PLACES["Feigenbaum"], "1e-3", 4_000_000),
        (PLACES["seahorse"], "1e-9", 2_000_000),
        (PLACES["M(2,2) i"], "1e-40", 200_000),
    ],
)
def test_kernels_stop_when_asked(center, width, maxiter):
    """Raised from another thread in the middle of the work; what took seconds ends at once."""
    grid = Grid.window(center, width, (512, 512))
    Mandelbrot(50)(grid[::64, ::64])  # compiled before the clock runs
    cancellation, stopped = Cancellation(), []

    def work():
        with cancellable(cancellation):
            try:
                Mandelbrot(maxiter)(grid)
            except Cancelled:
                stopped.append(time.monotonic())
            else:
                stopped.append(None)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.05)
    began = time.monotonic()
    cancellation.cancel()
    thread.join(timeout=20)
    assert stopped
    if stopped[0] is not None:  # else the machine was quicker than 50 ms
        assert stopped[0] - began < 1  # milliseconds on an idle machine


def test_cancelled_before_it_begins():
    cancellation = Cancellation()
    cancellation.cancel()
    with cancellable(cancellation), pytest.raises(Cancelled):
        Mandelbrot(255)(Grid.window("-0.5", "3", (64, 64)))
