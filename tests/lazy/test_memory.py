"""Reads that are too large are refused before anything is computed."""

from __future__ import annotations

import math
import time

import dask.array as da
import numpy as np
import pytest

import mandeldask as md
from mandeldask.lazy import memory
from mandeldask.lazy.guarded import GuardedArray
from mandeldask.lazy.memory import check_read, free_bytes

LEVELS = ["0", "20", "41", "42", "43"]


@pytest.fixture(scope="module")
def tree():
    return md.open_pyramid()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "read",
    [
        lambda level: level.iterations.values,
        lambda level: level.iterations.compute(),
        lambda level: level.to_dataset().load(),
        lambda level: np.asarray(level.iterations),
    ],
    ids=["values", "compute", "load", "asarray"],
)
def test_a_whole_deep_level_is_refused_at_once(tree, level, read):
    started = time.process_time()
    with pytest.raises(MemoryError, match="select a window first"):
        read(tree[level])
    assert time.process_time() - started < 5  # computing it would take hours


def test_a_whole_tree_is_refused_at_once(tree):
    with pytest.raises(MemoryError, match="open a coarser level"):
        tree.compute()


def test_what_fits_is_computed(tree):
    level = tree["49/iterations"]
    assert isinstance(level.data, GuardedArray)
    assert level.compute().shape == (1024, 1024)


def test_windows_and_reductions_are_plain_arrays(tree):
    level = tree["43/iterations"].data
    for derived in (level[:10, :10], level.sum(), level + 1):
        assert type(derived) is da.Array


@pytest.mark.parametrize("level", ["36", "37", "42"])
def test_a_copy_is_refused_too_and_no_coordinates_are_listed_one_by_one(tree, level):
    started = time.process_time()
    with pytest.raises(MemoryError, match="select a window first"):
        tree[level].iterations.copy(deep=True).compute()
    assert time.process_time() - started < 5  # 20 s where Python rounds each coordinate


@pytest.mark.parametrize("free", [2**20, 2**27])
def test_what_does_not_fit_into_free_memory_is_refused(monkeypatch, free):
    monkeypatch.setattr(memory, "free_bytes", lambda: free)
    with pytest.raises(MemoryError, match=r"they take 0\.5 GiB, and 0\.[01] GiB are free"):
        md.open_pyramid(levels=5)["0/iterations"].compute()


def test_small_reads_do_not_look_at_the_memory(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 0.0)
    check_read((1024, 1024), 8)


def test_the_free_memory_is_what_the_system_says():
    free = free_bytes()
    assert 2**20 < free < 2**50 or free == math.inf


def test_a_control_group_bounds_it(tmp_path, monkeypatch):
    (tmp_path / "max").write_text("1000000\n")
    (tmp_path / "current").write_text("400000\n")
    monkeypatch.setattr(memory, "_LIMITS", ((tmp_path / "max", tmp_path / "current"),))
    assert free_bytes() == 600_000
    (tmp_path / "max").write_text("max\n")
    assert free_bytes() > 600_000
