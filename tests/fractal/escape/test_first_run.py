"""The first run on a machine: what is shared out is what the first pictures need, and the second process ends."""

import json
import os
import subprocess
import sys

import pytest

from mandeldask.fractal.escape import first_run
from mandeldask.fractal.escape.arithmetic.kernel_lock import KernelLock

LOADED = """
import json, sys
from mandeldask.fractal.escape.arithmetic import jit
from mandeldask.fractal.escape.first_run import compile_first
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
loaded, load = [], jit._KernelCache.load_overload
def loading(kept, signature, context):
    loaded.append(f"{kept._py_func.__module__.rpartition('.')[2]}.{kept._py_func.__name__}")
    return load(kept, signature, context)
jit._KernelCache.load_overload = loading
found = {}
for fields in ("iterations", "smooth"):
    loaded.clear()
    compile_first(with_fields=fields == "smooth")
    shared = list(loaded)
    loaded.clear()
    Mandelbrot(255, (fields,))(Grid.window("-0.5", "3", (512, 512)))
    found[fields] = shared, list(loaded)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found():
    """The kernels that a fresh process loads for what is shared out, and then for a tile."""
    alone = {**os.environ, first_run.ALONE: "1"}
    done = subprocess.run([sys.executable, "-c", LOADED], env=alone, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("fields", ["iterations", "smooth"])
def test_what_is_shared_out_is_what_the_first_picture_needs(found, fields):
    shared, later = found[fields]
    assert "float64_stage._run" in shared
    assert set(later) <= {"tile._copy_unmarked", "block_series._mark"}  # both together compile in a third of a second


def second_process(folder, cache):
    command = first_run.command(folder, with_fields=False)
    return subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, "NUMBA_CACHE_DIR": str(cache)})


def compiled(folder):
    """Kernels in a cache: a process that should not compile and does needs half a minute for the first of them."""
    return list(folder.rglob("*.nbc"))


def test_the_second_process_imports_what_the_first_does_and_nothing_of_the_folder_it_starts_in(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('of this folder')")
    monkeypatch.chdir(tmp_path)
    with second_process(tmp_path, tmp_path / "empty") as helper:
        helper.stdin.close()
        assert helper.wait(120) == 0
    assert not compiled(tmp_path)


def test_the_second_process_ends_with_the_first(tmp_path):
    helper = second_process(tmp_path, tmp_path / "empty")  # it would compile for half a minute
    helper.stdin.close()
    assert helper.wait(120) == 0
    assert not compiled(tmp_path)


def test_there_is_one_second_process_for_a_cache(tmp_path):
    turn = KernelLock(tmp_path / "second-process.lock")
    turn.acquire()
    with second_process(tmp_path, tmp_path / "empty") as helper:
        assert helper.wait(120) == 0
    assert not compiled(tmp_path)
    turn.release()


def test_a_program_that_is_no_python_is_not_started_again(monkeypatch):
    monkeypatch.delenv(first_run.ALONE, raising=False)
    monkeypatch.setattr(sys, "executable", "/opt/viewer")
    assert not first_run._may_start()


def test_the_second_process_starts_no_third(monkeypatch):
    monkeypatch.setenv(first_run.ALONE, "1")
    assert not first_run._may_start()
