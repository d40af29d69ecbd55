"""Processes take turns at compiling: locks on files, which also exclude two locks of one process."""

import threading

import numba
import pytest

from mandeldask.cancellation import Cancellation, Cancelled, cancellable
from mandeldask.fractal.escape.arithmetic import kernel_lock
from mandeldask.fractal.escape.arithmetic.jit import kernel
from mandeldask.fractal.escape.arithmetic.kernel_lock import Busy, KernelLock, without_waiting


@pytest.fixture
def pair(tmp_path):
    """Two locks of the same kernel."""
    both = KernelLock(tmp_path / "new" / "a.lock"), KernelLock(tmp_path / "new" / "a.lock")
    yield both
    for turn in both:
        turn.release()


def test_one_at_a_time(pair):
    mine, other = pair
    mine.acquire()
    mine.acquire()
    with without_waiting(), pytest.raises(Busy):
        other.acquire()
    mine.release()
    with without_waiting():
        other.acquire()


def test_something_else_is_done_meanwhile(pair, monkeypatch):
    mine, other = pair
    done = []

    def go_on():
        done.append("job")
        if len(done) == 3:
            mine.release()
        return True

    monkeypatch.setattr(kernel_lock, "do_other_work", go_on)
    mine.acquire()
    other.acquire()
    assert len(done) == 3


def test_waiting_ends_when_the_computation_is_cancelled(pair, monkeypatch):
    monkeypatch.setattr(kernel_lock, "do_other_work", lambda: False)
    mine, other = pair
    mine.acquire()
    cancellation = Cancellation()
    threading.Timer(0.05, cancellation.cancel).start()
    with cancellable(cancellation), pytest.raises(Cancelled):
        other.acquire()


def test_a_folder_that_cannot_be_made_needs_no_turns(tmp_path):
    (tmp_path / "file").touch()
    KernelLock(tmp_path / "file" / "a.lock").acquire()


def test_a_kernel_that_cannot_be_compiled_ends_its_turn(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel_lock, "note_missing_kernel", lambda _folder: None)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    @kernel
    def fails(x):
        return x.no_such_attribute

    with pytest.raises(numba.TypingError):
        fails(1.0)
    (lock,) = tmp_path.rglob("*.lock")
    turn = KernelLock(lock)
    with without_waiting():
        turn.acquire()
    turn.release()
