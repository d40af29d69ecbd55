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


def _group(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text)


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Return the folder where control groups would be mounted, with this process in /a/b of both versions."""
    (tmp_path / "own").write_text("5:cpu,memory:/a/b\n0::/a/b\n")
    monkeypatch.setattr(memory, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    return tmp_path


def test_control_groups_and_their_parents_bound_it(groups):
    stat = "anon 1\ninactive_file 50000\ntotal_inactive_file 7\n"
    _group(groups / "a/b", memory_max="max\n", memory_current="300000\n", memory_stat=stat)
    assert free_bytes() > 2**20
    _group(groups / "a", memory_max="1000000\n", memory_current="400000\n", memory_stat=stat)
    assert free_bytes() == 650_000  # cached files are freed when needed
    _group(groups / "memory", memory_limit_in_bytes="900000\n", memory_usage_in_bytes="400000\n", memory_stat=stat)
    assert free_bytes() == 500_007


def test_arrays_of_dask_stop_when_the_memory_is_nearly_full(groups, tree):
    whole = tree["49/iterations"] + 1
    assert whole[:2, :2].values.shape == (2, 2)
    _group(groups, memory_max=f"{2**30}\n", memory_current=f"{2**30 - 2**26}\n", memory_stat="anon 1\n")
    with pytest.raises(MemoryError, match="64 MiB are free"):
        (tree["42/iterations"] + 1).compute()
