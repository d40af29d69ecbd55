"""Folders of processes that were killed are removed by the next process; those of living ones and of others stay."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mandeldask import owned_folder as module
from mandeldask.owned_folder import owned_folder

OWNER = """
import time
from mandeldask.owned_folder import owned_folder
with owned_folder("test-owned-") as folder:
    (folder / "orbit").write_text("x")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no locks of folders")
def test_a_folder_goes_with_its_owner_however_that_ends(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(module, "NEW_S", -1.0)
    (tmp_path / "test-owned-file").write_text("x")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "test-owned-link").symlink_to(elsewhere)
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as owner:
        theirs = Path(owner.stdout.readline().strip())
        with owned_folder("test-owned-") as ours:
            assert (theirs / "orbit").exists()
        assert not ours.exists()
        owner.kill()
    assert theirs.exists()
    monkeypatch.setattr(module, "NEW_S", 60.0)
    with owned_folder("test-owned-"):
        assert theirs.exists()  # it may be about to be locked
    monkeypatch.setattr(module, "NEW_S", -1.0)
    with owned_folder("test-owned-") as ours:
        assert not theirs.exists()
        assert ours.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"elsewhere", "test-owned-file", "test-owned-link"}
