"""Places in links and files are read digit for digit."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

import mandeldask as md
from mandeldask.cli import commands
from mandeldask.fractal.place_url import as_spec
from mandeldask.fractal.places import Place, as_place
from mandeldask.fractal.pyramid import Pyramid
from mandeldask.fractal.rationals import as_point

DIGITS = "-0.743643887037158704752191506114774000000000000000000000000000000000001"


@pytest.mark.parametrize(
    "text",
    [
        f"http://127.0.0.1:8000/#re={DIGITS}&im=1e-40&width=1e-60&palette=ember",
        f"#re={DIGITS}&im=1e-40&width=1e-60",
        f"re={DIGITS}&im=1e-40&width=1e-60",
        f"https://example.org/view?re={DIGITS}&im=1e-40&width=1e-60",
    ],
)
def test_links_keep_every_digit(text):
    place = as_place(text)
    assert place.center == (Fraction(DIGITS), Fraction(1, 10**40))
    assert place.width == Fraction(1, 10**60)


def test_a_link_with_a_level_shows_that_level():
    spacing = Pyramid().grid(12).spacing
    assert as_place("#re=-0.75&im=0.1&level=12").width == 1024 * spacing
    between = as_place("#re=-0.75&im=0.1&level=12.5").width
    assert 1024 * spacing < between < 2048 * spacing


@pytest.mark.parametrize("suffix", ["", ".zarr", ".zarr/3/iterations/c/0/0"])
def test_a_place_in_a_url_is_read(suffix):
    pyramid = Pyramid(center="-0.75+0.1j", width="1/3", levels=20)
    url = f"http://127.0.0.1:8000/zarr/v3/at/{as_spec(pyramid)}{suffix}"
    assert as_place(url).center == pyramid.center
    assert as_place(url).width == pyramid.width
    assert as_place(as_spec(pyramid)).width == pyramid.width


@pytest.mark.parametrize("text", ["\N{MINUS SIGN}0.75+0.1j", "(-0.75+0.1j)", " -0.75+0.1i "])
def test_a_point_may_be_written_as_pages_and_python_print_it(text):
    assert as_place(text) == Place(as_point("-0.75+0.1j"))


@pytest.mark.parametrize("text", ["#re=1&level=3", "http://x/#im=2", "re=1&im=2&width=wide", "re=1&im=2&level=deep"])
def test_what_is_no_place_is_refused(text):
    with pytest.raises(ValueError, match=r"re= and im=|of the link must be a number"):
        as_place(text)


def test_a_window_is_opened_by_a_link():
    link = "http://127.0.0.1:8000/#re=-0.75&im=0.1&width=0.01"
    assert md.window(link, shape=(8, 8)).identical(md.window("-0.75+0.1j", "0.01", (8, 8)))
    assert md.window(link, "0.5", (8, 8)).attrs["exact_width"] == "0.5"
    with pytest.raises(TypeError, match="width is missing"):
        md.window("-0.75+0.1j")


@pytest.mark.parametrize("most", [0, 2**32, "many"])
def test_a_bad_bound_on_a_suggestion_is_named(most):
    with pytest.raises((TypeError, ValueError), match="most must be"):
        md.suggest_maxiter("0", "1", most=most)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("deep.kfr", "Re: -0.75\r\nIm: 0.1\r\nZoom: 4E40\r\nIterations: 5000\r\n"),
        (
            "deep.toml",
            'program = "fraktaler-3"\nlocation.real = "-0.75"\nlocation.imag = "0.1"\nlocation.zoom = "4e40"\n',
        ),
    ],
)
def test_location_files_of_other_programs_are_read(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert as_place(str(tmp_path / name)) == Place(as_point("-0.75+0.1j"), Fraction(1, 10**40))


def test_a_picture_says_where_it_is(tmp_path, capsys):
    target = tmp_path / "deep.png"
    place = ["--center=-0.75+0.1j", "--width", "1e-9", "--maxiter", "9", "--size", "8x6"]
    assert commands.run(["render", str(target), *place]) == 0
    assert as_place(str(target)) == Place(as_point("-0.75+0.1j"), Fraction(1, 10**9))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("deep.kfr", "Re: 1\n", "contains no place"),
        ("deep.toml", "[location\n", "contains no place"),
        ("deep.png", "none", "contains no place"),
        ("deep.kfr", "Re: x\nIm: 1\nZoom: 1\n", "must be a number"),
        ("deep.kfr", "Re: 1\nIm: 1\nZoom: 0\n", "zoom must be positive, not '0'"),
        ("deep.toml", "location = 5\n", "contains no place"),
        (None, "", "cannot be read"),
    ],
)
def test_files_without_a_place_are_refused(tmp_path, name, content, said):
    if name:
        (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=said):
        as_place(str(tmp_path / (name or "none.kfr")))


def test_locate_finds_a_minibrot(capsys):
    assert commands.run(["locate", "-1.75", "--radius", "0.01", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["period"], found["kind"], found["angles"]) == (3, "cardioid", "3/7, 4/7")
    assert found["re"].startswith("-1.7548776662")
    assert commands.run(["locate", "http://x/#re=2&im=2&width=0.01"]) == 1
    assert "no nucleus of a period up to" in capsys.readouterr().err
