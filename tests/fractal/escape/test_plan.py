"""The plan of stages: what runs where, that each stage answers rightly, and that the docs show this very table."""

from __future__ import annotations

import re
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from fractal.oracle import wrong_pixels
from fractal.places import PLACES
from mandeldask.fractal.escape import limits
from mandeldask.fractal.escape.plan import PLAN, Situation, checked, main_stage, run, table
from mandeldask.fractal.escape.tile import Tile
from mandeldask.fractal.geometry import Axis, Grid
from mandeldask.fractal.mandelbrot import Mandelbrot

DOCS = Path(__file__).parents[3] / "docs" / "explanation"
COUNTS, BOTH = ("iterations",), ("iterations", "smooth", "distance")
PERIOD_25 = "-1.99999999999998685104553996191188755025624555822937869304145"
NAMES = [stage.name for stage in PLAN]

# A window where each stage answers pixels: center, width, side, maxiter, fields.
EXAMPLES = {
    "quad-tree": ("-0.9", "2", 48, 300, COUNTS),
    "far out": ("1e30", "1e25", 24, 300, BOTH),
    "exterior fields": ("0.5+0.5j", "0.2", 48, 300, BOTH),
    "float64, early": ("-0.75+0.1j", "1e-2", 48, 2000, COUNTS),
    "attracting cycles": (PLACES["nucleus of the period-3 island"], "1e-2", 24, 4000, COUNTS),
    "float64": (PLACES["seahorse"], "1e-12", 24, 5000, COUNTS),
    "double-double": (PLACES["tip -2"], "1e-13", 24, 5000, COUNTS),
    "triple-double": (PLACES["seahorse"], "1e-14", 24, 5000, BOTH),
    "minibrot": (PERIOD_25, "1e-32", 24, 100_000, COUNTS),
    "perturbation": (PLACES["M(4,1)"], "1e-26", 24, 2000, COUNTS),
    "perturbation, double-double": (PLACES["M(4,1)"], "1e-26", 24, 5000, BOTH),
    "exact": (PLACES["tip -2"], "1e-20", 24, 5000, COUNTS),
}


def situation(spacing, *, open_pixels=10_000, maxiter=5000, fields=False, has_reference=False):
    return Situation(spacing, 512 * spacing, maxiter, open_pixels, fields, 1, has_reference)


def tried(now):
    return [stage.name for stage in PLAN if stage.condition.holds(now)]


def test_what_runs_at_a_spacing():
    assert tried(situation(2.0**-20)) == [name for name in NAMES if name not in {"far out", "exterior fields"}]
    assert tried(situation(2.0**-70, fields=True)) == [
        *("quad-tree", "exterior fields", "float64, early"),
        *("minibrot", "perturbation", "perturbation, double-double", "exact"),
    ]
    assert tried(situation(2.0**-100)) == [
        *("quad-tree", "minibrot", "perturbation", "perturbation, double-double", "exact")
    ]


def test_a_few_pixels_get_orbits_of_their_own():
    few = tried(situation(2.0**-70, open_pixels=limits.FEWEST_FOR_REFERENCE - 1))
    assert {"double-double", "triple-double", "exact"} < set(few)
    assert "perturbation" not in few
    assert "perturbation" in tried(situation(2.0**-70, open_pixels=1, has_reference=True))


def test_short_orbits_need_no_second_pass():
    assert "float64" not in tried(situation(2.0**-20, maxiter=limits.EARLY_ITERATIONS))


@pytest.mark.parametrize("stage", PLAN, ids=NAMES)
def test_a_stage_is_a_function_that_is_proved(stage):
    page, _, anchor = stage.proof.partition("#")
    headings = re.findall(r"^### (.*)$", (DOCS / page).read_text(), re.MULTILINE)
    assert anchor in [heading.lower().replace(" ", "-") for heading in headings]
    module, _, function = stage.function.partition(":")
    if stage.within:
        assert stage.within in NAMES
    else:
        assert callable(getattr(import_module(f"mandeldask.fractal.escape.{module}"), function))


def test_the_docs_show_the_plan():
    assert table() in (DOCS / "exactness.md").read_text(), "replace the table of stages by `plan.table()`"


@pytest.mark.parametrize("name", NAMES)
def test_what_a_stage_answers_is_right(name):
    """Of the pixels that each stage answers, some are counted again with python-flint's balls."""
    center, width, side, maxiter, fields = EXAMPLES[name]
    grid = Grid.window(center, width, (side, side))
    tile = Tile.blank(grid, maxiter, fields)
    by_stage, before = {}, set(range(side * side))
    for stage in PLAN:
        stage.try_on(tile)
        left = set(tile.open.tolist())
        by_stage[stage.name], before = sorted(before - left), left
    report = tile.answered
    assert list(report) == [one for one in NAMES if one in report]
    assert report[name] > 0
    answered = by_stage[next(stage.within or stage.name for stage in PLAN if stage.name == name)]
    some = np.random.default_rng(1).permutation(answered)[:6].tolist()
    assert wrong_pixels(grid, tile.counts.reshape(side, side), maxiter, [divmod(pixel, side) for pixel in some]) == []


def test_the_report_names_stages_in_their_order():
    report = Mandelbrot(3000, BOTH).report(Grid.window(PLACES["seahorse"], "1e-14", (24, 24)))
    assert list(report) == [name for name in NAMES if name in report]
    assert sum(report.values()) == 24 * 24


def test_rows_farther_apart_than_columns():
    """A condition goes by the larger spacing, so that one row or column is judged by the pixels that exist."""
    grid = Grid(Axis(Fraction(1, 2), Fraction(1, 2**100), 8), Axis(Fraction(-1, 2), Fraction(1, 2**20), 8))
    tile = Tile.blank(grid, 300)
    assert Situation.of(tile).spacing == 2.0**-20
    run(tile)
    assert not tile.open.size


def test_the_stage_that_the_cost_is_taken_from():
    assert main_stage(limits.FLOAT64_ENOUGH).name == "float64"
    assert main_stage(limits.FLOAT64_ENOUGH / 2).name == "perturbation"
    assert all(seconds > 0 for stage in map(main_stage, (1.0, 0.0)) for seconds in stage.seconds)


def test_a_plan_begins_with_the_quad_tree_and_ends_with_integers():
    assert checked(PLAN) == PLAN
    with pytest.raises(ValueError, match="first stage must be"):
        checked((PLAN[3], PLAN[0], *PLAN[4:]))
    with pytest.raises(ValueError, match="last stage must be"):
        checked(PLAN[:-1])


def test_the_quad_tree_refuses_a_tile_with_closed_pixels():
    tile = Tile.blank(Grid.window("-0.5", "3", (8, 8)), 50)
    tile.close(np.arange(64) == 5)
    with pytest.raises(ValueError, match="all 64 pixels must be open for the quad-tree, not 63"):
        PLAN[0].run(tile)
