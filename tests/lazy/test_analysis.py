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
    window = md.window("0", "5", (512, 512), maxiter=1).iterations
    radius = np.hypot(window.x, window.y)
    assert page["box_dimension"](abs(radius - 2) < 5 / 512) == pytest.approx(1, abs=0.1)
    assert page["box_dimension"](radius < 9) == pytest.approx(2, abs=1e-9)


def test_the_boundary_is_rougher_than_any_smooth_curve(page):
    """Its dimension is 2 (Shishikura 1998), which box counts approach from below."""
    assert 1.3 < page["box_dimension"](page["boundary"]) < 2


def test_pi_comes_digit_by_digit(page):
    """OEIS A097486, which counts the step that escapes too."""
    assert [page["pi_by_escape"](n) for n in range(6)] == [3, 33, 315, 3143, 31417, 314160]
