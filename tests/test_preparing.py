"""Kernels compiled before a visitor waits for them."""

import subprocess
from contextlib import contextmanager
from types import SimpleNamespace

import mandeldask as md
from mandeldask.cli import preparing


@contextmanager
def cold(_event):
    """Say that kernels were compiled."""
    yield SimpleNamespace(buffer=["a kernel"])


def refused(*_arguments, **_keywords):
    raise PermissionError(13, "Permission denied")


def test_a_server_that_may_not_start_a_process_serves_all_the_same(monkeypatch):
    monkeypatch.setattr("mandeldask.internals.numba_names.install_recorder", cold)
    monkeypatch.setattr(preparing, "FIRST_VIEW", ())
    monkeypatch.setattr(subprocess, "Popen", refused)
    entered = False
    with preparing.prepared(md.Pyramid(levels=1, tilesize=16)):
        entered = True
    assert entered


def test_the_process_ends_with_the_block(monkeypatch):
    monkeypatch.setattr("mandeldask.internals.numba_names.install_recorder", cold)
    monkeypatch.setattr(preparing, "FIRST_VIEW", ())
    started, start = [], subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *args, **options: started.append(start(*args, **options)) or started[0]
    )
    with preparing.prepared(md.Pyramid(levels=1, tilesize=16)):
        assert started[0].poll() is None
    assert started[0].poll() is not None
