"""The progress of long work: reported to the context's listener, shown in rows of a bar."""

from __future__ import annotations

import time

import numpy as np
import pytest

from mandeldask.cancellation import current
from mandeldask.fractal.escape.perturbation import reference_orbit
from mandeldask.fractal.escape.perturbation.reference_orbit import ReferenceOrbit
from mandeldask.fractal.rationals import as_point
from mandeldask.lazy import progress
from mandeldask.lazy.progress import reporting
from mandeldask.lazy.threads import stoppable_threads
from mandeldask.progress import Amount, Work, announce, listening


def test_without_a_listener_nothing_happens():
    announce(Work("a", "b", 3), 1)


def test_a_listener_is_the_contexts_own():
    outer, inner, work = [], [], Work("a", "b", 3)
    with listening(lambda *reported: outer.append(reported)):
        announce(work, 1)
        with listening(lambda *reported: inner.append(reported)):
            announce(work, 2)
        announce(work, 3)
    assert (outer, inner) == ([(work, 1), (work, 3)], [(work, 2)])


@pytest.mark.parametrize(("center", "iterations"), [("1j", 50_000), ("-1.5+0.3j", 8)])
def test_long_references_tell_how_far_they_are_to_their_end(monkeypatch, center, iterations):
    monkeypatch.setattr(reference_orbit, "_LONG_S", 0.0)
    reported = []
    with listening(lambda *one: reported.append(one)):
        orbit = ReferenceOrbit.start(as_point(center), 500).extended(50_000)
    assert len(orbit) <= iterations
    works, done = {work for work, _ in reported}, [one for _, one in reported]
    assert [(work.unit, work.total) for work in works] == [("iterations", 50_000)]
    assert done == sorted(done)
    assert done[-1] == 50_000


def test_short_references_are_not_worth_a_word():
    with listening(lambda *_: pytest.fail("reported")):
        ReferenceOrbit.start(as_point("1j"), 500).extended(1000)


def test_a_bar_shows_long_work_in_a_row_of_its_own(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setenv("COLUMNS", "200")
    work = Work("reference orbit", "iterations", 1000)
    with reporting("5 tiles", progress=True) as report:
        report(2, 5)
        announce(work, 400)
        time.sleep(0.3)  # a bar is drawn ten times a second
        announce(work, 1000)
        report(5, 5)
    shown = capsys.readouterr().err
    assert all(said in shown for said in ("reference orbit", "400/1000", "iterations/s", "tiles/s", "5/5"))
    assert "1000/1000" not in shown  # gone once it is done


def test_threads_of_dask_know_who_may_stop_them_and_who_listens():
    import dask.array as da

    flags, reported, heard = [], [], []

    def block(values):
        flags.append(current().flag)
        announce(work, 1)
        return values + 1

    def interrupted_block(_):
        stopped.append(current().flag)
        raise KeyboardInterrupt

    work, numbers, stopped = Work("a", "b", 1), da.zeros(4, chunks=1, dtype=int), []

    def interrupted():
        with listening(lambda *one: heard.append(one)), stoppable_threads(lambda *one: reported.append(one)):
            assert np.array_equal(numbers.map_blocks(block, dtype=int).compute(), np.ones(4))
            assert not any(flag[0] for flag in flags)
            numbers.map_blocks(interrupted_block, meta=numbers._meta).compute()

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(flags) >= 4
    assert stopped
    assert all(flag[0] for flag in stopped)
    assert set(heard) == {(work, 1)}
    assert any(done == total >= 4 for done, total in reported)


def test_rates_are_those_of_what_was_done_now(monkeypatch, capsys):
    clock = iter([0.0, 0.0, 5.0, 5.0, 20.0, 20.0, 20.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    with reporting("export", progress="lines") as report:
        report(11, 41, 512**2, 1000)  # ten were there before
        report(21, 41, 11 * 512**2, 10**6)
    assert capsys.readouterr().err == "export: 21 of 41 tiles, 0.6 tiles/s, 0.1 Mpx/s, 1.0 MB, 0:00:36 left\n"


def test_a_callable_is_called_with_two_numbers():
    seen = []
    with reporting("export", progress=lambda done, total: seen.append((done, total))) as report:
        report(1, 2, 3, 4)
        report(2, 2)
    assert seen == [(1, 2), (2, 2)]


def test_a_callable_of_one_argument_has_what_the_bar_shows(monkeypatch):
    clock = iter([0.0, 0.0, 20.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    seen = []
    with reporting("export", progress=seen.append) as report:
        report(11, 41, 512**2, 1000)
        report(21, 41, 11 * 512**2, 10**6)
    assert seen[1] == Amount(21, 41, 11, 11 * 512**2, 10**6, 20.0)
    assert seen[1].left == pytest.approx(20 * 20 / 11)
