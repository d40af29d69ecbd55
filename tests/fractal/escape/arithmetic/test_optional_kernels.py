"""Cheap tiles do without kernels that only save time and are not compiled yet; their counts are the same."""

from __future__ import annotations

import numpy as np
import pytest

from mandeldask.fractal.escape.arithmetic import optional_kernels
from mandeldask.fractal.escape.arithmetic.kernel_lock import without_waiting
from mandeldask.fractal.escape.arithmetic.optional_kernels import (
    KernelMissing,
    is_optional,
    with_all_kernels,
    without_missing_kernels,
)
from mandeldask.fractal.escape.direct.prepared_tile import PreparedTile
from mandeldask.fractal.escape.proofs import quadtree_stage
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot


def _missing(*_):
    raise KernelMissing


@pytest.fixture(autouse=True)
def nothing_spent(monkeypatch):
    monkeypatch.setattr(optional_kernels._StepsWithout, "steps", 0)


@pytest.mark.parametrize(
    ("center", "width", "maxiter"),
    [("-0.5", "3", 255), ("0.25", "1e-3", 512), ("-1.25", "1e-9", 255), ("1j", "1e-14", 255), ("1e5", "1e6", 64)],
)
def test_counts_are_the_same_without_optional_kernels(monkeypatch, center, width, maxiter):
    grid = Grid.window(center, width, (64, 72))
    whole = Mandelbrot(maxiter)(grid)["iterations"]
    monkeypatch.setattr(quadtree_stage, "_answer_blocks", _missing)
    monkeypatch.setattr(PreparedTile, "series", _missing)
    np.testing.assert_array_equal(Mandelbrot(maxiter)(grid)["iterations"], whole)
    assert optional_kernels._StepsWithout.steps > 0


@pytest.mark.parametrize("fields", [("smooth",), ("period",)])
def test_fields_wait_for_their_kernels(monkeypatch, fields):
    monkeypatch.setattr(quadtree_stage, "_answer_blocks", _missing)
    with pytest.raises(KernelMissing):
        Mandelbrot(64, fields)(Grid.window("-0.5", "3", (8, 8)))


def test_a_report_waits_for_every_kernel(monkeypatch):
    monkeypatch.setattr(quadtree_stage, "_answer_blocks", _missing)
    with pytest.raises(KernelMissing):
        Mandelbrot(64).report(Grid.window("-0.5", "3", (8, 8)))


def test_costly_tiles_wait(monkeypatch):
    with without_missing_kernels(optional_kernels._MOST_STEPS + 1):
        assert not is_optional()
    monkeypatch.setattr(optional_kernels._StepsWithout, "steps", optional_kernels._ALL_STEPS)
    with without_missing_kernels(1):
        assert not is_optional()


def test_the_process_waits_once_tiles_have_cost_as_much_as_compiling(monkeypatch):
    monkeypatch.setattr(optional_kernels, "_ALL_STEPS", 250)
    for optional in (True, True, False):
        with without_missing_kernels(100):
            assert is_optional() == optional
            if optional:
                raise KernelMissing


def test_compiling_ahead_leaves_none_out():
    with without_waiting(), without_missing_kernels(1):
        assert not is_optional()
    with with_all_kernels(), without_missing_kernels(1):
        assert not is_optional()
