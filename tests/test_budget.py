"""The cost limit of computations: it belongs to the context, and kernels state their estimates before they begin."""

from __future__ import annotations

import threading
import time
from contextvars import copy_context

import pytest

from mandeldask import budget
from mandeldask.budget import BudgetExceeded, limited, metered, spend
from mandeldask.cancellation import Cancellation, Cancelled, cancellable
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot


def test_without_a_limit_anything_may_be_spent():
    spend(1e9, "a tile")


def test_what_was_spent_counts():
    with limited(10):
        spend(8, "one")
        with pytest.raises(BudgetExceeded, match=r"another may take 3 s, more than the 2 s left of 10"):
            spend(3, "another")
        spend(2, "a smaller one")


def test_a_limit_is_the_contexts_own():
    with limited(1):
        context = copy_context()
        with limited(5):
            spend(4, "a tile")
        with pytest.raises(BudgetExceeded, match="more than the 1 s allowed"):
            spend(4, "a tile")
    spend(4, "a tile")
    with pytest.raises(BudgetExceeded):
        context.run(spend, 4, "a tile")


def test_a_kernel_tells_before_it_begins(monkeypatch):
    monkeypatch.setattr("mandeldask.fractal.mandelbrot.run", pytest.fail)
    with limited(1), pytest.raises(BudgetExceeded, match="64 x 32 pixels to maxiter 1000000 may take"):
        Mandelbrot(1_000_000)(Grid.window("0", "4", (64, 32)))


@pytest.fixture
def compiled(monkeypatch):
    """Kernels take no time to compile."""
    monkeypatch.setattr(budget, "COMPILE_S", 0.0)


def burn(seconds, cancellation):
    stop = time.thread_time() + seconds
    while time.thread_time() < stop:
        cancellation.check()


def test_what_takes_longer_than_allowed_is_stopped(compiled):
    cancellation = Cancellation()
    began = time.thread_time()
    message = "a tile took more than the 0.2 s allowed and was stopped"
    with limited(0.2), pytest.raises(BudgetExceeded, match=message), metered("a tile", cancellation.cancel):
        burn(30, cancellation)
    assert time.thread_time() - began < 10


def test_time_in_which_others_have_the_cpu_does_not_count(compiled):
    cancellation = Cancellation()
    with limited(0.2), metered("a tile", cancellation.cancel):
        time.sleep(0.6)
    assert not cancellation.cancelled


def test_threads_that_compute_for_one_limit_use_it_together(compiled):
    cancellation, raised = Cancellation(), []

    def work():
        try:
            with metered("a block", cancellation.cancel):
                burn(30, cancellation)
        except BudgetExceeded as error:
            raised.append(error)

    with limited(0.3):
        threads = [threading.Thread(target=copy_context().run, args=(work,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert len(raised) == 3


def test_a_kernel_that_was_underestimated_is_stopped(monkeypatch, compiled):
    monkeypatch.setattr("mandeldask.fractal.escape_time.spend", lambda *_: None)
    grid = Grid.window("-0.7436438870371587+0.1318259042053120j", "1e-13", (512, 512))
    with limited(0.01), pytest.raises(BudgetExceeded, match=r"pixels to maxiter 4000000 took more than the 0\.01 s"):
        Mandelbrot(4_000_000)(grid)


def test_errors_and_cancellations_of_others_stay_what_they_are():
    given_up = Cancellation()
    given_up.cancel()
    with limited(100), pytest.raises(Cancelled), cancellable(given_up):
        Mandelbrot(1000)(Grid.window("0", "4", (64, 64)))
    with limited(100), pytest.raises(ZeroDivisionError), metered("a tile", given_up.cancel):
        1 / 0  # noqa: B018
    assert not budget._watch._meters
