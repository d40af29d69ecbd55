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
        ("-0.5", "3", 400_000_000),
        (PLACES["Feigenbaum"], "1e-3", 400_000_000),
        (PLACES["seahorse"], "1e-9", 200_000_000),
        (PLACES["M(2,2) i"], "1e-40", 20_000_000),
    ],
)
def test_kernels_stop_when_asked(center, width, maxiter):
    """Raised from another thread in the middle of the work; left alone it would take minutes and more."""
    grid = Grid.window(center, width, (512, 512))
    Mandelbrot(50)(grid[::64, ::64])  # compiled before it is cancelled
    cancellation, stopped = Cancellation(), []

    def work():
        with cancellable(cancellation):
            try:
                Mandelbrot(maxiter)(grid)
            except Cancelled:
                stopped.append("cancelled")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    time.sleep(0.05)
    cancellation.cancel()
    thread.join(timeout=300)
    assert stopped == ["cancelled"]


def test_cancelled_before_it_begins():
    cancellation = Cancellation()
    cancellation.cancel()
    with cancellable(cancellation), pytest.raises(Cancelled):
        Mandelbrot(255)(Grid.window("-0.5", "3", (64, 64)))
