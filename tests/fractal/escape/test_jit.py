"""Compiled kernels on disk: whatever is wrong there, they are compiled again, and one line says so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import gc, resource, signal, sys
from mandeldask.fractal.escape.arithmetic.jit import inlined, inner, kernel

@inlined
def times(x, n):
    return n * x

@inner
def twice(x):
    return times(x, 2)

@kernel
def doubled(x):
    return twice(x)

@kernel
def tripled(x):
    return times(x, 3)

if "full" in sys.argv:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))  # writing more is an OSError, as on a full disk
print(doubled(21), tripled(14))
assert twice(21) == 42 and gc.isenabled()
print(sum(doubled.stats.cache_hits.values()), file=sys.stderr) if "hits" in sys.argv else None
"""


@pytest.fixture
def run(tmp_path):
    script, cache = tmp_path / "script.py", tmp_path / "cache"
    script.write_text(PROGRAM)

    def ran(*arguments, code=(str(script),), folder=cache):
        environment = os.environ | {"NUMBA_CACHE_DIR": str(folder)}
        command = [sys.executable, *code, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=200)
        assert done.stdout == "42 42\n"
        return done.stderr.splitlines()

    ran.cache = cache
    return ran


def test_kernels_are_kept_and_truncated_files_are_compiled_again_and_replaced(run):
    assert run() == []
    assert run("hits") == ["1"]
    for ending, left in (("nbi", 0), ("nbi", 10), ("nbc", 0.5)):
        files = list(run.cache.rglob(f"*.{ending}"))
        assert files
        for file in files:
            content = file.read_bytes()
            file.write_bytes(content[: int(left * len(content)) if left < 1 else left])
        (line,) = run()
        assert "cannot be read" in line
        assert "they are compiled now" in line
        assert run("hits") == ["1"]


def test_a_full_disk_is_said_once(run):
    (line,) = run("full")
    assert "cannot be kept" in line


def test_where_nothing_can_be_kept_kernels_are_compiled(run):
    (line,) = run(code=("-c", PROGRAM), folder="/dev/null/nothing")  # code without a file has no place of its own
    assert "can be kept nowhere" in line
