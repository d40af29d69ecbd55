"""Films: keyframes are exact, transitions between them are smooth, and a killed film continues."""

from __future__ import annotations

import os
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

import mandeldask.film as films
from interrupted import interrupted
from mandeldask.cli import commands
from mandeldask.film import Film, frames_of
from mandeldask.scene import Scene

LAST = Scene("-0.75+0.1j", "0.1", "48x32", 1, "smooth", "ember")
OPTIONS = ["--width", "0.1", "--frames", "12", "--size", "48x32", "--maxiter", "200", "--quiet"]


def run(*arguments):
    return commands.run(["zoom", "-0.75+0.1j", *OPTIONS, *map(str, arguments)])


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_frames_are_the_pictures_of_their_widths_and_a_killed_film_goes_on(tmp_path, monkeypatch, capsys):
    target = tmp_path / "frames"
    drawn = []
    real = films.write_png

    def interrupted(file, *rest):
        drawn.append(file.name)
        if len(drawn) == 4:
            raise KeyboardInterrupt
        real(file, *rest)

    monkeypatch.setattr(films, "write_png", interrupted)
    assert run("--out", target) == 130
    keys = {path: path.stat().st_mtime_ns for path in (target / films.KEYS).iterdir()}
    assert len(keys) == 3
    assert run("--out", target) == 0
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in keys.items())
    assert len(drawn) == 4 + Film(LAST, "4", 12).keys - 3
    frames = sorted(path for path in target.iterdir() if path.suffix == ".png")
    assert len(frames) == 12
    first, last = tmp_path / "first.png", tmp_path / "last.png"
    for path, width in ((first, "4"), (last, "0.1")):
        place = ["--center", "-0.75+0.1j", "--width", width, "--size", "48x32", "--oversample", "2"]
        assert commands.run(["render", str(path), *place, "--field", "smooth", "--maxiter", "200"]) == 0
    assert np.array_equal(pixels(frames[0]), pixels(first))
    assert abs(pixels(frames[-1]) - pixels(last)).mean() < 25
    frames[5].unlink()
    assert run("--out", target) == 0
    assert len(list(target.glob("frame-*.png"))) == 12
    assert run("--out", target, "--cmap", "lagoon") == 2
    assert "contains frames of another film" in capsys.readouterr().err


def test_a_real_ctrl_c_ends_a_film_and_leaves_whole_keyframes(tmp_path):
    target = tmp_path / "frames"
    place = ["-1.4011551890920506", "--from", "2e-6", "--width", "1e-6", "--size", "48x32", "--frames", "2", "--quiet"]
    assert commands.run(["zoom", *place, "--maxiter", "3000", "--out", str(tmp_path / "warm")]) == 0  # kernels compiled
    left = interrupted("zoom", *place, "--maxiter", "4000000000", "--out", str(target))
    assert left == (130, "", "mandeldask: stopped\n")
    assert not list(target.rglob("*.png"))


def test_nothing_jumps_where_a_keyframe_takes_over(tmp_path):
    film = Film(LAST, "0.8", 49, 200)  # three octaves, 16 frames each
    films.draw_keys(film, tmp_path, lambda _done, _total: None)
    steps = np.array([np.asarray(frame).astype(int) for frame in frames_of(film, tmp_path)])
    changes = abs(np.diff(steps, axis=0)).mean((1, 2, 3))
    assert changes[[15, 16, 31, 32]].max() < 2 * np.median(changes)


@pytest.mark.external
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_ffmpeg_writes_films(tmp_path):
    target = tmp_path / "film.mp4"
    assert run("--out", target) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]
    asked = ["-count_frames", "-show_entries", "stream=nb_read_frames,width,height", "-of", "csv=p=0"]
    said = subprocess.run(["ffprobe", "-v", "error", *asked, str(target)], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "48,32,12"


def test_without_ffmpeg_the_error_offers_frames(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(os.environ, "PATH", "")
    assert run("--out", tmp_path / "film.mp4") == 2
    assert "needs ffmpeg (https://ffmpeg.org), which is not installed; or use --out frames/" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-0.75+0.1j"], "zoom needs --width"),
        (["0", "--width", "5"], "must end deeper than it begins: the last width 5 is not below 4"),
        (["0", "--width", "1", "--out", "x.avi"], "--out must be a folder, or a film that ends in"),
        (["0", "--width", "1", "--out", "no/such/frames"], "there is no folder 'no/such'"),
        (["0", "--width", "1", "--field", "colour"], "fields must be one or more of"),
        (["0", "--width", "1", "--cmap", "nope", "--size", "8x8"], "cmap must be one of"),
    ],
)
def test_bad_input_is_refused_before_anything_is_computed(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert commands.run(["zoom", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
