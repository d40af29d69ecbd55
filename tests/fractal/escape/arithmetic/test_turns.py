"""Processes take turns at compiling: locks on files, which two turns of one process hold apart as well."""

import threading

import numba
import pytest

from mandeldask.cancellation import Cancellation, Cancelled, cancellable
from mandeldask.fractal.escape.arithmetic import turns
from mandeldask.fractal.escape.arithmetic.jit import kernel
from mandeldask.fractal.escape.arithmetic.turns import Busy, Turn, hasty


@pytest.fixture
def pair(tmp_path):
    """Two turns at the same kernel."""
    both = Turn(tmp_path / "new" / "a.lock"), Turn(tmp_path / "new" / "a.lock")
    yield both
    for turn in both:
        turn.end()


def test_one_at_a_time(pair):
    mine, other = pair
    mine.take()
    mine.take()
    with hasty(), pytest.raises(Busy):
        other.take()
    mine.end()
    with hasty():
        other.take()


def test_something_else_is_done_meanwhile(pair, monkeypatch):
    mine, other = pair
    done = []

    def go_on():
        done.append("job")
        if len(done) == 3:
            mine.end()
        return True

    monkeypatch.setattr(turns, "go_on", go_on)
    mine.take()
    other.take()
    assert len(done) == 3


def test_waiting_ends_when_the_computation_is_cancelled(pair, monkeypatch):
    monkeypatch.setattr(turns, "go_on", lambda: False)
    mine, other = pair
    mine.take()
    cancellation = Cancellation()
    threading.Timer(0.05, cancellation.cancel).start()
    with cancellable(cancellation), pytest.raises(Cancelled):
        other.take()


def test_a_folder_that_cannot_be_made_needs_no_turns(tmp_path):
    (tmp_path / "file").touch()
    Turn(tmp_path / "file" / "a.lock").take()


def test_a_kernel_that_cannot_be_compiled_ends_its_turn(tmp_path, monkeypatch):
    monkeypatch.setattr(turns, "begin", lambda _folder: None)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    @kernel
    def fails(x):
        return x.no_such_attribute

    with pytest.raises(numba.TypingError):
        fails(1.0)
    (lock,) = tmp_path.rglob("*.lock")
    turn = Turn(lock)
    with hasty():
        turn.take()
    turn.end()
