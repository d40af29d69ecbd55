"""What a computation may cost: the limit is the context's, and kernels tell it before they begin."""

from __future__ import annotations

from contextvars import copy_context

import pytest

from mandeldask.budget import TooDear, limited, spend
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot


def test_without_a_limit_anything_may_be_spent():
    spend(1e9, "a tile")


def test_what_was_spent_counts():
    with limited(10):
        spend(8, "one")
        with pytest.raises(TooDear, match=r"another may take 3 s, more than the 2 s left of 10"):
            spend(3, "another")
        spend(2, "a smaller one")


def test_a_limit_is_the_contexts_own():
    with limited(1):
        context = copy_context()
        with limited(5):
            spend(4, "a tile")
        with pytest.raises(TooDear, match="more than the 1 s allowed"):
            spend(4, "a tile")
    spend(4, "a tile")
    with pytest.raises(TooDear):
        context.run(spend, 4, "a tile")


def test_a_kernel_tells_before_it_begins(monkeypatch):
    monkeypatch.setattr("mandeldask.fractal.mandelbrot.run", pytest.fail)
    with limited(1), pytest.raises(TooDear, match="64 x 32 pixels to maxiter 1000000 may take"):
        Mandelbrot(1_000_000)(Grid.window("0", "4", (64, 32)))
