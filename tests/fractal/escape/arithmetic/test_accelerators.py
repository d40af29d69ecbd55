"""Cheap tiles do without kernels that only save time and are not compiled yet; their counts are the same."""

from __future__ import annotations

import numpy as np
import pytest

from mandeldask.fractal.escape.arithmetic import accelerators
from mandeldask.fractal.escape.arithmetic.accelerators import Missing, is_optional, none_left_out, saves_time
from mandeldask.fractal.escape.arithmetic.turns import hasty
from mandeldask.fractal.escape.direct.prepared_tile import PreparedTile
from mandeldask.fractal.escape.proofs import quadtree_stage
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot


def _missing(*_):
    raise Missing


@pytest.fixture(autouse=True)
def nothing_spent(monkeypatch):
    monkeypatch.setattr(accelerators._Spent, "steps", 0)


@pytest.mark.parametrize(
    ("center", "width", "maxiter"),
    [("-0.5", "3", 255), ("0.25", "1e-3", 512), ("-1.25", "1e-9", 255), ("1j", "1e-14", 255), ("1e5", "1e6", 64)],
)
def test_counts_are_the_same_without_accelerators(monkeypatch, center, width, maxiter):
    grid = Grid.window(center, width, (64, 72))
    whole = Mandelbrot(maxiter)(grid)["iterations"]
    monkeypatch.setattr(quadtree_stage, "_fill", _missing)
    monkeypatch.setattr(PreparedTile, "series", _missing)
    np.testing.assert_array_equal(Mandelbrot(maxiter)(grid)["iterations"], whole)
    assert accelerators._Spent.steps > 0


@pytest.mark.parametrize("fields", [("smooth",), ("period",)])
def test_fields_wait_for_their_kernels(monkeypatch, fields):
    monkeypatch.setattr(quadtree_stage, "_fill", _missing)
    with pytest.raises(Missing):
        Mandelbrot(64, fields)(Grid.window("-0.5", "3", (8, 8)))


def test_a_report_waits_for_every_kernel(monkeypatch):
    monkeypatch.setattr(quadtree_stage, "_fill", _missing)
    with pytest.raises(Missing):
        Mandelbrot(64).report(Grid.window("-0.5", "3", (8, 8)))


def test_costly_tiles_wait(monkeypatch):
    with saves_time(accelerators._MOST_STEPS + 1):
        assert not is_optional()
    monkeypatch.setattr(accelerators._Spent, "steps", accelerators._ALL_STEPS)
    with saves_time(1):
        assert not is_optional()


def test_the_process_waits_once_tiles_have_cost_as_much_as_compiling(monkeypatch):
    monkeypatch.setattr(accelerators, "_ALL_STEPS", 250)
    for optional in (True, True, False):
        with saves_time(100):
            assert is_optional() == optional
            if optional:
                raise Missing


def test_compiling_ahead_leaves_none_out():
    with hasty(), saves_time(1):
        assert not is_optional()
    with none_left_out(), saves_time(1):
        assert not is_optional()
