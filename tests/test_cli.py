"""The command line as users run it: processes, exit codes, errors of one line."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import zarr
from PIL import Image

import mandeldask as md
from interrupted import interrupted
from mandeldask import scene
from mandeldask.cli import commands, options, render, text
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot


def run(capsys, *arguments):
    """Run the command line in this process: exit code, stdout, stderr."""
    code = commands.run(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_without_arguments_it_helps(capsys):
    code, out, _ = run(capsys)
    assert code == 0
    assert all(command in out for command in ("serve", "export", "render", "info"))


@pytest.mark.parametrize("command", ["serve", "export", "render", "info"])
def test_help_shows_an_example(capsys, command):
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert f"mandeldask {command}" in out.split("Example", 1)[1]


BAD = {
    "info --levels 60": r"levels must be at most 53 at tilesize 512, not 60: level 0 .* more than the 2\*\*63-1",
    "serve --levels 60": r"levels must be at most 53 at tilesize 512",
    "info --levels many": r"Invalid value for '--levels'",
    "info --maxiter 0": r"maxiter must be an integer from 1 to 4294967295, not 0",
    "info --maxiter lots": r"maxiter must be an integer, \"auto\" or integers joined by commas, not 'lots'",
    "info --maxiter 5,6": r"maxiter must have one value for each of 50 levels, not 2",
    "info --width -5": r"width must be positive, not -5",
    "info --width 1e-1000000": r"width has an exponent beyond 100000 digits .*: '1e-1000000'",
    "render x.png --width 1e-1000000": r"width has an exponent beyond 100000 digits .*: '1e-1000000'",
    "info --maxiter 4294967296": r"maxiter must be an integer from 1 to 4294967295, not 4294967296",
    "info --width nothing": r"width must be a number",
    "info --center 1+2+3": r"center must look like \"-0.75\+0.1j\", not '1\+2\+3'",
    "info --tilesize 0": r"tilesize must be an integer from 1",
    'info --fields ""': r"--fields must name one or more of iterations, .*, joined by commas, not ''",
    'info --center ""': r"the value of --center is empty: give it a value, or leave it out",
    "info --width=": r"the value of --width is empty",
    'serve ""': r"an argument is empty",
    "info --center '0.5 0,1i'": r"center must look like",
    "render x.png --maxiter -1": r"maxiter must be \"auto\" or an integer from 1 to 4294967295, .* not '-1'",
    "render picture --size 8x8": r"a picture cannot be written without a suffix",
    "zoom 1j --width 1 --fps 30": r"No such option: --fps",
    "export ftp://127.0.0.1:1/x.zarr --only 49": r"target ftp://127.0.0.1:1/x.zarr (cannot be opened|needs fsspec)",
    "serve --cache-dir /dev/null": r"cache_dir /dev/null cannot be a folder: File exists",
    "serve --cache-dir /dev/null/c": r"cache_dir /dev/null/c cannot be a folder: Not a directory",
    "info --center http://x/#re=1": r"a link to a place must contain re= and im=, unlike 'http://x/#re=1'",
    "render x.jpg --size 8000x6000 --oversample 4": r"--size 8000x6000 with --oversample 4 computes 768000000 points, "
    r"more than the 268435456 of a picture: the largest of this shape is --size 4729x3546",
    "render . --size 8x8": r"'.' cannot be written: it is a folder",
    "info --fields colour": r"fields must be one or more of .*, not 'colour'",
    "export out.zarr --only 7-60": r"levels must be from 0 to 49, such as \"46-49\", not '7-60'",
    "export out.zarr --only 0": r"0/iterations has 3e\+35 elements, .*; select from the levels 39 to 49 .*",
    "render x.png --size 640": r"size must be WIDTHxHEIGHT in pixels, such as \"1920x1080\", not '640'",
    "render x.png --width 1 --level 3": r"use --width or --level, not both",
    "render x.png --level 50": r"level must be 0 to 49, not 50",
    "render x.png --cmap nope --size 8x8": r"cmap must be one of ember, .*, not 'nope'",
    "render x.nope --size 8x8": r"a picture cannot be written as '.nope'",
    "render no/such/x.png --size 8x8": r"there is no folder 'no/such' to write to",
    "render /proc/x.png --size 8x8": r"'/proc/x.png' cannot be written: (No such file or directory|it is not writable)",
    "serve --host 0.0.0.0": r"other machines can reach 0.0.0.0: set an API key, or state .* public",
    "serve --allow-origin nonsense": r"an origin must look like \"https://example.org\" or be \"\*\", not 'nonsense'",
    "info --bogus": r"No such option: --bogus",
    "paint": r"No such command 'paint'",
}


@pytest.mark.parametrize("line", BAD)
def test_bad_input_is_one_line_and_exit_code_2(capsys, tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *shlex.split(line))
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"mandeldask: {BAD[line]}.*\n", err)
    assert not list(tmp_path.iterdir())


def test_huge_numbers_are_accepted_on_request(capsys):
    code, out, _ = run(capsys, "info", "--levels", "1", "--width", "1e-100001", "--allow-huge", "--json")
    assert code == 0
    assert json.loads(out)["width"] == "1e-100001"


def test_info_reads_and_writes_a_million_digits(capsys):
    code, out, _ = run(capsys, "info", "--levels", "1", "--width", "1e-1000000", "--allow-huge")
    assert code == 0
    assert "width 1e-1000000" in out
    assert "9.766e-1000004" in out


def test_render_takes_huge_numbers_on_request(capsys, tmp_path):
    target = tmp_path / "tip.png"
    place = "--center", "-2", "--width", "1e-100001", "--allow-huge"
    assert run(capsys, "render", str(target), *place, "--size", "2x2", "--maxiter", "9")[0] == 0
    with Image.open(target) as picture:
        shown = json.loads(picture.text["mandeldask"])
        assert (shown["center"], shown["width"]) == ("-2+0j", "1e-100001")
        assert (
            len(picture.convert("RGB").getcolors()) == 2
        )  # -2 and what is right of it stay, the others escape at once


def test_info_tables_every_level(capsys):
    code, out, _ = run(capsys, "info", "--maxiter", "auto")
    rows = [line.split() for line in out.splitlines() if re.match(r"\s+\d+ ", line)]
    pyramid = md.Pyramid(maxiter="auto")
    assert code == 0
    assert [row[0] for row in rows] == [str(level) for level in range(50)]
    assert rows[0][1:3] == ["2^59", "2^50"]
    assert rows[49][1:3] == ["1024", "2"]
    assert [str(pyramid.maxiter_at(level)) in row for level, row in enumerate(rows)] == [True] * 50


def test_info_is_cut_nowhere_at_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = run(capsys, "info", "--maxiter", "auto", "--fields", "iterations,smooth,distance,period")
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_info_as_json_makes_the_pyramid_again(capsys):
    _, out, _ = run(capsys, "info", "--levels", "3", "--center", "-3/4+1e-400j", "--json")
    said = json.loads(out)
    fingerprint = said.pop("fingerprint")
    assert md.Pyramid(**said).fingerprint == fingerprint
    assert md.Pyramid(levels=3, center="-3/4+1e-400j").fingerprint == fingerprint


def test_export_writes_what_the_kernel_counts_and_goes_on(capsys, tmp_path):
    target = tmp_path / "out.zarr"
    line = ("export", str(target), "--levels", "4", "--tilesize", "32", "--only", "2-3", "--quiet")
    code, out, _ = run(capsys, *line)
    assert code == 0
    assert "24 chunks written" in out  # of 20 tiles and 4 coordinates
    written = zarr.open_group(target, mode="r")["2/iterations"][:]
    pyramid = md.Pyramid(levels=4, tilesize=32)
    np.testing.assert_array_equal(written, Mandelbrot(255)(pyramid.grid(2))["iterations"])
    assert re.search(r"0 chunks written \(0 B\), 24 were there", run(capsys, *line)[1])
    assert "24 chunks, 24 compared with the source, all right" in run(capsys, "verify", str(target), "--full")[1]
    (target / "2/iterations/c/0/0").unlink()
    assert run(capsys, "verify", str(target))[0] == 1
    assert "missing: 2/iterations/c/0/0" in run(capsys, "verify", str(target), "--repair")[1]
    assert run(capsys, "verify", str(target))[0] == 0


def test_render_draws_the_window_and_says_what_it_shows(capsys, tmp_path):
    target = tmp_path / "set.png"
    code, out, _ = run(capsys, "render", str(target), "--size", "80x60", "--maxiter", "100")
    assert (code, out) == (0, f"{target}\n")
    with Image.open(target) as picture:
        shown = json.loads(picture.text["mandeldask"])
        assert picture.text["Software"] == f"mandeldask {md.__version__}"
        counts = Mandelbrot(shown["maxiter"])(Grid.window(shown["center"], shown["width"], (60, 80)))["iterations"]
        expected = md.render(counts, shown["cmap"], maxiter=100)
        assert picture.convert("RGB").tobytes() == expected.tobytes()


def test_a_real_ctrl_c_stops_render_and_leaves_the_file_as_it_was(tmp_path):
    target = tmp_path / "set.png"
    target.write_bytes(b"an older picture")
    place = "--center", "-1.4011551890920506", "--width", "1e-6", "--size", "64x64"
    assert commands.run(["render", str(tmp_path / "warm.png"), *place, "--maxiter", "3000"]) == 0  # kernels compiled
    left = interrupted("render", str(target), *place, "--maxiter", "4000000000")  # for hours
    assert left == (130, "", "mandeldask: stopped\n")
    assert {path.name for path in tmp_path.iterdir()} == {"set.png", "warm.png"}
    assert target.read_bytes() == b"an older picture"


def test_ctrl_c_while_the_file_is_written_leaves_it_as_it_was(capsys, tmp_path, monkeypatch):
    def save(file, *_):
        file.write(b"half")
        raise KeyboardInterrupt

    target = tmp_path / "set.png"
    target.write_bytes(b"an older picture")
    monkeypatch.setattr(render, "write_png", save)
    assert run(capsys, "render", str(target), "--size", "8x8") == (130, "", "mandeldask: stopped\n")
    assert [path.name for path in tmp_path.iterdir()] == ["set.png"]
    assert target.read_bytes() == b"an older picture"


def test_render_at_a_level_shows_its_own_pixels(capsys, tmp_path):
    target = tmp_path / "level.png"
    run(capsys, "render", str(target), "--center", "0", "--level", "49", "--size", "1024x1024", "--maxiter", "255")
    level = md.open_pyramid()["49/iterations"]
    with Image.open(target) as picture:
        assert picture.convert("RGB").tobytes() == md.render(level).tobytes()


def test_large_pictures_are_written_band_by_band_and_say_how_to_draw_them_again(capsys, tmp_path, monkeypatch):
    whole, banded, jpeg = (tmp_path / name for name in ("whole.png", "banded.png", "whole.webp"))
    options = ["--size", "120x90", "--oversample", "2", "--edges", "0.5", "--field", "smooth", "--maxiter", "200"]
    assert run(capsys, "render", str(whole), *options)[0] == 0
    assert run(capsys, "render", str(jpeg), *options)[0] == 0
    monkeypatch.setattr(scene, "BAND", 3000)
    assert len(list(scene.Scene.of_file(whole).bands())) == 15
    code, out, _ = run(capsys, "info", str(whole))
    assert code == 0
    again = shlex.split(out.partition("again: mandeldask ")[2].replace(str(whole), str(banded)))
    assert run(capsys, *again)[0] == 0
    with Image.open(whole) as one, Image.open(banded) as other, Image.open(jpeg) as third:
        assert one.tobytes() == other.tobytes()
        assert third.size == one.size
        assert one.text == other.text
    assert json.loads(run(capsys, "info", str(whole), "--json")[1])[0]["edges"] == 0.5


def test_oversampling_averages(capsys, tmp_path):
    rough, fine = tmp_path / "rough.png", tmp_path / "fine.png"
    run(capsys, "render", str(rough), "--size", "64x48")
    run(capsys, "render", str(fine), "--size", "16x12", "--oversample", "4", "--maxiter", "255")
    with Image.open(rough) as big, Image.open(fine) as small:
        assert small.size == (16, 12)
        assert big.convert("RGB").reduce(4).tobytes() == small.convert("RGB").tobytes()


@pytest.mark.parametrize(
    ("module", "line", "extra"),
    [
        ("typer", "info", "cli"),
        ("rich", "info", "cli"),
        ("uvicorn", "serve", "serve"),
        ("starlette", "serve", "serve"),
        ("PIL", "render x.png --size 8x8", "render"),
        ("matplotlib", "render x.png --size 8x8 --cmap cubehelix", "render"),
    ],
)
def test_a_missing_extra_is_named_in_one_line(tmp_path, module, line, extra):
    hidden = f"import sys; sys.modules[{module!r}] = None; from mandeldask.cli import main; main()"
    command = [sys.executable, "-c", hidden, *line.split()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, env=dict(os.environ))
    assert done.returncode == 2
    assert re.fullmatch(rf"mandeldask: .*pip install 'mandeldask\[{extra}\]'.*\n", done.stderr)


def test_python_dash_m_is_the_command():
    done = subprocess.run([sys.executable, "-m", "mandeldask", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"mandeldask {md.__version__}\n"


@pytest.mark.parametrize(
    ("spec", "levels"), [("44-49", range(44, 50)), ("3,1, 3", (1, 3)), ("0", (0,)), ("7-8,2", (2, 7, 8))]
)
def test_levels_are_named_singly_or_in_spans(spec, levels):
    assert options.as_levels(spec, 50) == tuple(levels)


def test_spacings_are_told_in_four_digits_whatever_their_length():
    for tiny in (Fraction(5, 2**59), Fraction(123456, 10**309), Fraction(2**70 + 1, 3**700)):
        assert text.scientific(tiny) == f"{Decimal(tiny.numerator) / tiny.denominator:.3e}"


@pytest.mark.parametrize("spec", ["", "-1", "50", "5-", "a", "9-7"])
def test_levels_that_are_none(spec):
    with pytest.raises(ValueError, match="levels must be from 0 to 49"):
        options.as_levels(spec, 50)


def test_bytes_have_units():
    assert [text.in_bytes(n) for n in (0, 1023, 1024, 2**30, 2**118)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "1.0 GiB",
        "3.3e+35 B",
    ]


@pytest.mark.parametrize("arguments", [("--traceback", "info"), ("info", "--traceback")])
def test_where_an_error_comes_from_is_shown_on_request(capsys, monkeypatch, arguments):
    code, _, err = run(capsys, *arguments, "--levels", "0")
    assert code == 2
    assert err.startswith("Traceback (most recent call last)")
    assert err.splitlines()[-1].startswith("mandeldask: ")
    assert "Traceback" not in run(capsys, "info", "--levels", "0")[2]
    monkeypatch.setenv("MANDELDASK_TRACEBACK", "1")
    assert "Traceback" in run(capsys, "info", "--levels", "0")[2]
