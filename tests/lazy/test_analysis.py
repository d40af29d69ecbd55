"""The functions of docs/how-to/analyse.md, against published values."""

import re
from pathlib import Path

import numpy as np
import pytest

import mandeldask as md

PAGE = Path(__file__).parents[2] / "docs/how-to/analyse.md"


@pytest.fixture(scope="module")
def page():
    """Return the names that the page defines, its blocks run as readers would."""
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
    return names


def test_the_area_converges_to_the_published_one(page):
    tree = md.open_pyramid(levels=8, tilesize=128, maxiter=2000)
    errors = [found - 1.50659188 for found in page["area_by_level"](tree, [7, 6, 5]).values()]
    assert 0.02 > errors[0] > errors[1] > errors[2] > 0
    assert errors[2] < 0.006


def test_the_area_by_step_is_the_published_one(page):
    """A(2^14) = 1.5067932403: girving/mandelbrot, notes of October 2026."""
    counts = md.window("-0.5", "3", (600, 600), maxiter=2**14).iterations
    by_step = page["area_by_step"](counts, 9)
    assert by_step[2**14].item() == pytest.approx(1.50679324, abs=0.004)
    assert by_step.size == 2**14 + 1


@pytest.mark.parametrize("step", [3, 20])
def test_one_picture_holds_the_area_of_every_step(page, step):
    by_step = page["area_by_step"](md.window("0", "5", (100, 100), maxiter=20).iterations, 25)
    capped = md.window("0", "5", (100, 100), maxiter=step).iterations
    assert by_step[step].item() == pytest.approx(page["area"](capped, 5))


def test_the_histogram_counts_every_pixel_once(page):
    counts = md.window("0", "5", (100, 120), maxiter=60, chunks=30).iterations
    expected = np.bincount(counts.values.ravel(), minlength=61)
    np.testing.assert_array_equal(page["escape_histogram"](counts), expected)


def test_a_circle_has_dimension_one_and_a_filled_plane_two(page):
    sizes = [64, 128, 256, 512]
    circle = []
    for n in sizes:
        window = md.window("0", "5", (n, n), maxiter=1)
        circle.append(int((abs(np.hypot(window.x, window.y) - 2) < 5 / n).sum()))
    np.testing.assert_allclose(page["local_dimensions"](sizes, circle), 1, atol=0.02)
    np.testing.assert_allclose(page["local_dimensions"](sizes, np.square(sizes)), 2)


def test_boxes_cover_the_neighbourhood_of_the_boundary(page):
    """A fine picture measures the area within the width of a box."""
    (counted,) = page["boundary_boxes"]("-0.75", "3", [64])
    fine = md.window("-0.75", "3", (1024, 1024), maxiter=1000, fields="distance").distance
    assert counted == pytest.approx(int((fine < 3 / 64).sum()) / 16**2, rel=0.05)


def test_smaller_boxes_come_nearer_to_the_dimension_of_the_theorem(page):
    """2 (Shishikura 1998), for the whole and for every piece; pictures of 19,200 pixels gave 1.84 at most."""
    assert (np.diff(2 - page["whole"]) < 0).all()
    assert 2 - page["whole"][-1] == pytest.approx(0.31, abs=0.01)
    seahorse = page["local_dimensions"]([64, 128, 256], page["seahorse"])
    assert (page["whole"][-1] + 0.08 < seahorse).all()
    assert (seahorse < 1.84).all()


@pytest.mark.slow
def test_the_dimension_goes_on_rising(page):
    sizes = [2048, 4096, 8192]
    dimensions = page["local_dimensions"](sizes, page["boundary_boxes"]("-0.75", "3", sizes))
    np.testing.assert_allclose(dimensions, [1.703, 1.719], atol=0.002)


def test_pi_comes_digit_by_digit(page):
    """OEIS A097486, which counts the step that escapes too."""
    assert [page["pi_by_escape"](n) for n in range(6)] == [3, 33, 315, 3143, 31417, 314160]
