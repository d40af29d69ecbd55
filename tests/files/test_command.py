"""`mandeldask serve PATH` and `mandeldask info PATH`."""

import json
import os
import sys
import time
from subprocess import run

import httpx
import numpy as np
import pytest
import tifffile
import zarr

from mandeldask.cli import commands
from servers import serving


@pytest.fixture
def folder(tmp_path):
    tifffile.imwrite(tmp_path / "scan.tif", np.arange(48, dtype="u2").reshape(6, 8))
    (tmp_path / "runs").mkdir()
    np.save(tmp_path / "runs" / "a.npy", np.arange(5))
    (tmp_path / "runs" / "bad.tif").write_bytes(b"nothing")
    (tmp_path / "runs" / "notes.txt").write_text("not shown")
    return tmp_path


def command(*arguments):
    line = [sys.executable, "-m", "mandeldask", *map(str, arguments)]
    done = run(line, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "120"})
    return done.returncode, done.stdout, done.stderr


def test_info_shows_what_would_be_served_and_what_is_left_out(folder):
    code, out, err = command("info", folder / "scan.tif", folder / "runs")
    assert (code, err) == (0, "")
    assert "scan.tif" in out
    assert "6×8" in out
    assert "its name is that of a TIFF" in " ".join(out.split())
    assert "notes.txt" not in out
    rows = {row["path"]: row for row in json.loads(command("info", folder / "runs", "--json")[1])}
    assert rows["runs/a.npy"] == {
        "path": "runs/a.npy",
        "shape": [5],
        "dtype": "int64",
        "chunks": [5],
        "dims": ["a.npy_0"],
    }
    assert "but its content is not" in rows["runs/bad.tif"]["skipped"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["nothing.tif"], "no file or folder"), (["runs", "runs"], "have the name"), (["runs/bad.tif"], "its content")],
)
def test_what_cannot_be_served_is_told_in_one_line(folder, capsys, arguments, said):
    for verb in ("info", "serve"):
        assert commands.run([verb, *(str(folder / each) for each in arguments)]) == 2
        assert said in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("workers", [1, 2])
def test_serve_answers_all_paths_in_both_formats(folder, workers):
    with serving(str(folder / "scan.tif"), str(folder / "runs"), "--workers", str(workers)) as server:
        assert any("bad.tif is left out" in line for line in server.lines)
        urls = [line.split()[-1] for line in server.lines if "Zarr v" in line]
        assert len(urls) == 4
        expected = tifffile.imread(folder / "scan.tif")
        for url in urls:
            shown = zarr.open(url, mode="r")
            if "scan" in url:
                np.testing.assert_array_equal(shown[...], expected)
            else:
                assert list(shown.keys()) == ["a.npy"]
                assert dict(shown.attrs)["skipped"]["bad.tif"].startswith("its name")
        np.save(folder / "runs" / "b.npy", np.arange(3))
        time.sleep(1.1)
        assert sorted(zarr.open(urls[-1], mode="r").keys()) == ["a.npy", "b.npy"]
        base = urls[0].partition("/zarr/")[0]
        assert httpx.get(f"{base}/zarr/v3/at/0~5.zarr/zarr.json").status_code == 404


def test_include_exclude_and_hidden(folder, capsys):
    np.save(folder / "runs" / ".secret.npy", np.arange(3))
    np.save(folder / "runs" / "b.npy", np.arange(3))

    def names(*options):
        assert commands.run(["info", str(folder / "runs"), "--json", *options]) == 0
        rows = json.loads(capsys.readouterr().out)
        return [row["path"].partition("/")[2] for row in rows if "shape" in row]

    assert names() == ["a.npy", "b.npy"]
    assert names("--include", "b*") == ["b.npy"]
    assert names("--exclude", "b*", "--hidden") == [".secret.npy", "a.npy"]
