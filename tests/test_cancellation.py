"""Cancelling a computation: the flag belongs to the context, and kernels see it within milliseconds."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from contextvars import copy_context

import pytest

from fractal.places import PLACES
from mandeldask.cancellation import Cancellation, Cancelled, cancellable, current
from mandeldask.fractal.escape.perturbation.orbit_source import cached_orbit, orbits_from
from mandeldask.fractal.escape.plan import PLAN
from mandeldask.fractal.escape.tile import Tile
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
        (PLACES["Feigenbaum"], "1e-40", 400_000_000),
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


@pytest.mark.parametrize("fields", [("iterations",), ("smooth", "distance")], ids="-".join)
@pytest.mark.parametrize("stage", [stage for stage in PLAN if not stage.within], ids=lambda stage: stage.name)
def test_no_stage_works_for_a_cancelled_tile(stage, fields):
    """What it does between two looks would show; left alone, most would take hours here."""
    tile = Tile.blank(Grid.window(PLACES["Feigenbaum"], "1e-3", (64, 64)), 2**32 - 1, fields)
    tile.cancellation.cancel()
    with cancellable(tile.cancellation), suppress(Cancelled):
        stage.run(tile)
    assert not tile.answered
    assert (tile.counts == tile.maxiter).all()


@pytest.mark.parametrize("field", ["iterations", "distance"])
def test_nothing_is_answered_around_a_reference_that_came_too_late(field):
    cancellation = Cancellation()

    def late(*what):
        orbit = cached_orbit(*what)
        cancellation.cancel()
        return orbit

    grid = Grid.window(PLACES["tip -2"], "1e-35", (48, 48))
    with cancellable(cancellation), orbits_from(late), pytest.raises(Cancelled):
        Mandelbrot(3000, (field,))(grid)
