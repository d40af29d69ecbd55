"""Ctrl-C ends processes immediately that would compute for minutes."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time

import dask
import pytest
from dask.callbacks import Callback

import mandeldask as md
from mandeldask.cancellation import Cancellation, Cancelled, cancellable, current
from mandeldask.fractal import interruption
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.interrupt_watch import interrupt_watch
from mandeldask.fractal.interruption import interruptible
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.lazy import threads as _stops_tasks_of_dask  # noqa: F401

SETUP = """
import sys, time
import mandeldask as md
slow = md.window("-1.4011551890920506", "1e-6", (256, 256), maxiter=4_000_000_000, chunks={chunks})  # for hours
md.window("-1.4011551890920506", "1e-6", (64, 64), maxiter=3000, chunks=None).iterations.values
"""
COMPUTE = {
    "lazy": ("None", "slow.iterations.values"),
    "synchronous": ("64", "slow.iterations.compute(scheduler='synchronous')"),
    "threads": ("64", "slow.iterations.compute(scheduler='threads')"),
}
MOST_S = 60.0
"""Seconds after which a process counts as not stopped; it would go on for hours."""
UNTIL_IT_WAITS_S = 0.3
"""Seconds after which the main thread waits: Python misses a signal that comes in the moment before it does."""


@pytest.fixture
def nothing_runs_on():
    """Stop what a failed test leaves running: it would take a thread of dask from every later test."""
    yield
    for cancellation in tuple(interruption._running):
        cancellation.cancel()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT between processes")
@pytest.mark.parametrize("how", COMPUTE)
def test_ctrl_c_ends_a_process(how):
    chunks, compute = COMPUTE[how]
    code = SETUP.format(chunks=chunks) + textwrap.dedent(f"""
        print("computing", flush=True)
        try:
            {compute}
        except KeyboardInterrupt:
            print("interrupted", time.monotonic(), flush=True)
            raise
        """)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "computing\n"
        time.sleep(1)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=MOST_S)
    finally:
        process.kill()
        process.wait()
    assert out.startswith("interrupted")
    assert "KeyboardInterrupt" in err


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a thread")
@pytest.mark.usefixtures("nothing_runs_on")
def test_ctrl_c_leaves_no_task_of_dask_running():
    slow = md.window("-1.4011551890920506", "1e-6", (256, 256), maxiter=4_000_000_000, chunks=64)  # for hours
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main = threading.main_thread().ident
        threading.Timer(0.5, signal.pthread_kill, [main, signal.SIGINT]).start()
        with pytest.raises(KeyboardInterrupt):
            slow.iterations.compute(scheduler="threads")
    finally:
        signal.signal(signal.SIGINT, before)
    started = time.monotonic()
    while interruption._running:
        assert time.monotonic() - started < MOST_S
        time.sleep(0.005)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a thread")
@pytest.mark.usefixtures("nothing_runs_on")
def test_ctrl_c_stops_a_task_of_dask_that_has_not_reached_its_kernel(monkeypatch):
    monkeypatch.setattr(Callback, "active", set())  # as after two threads computed at once
    begun, goes_on, ended = threading.Event(), threading.Event(), threading.Event()
    raised = []

    def task():
        begun.set()
        assert goes_on.wait(MOST_S)
        try:
            Mandelbrot(4_000_000_000)(Grid.window("-1.4011551890920506", "1e-6", (64, 64)))  # for hours
        except Cancelled as error:
            raised.append(error)
        finally:
            ended.set()

    def interrupt(main):
        assert begun.wait(MOST_S)
        time.sleep(UNTIL_IT_WAITS_S)
        signal.pthread_kill(main, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Thread(target=interrupt, args=(threading.main_thread().ident,)).start()
        with pytest.raises(KeyboardInterrupt):
            dask.delayed(task, pure=False)().compute(scheduler="threads")
    finally:
        signal.signal(signal.SIGINT, before)
        goes_on.set()
    assert ended.wait(MOST_S)
    assert raised


@pytest.fixture
def handler():
    """Set what Ctrl-C does; pytest's own handler raises KeyboardInterrupt."""
    before = signal.getsignal(signal.SIGINT)
    yield lambda handle: signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGINT, before)


def test_only_a_program_that_handles_ctrl_c_itself_computes_in_another_thread(handler):
    main = threading.current_thread()
    handler(signal.default_int_handler)
    assert interruptible(threading.current_thread, 0.0) is main
    assert interruptible(threading.current_thread, 1.0) is main
    reader, writer = socket.socketpair()
    writer.settimeout(0)
    with reader, writer:
        signal.set_wakeup_fd(writer.fileno())
        try:
            assert interruptible(threading.current_thread, 1.0) is not main
        finally:
            assert signal.set_wakeup_fd(-1) == writer.fileno()
    handler(lambda *_: None)
    assert interruptible(threading.current_thread, 0.0) is main
    assert interruptible(threading.current_thread, 1.0) is not main
    assert signal.set_wakeup_fd(-1) == -1


def test_a_ctrl_c_that_is_noticed_too_late_repeats_a_computation(handler):
    handler(signal.default_int_handler)
    calls = []

    def call():
        calls.append(current())
        if len(calls) == 1:
            interrupt_watch()._writer.send(bytes([signal.SIGINT]))
            while True:
                current().check()
        return "result"

    assert interruptible(call, 1.0) == "result"
    assert len(calls) == 2


@pytest.mark.parametrize("handle", [signal.default_int_handler, lambda *_: None])
def test_what_can_be_interrupted_returns_raises_and_is_cancelled(handler, handle):
    handler(handle)
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0, 1.0)
    cancellation = Cancellation()
    timer = threading.Timer(0.2, cancellation.cancel)
    timer.start()
    with cancellable(cancellation), pytest.raises(Cancelled):
        Mandelbrot(4_000_000_000)(Grid.window("-1.4011551890920506", "1e-6", (64, 64)))  # for hours
    timer.join()


def test_ctrl_c_does_not_wait_for_what_stops_late_and_its_thread_ends(handler):
    goes_on, runs_in = threading.Event(), []

    def own(*_):
        raise KeyboardInterrupt

    def late():
        runs_in.append(threading.current_thread())
        time.sleep(UNTIL_IT_WAITS_S)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        goes_on.wait(MOST_S)

    handler(own)
    with pytest.raises(KeyboardInterrupt):
        interruptible(late, 1.0)
    assert runs_in[0].is_alive()
    assert interruptible(threading.current_thread, 1.0) is not runs_in[0]
    goes_on.set()
    runs_in[0].join(MOST_S)
    assert not runs_in[0].is_alive()
