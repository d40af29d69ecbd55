"""Children that are forked after a computation can compute, and do not wait for threads of their parent."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

USES = {
    "a window": "lambda: int(md.window('-0.75', '0.1', (64, 64)).iterations.values.sum())",
    "a mean through dask": "lambda: float(tree['5/iterations'].mean().compute())",
    "dask in a thread": "lambda: threaded(lambda: float(tree['5/iterations'].mean().compute()))",
    "a store": "lambda: int(zarr.open_group(store, mode='r')['5/iterations'][:600, :600].sum())",
    "a mapping": "lambda: len(md.to_mapping(tree)['5/iterations/0/0'])",
    "a deep window": "lambda: int(md.window('-1.75', '1e-40', (16, 16), maxiter=300).iterations.values.sum())",
}

LAUNCHER = """
import json, os, sys
import dask.array, numba, xarray, zarr
import mandeldask as md

md.Pyramid, md.open_pyramid, md.to_store, md.to_mapping, md.window
for line in sys.stdin:
    program = os.fork()
    if program == 0:
        exec(json.loads(line), {})
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(program, 0)[1]), flush=True)
"""
"""Runs programs in processes of their own, forked after the imports, which take longest."""

PROGRAM = """
import os, signal, sys, threading, time
import zarr
import mandeldask as md

def threaded(call):
    results = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]

tree = md.open_pyramid(levels=6)
store = md.to_store(tree)
use = {use}
before = use()
{meanwhile}
child = os.fork()
if child == 0:
    signal.alarm(60)  # a hang is a failure, and ends
    os._exit(0 if use() == before else 3)
_, status = os.waitpid(child, 0)
os._exit(os.waitstatus_to_exitcode(status) and 1)
"""

BUSY = """
threading.Thread(target=lambda: [use() for _ in range(1000)], daemon=True).start()
time.sleep(0.2)
"""


@pytest.fixture(scope="module")
def ran():
    """Run a program; return whether its exit code is 0."""
    command = [sys.executable, "-W", "ignore", "-c", LAUNCHER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as launcher:

        def run(program):
            print(json.dumps(program), file=launcher.stdin, flush=True)
            return launcher.stdout.readline() == "0\n"

        yield run
        launcher.stdin.close()


@pytest.mark.parametrize("use", USES)
def test_a_forked_child_computes(ran, use):
    program = PROGRAM.format(use=USES[use], meanwhile="")
    assert ran(program)


@pytest.mark.parametrize("use", ["a window", "a mapping", "a deep window"])
def test_a_child_that_is_forked_while_a_thread_computes_computes(ran, use):
    program = PROGRAM.format(use=USES[use], meanwhile=BUSY)
    assert ran(program)


COMPILING = """
import os, signal, threading, time
import mandeldask as md
from mandeldask.fractal.escape.arithmetic import compiler_at_fork, jit
from numba.core.compiler_lock import global_compiler_lock

def compiles(seconds):  # as far as a fork can tell
    with global_compiler_lock:
        time.sleep(seconds)

md.window('-0.75', '0.1', (16, 16)).iterations.values

def child(seconds, wait):
    compiler_at_fork.WAIT_S = wait
    threading.Thread(target=compiles, args=(seconds,), daemon=True).start()
    time.sleep(0.1)
    forked = os.fork()
    if forked == 0:
        signal.alarm(60)  # a hang is a failure, and ends
        try:
            md.window('-0.75', '0.1', (16, 16)).iterations.values
        except RuntimeError as error:
            os._exit(2 if "forked while" in str(error) else 1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1])

assert child(3, 0.1) == 2  # it says at once that it cannot
time.sleep(3)
assert child(0.5, 30) == 0
md.window('-0.75', '0.1', (16, 16)).iterations.values  # the parent goes on
"""


def test_a_fork_waits_for_a_thread_that_compiles_or_the_child_says_that_it_cannot_compute(ran):
    assert ran(COMPILING)
