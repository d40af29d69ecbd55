"""Kernels are compiled while a server starts, and this is displayed."""

import threading

import pytest

import mandeldask as md
from mandeldask.cli import preparing
from mandeldask.progress import Work, announce


def end_of_preparing():
    for thread in threading.enumerate():
        if thread.name == "mandeldask-kernels":
            thread.join()


def said(capfd, monkeypatch, compile_):
    monkeypatch.setattr(preparing, "compute", compile_)
    monkeypatch.setattr(preparing, "QUIET_S", 0.0)
    with preparing.prepared(md.Pyramid(levels=1, tilesize=16)):
        end_of_preparing()
    return capfd.readouterr().err


def test_what_is_compiled_is_said_once(capfd, monkeypatch):
    asked = []

    def compile_(tiles):
        asked.append(tiles)
        for label in ("a kernel", "another"):
            announce(Work(label, "", 1), 0)
            announce(Work(label, "", 1), 1)

    assert said(capfd, monkeypatch, compile_).count("mandeldask is compiling its kernels") == 1
    assert asked == [preparing.FIRST_VIEW]  # the second process does the rest


def test_kernels_that_are_there_are_loaded_without_a_word(capfd, monkeypatch):
    asked = []
    assert not said(capfd, monkeypatch, asked.append)
    assert asked == [preparing.FIRST_VIEW, preparing.DEPTH]


def test_the_server_does_not_wait(monkeypatch):
    going, ended = threading.Event(), threading.Event()
    monkeypatch.setattr(preparing, "compute", lambda _tiles: ended.wait(60) if going.is_set() else going.set())
    with preparing.prepared(md.Pyramid(levels=1, tilesize=16)):
        assert going.wait(60)
    ended.set()
    end_of_preparing()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_bar_is_gone_when_it_was_closed(when):
    shown = preparing._Shown()
    if when == "after":
        shown.update(Work("a kernel", "", 1), 0)
    shown.close()
    shown.update(Work("a kernel", "", 1), 0)
    assert shown.compiled is (when == "after")
