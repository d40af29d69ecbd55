"""The plan: every stage that answers pixels, in order, with its condition, its cost and its proof, as one table.

`Mandelbrot` runs it, `cost` estimates by it, and the table of docs/explanation/exactness.md is `table()`. A stage is
named by a string, since its import loads numba.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from itertools import groupby
from math import log2
from typing import TYPE_CHECKING, NamedTuple

from mandeldask.fractal.escape import limits
from mandeldask.fractal.escape.arithmetic.positions import as_pair
from mandeldask.fractal.rationals import exponent_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.geometry import Grid


class Situation(NamedTuple):
    """The data on which the condition of a stage may depend."""

    spacing: float
    """Distance of neighbouring pixels, the larger of rows and columns."""
    extent: float
    """Side of the grid, the longer one."""
    maxiter: int
    open: int
    """Pixels that no stage has answered."""
    fields: bool
    """Whether `smooth` or `distance` is wanted."""
    reach: int = 0
    """Every |re| and |im| of a pixel is below 2^this; 0 for counts, where no stage needs to know."""
    has_reference: bool = False
    """Whether an earlier stage has loaded a reference orbit."""

    @classmethod
    def of(cls, tile: Tile) -> Situation:
        """Return the situation of a tile between two stages."""
        reach = reach_of(tile.grid) if tile.wants_orbits else 0
        return cls(*spacing_of(tile.grid), tile.maxiter, tile.open.size, tile.wants_orbits, reach, tile.has_reference)

    def now(self, tile: Tile) -> Situation:
        """Return the situation of the same tile after another stage, without measuring the grid again."""
        spacing, extent, maxiter, _, fields, reach, _ = self
        return Situation(spacing, extent, maxiter, tile.open.size, fields, reach, tile.has_reference)


def spacing_of(grid: Grid) -> tuple[float, float]:
    """Return the larger spacing of `grid` and its longer side, as float64."""
    steps = [(abs(as_pair(axis.step)[0]), axis.size) for axis in (grid.re, grid.im)]
    return max(step for step, _ in steps), max(step * size for step, size in steps)


def reach_of(grid: Grid) -> int:
    """Return e such that every |re| and |im| of a pixel is below 2^e."""
    ends = (abs(end) for axis in (grid.re, grid.im) for end in (axis.start, axis[-1]))
    return max(exponent_of(end) if end else 0 for end in ends)


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of a `Situation`, and its description; conditions combine with ``&`` and ``|``."""

    text: str
    holds: Callable[[Situation], bool]

    def __and__(self, other: Condition) -> Condition:
        text = ", ".join(f"({one.text})" if "; or " in one.text else one.text for one in (self, other))
        return Condition(text, lambda now: self.holds(now) and other.holds(now))

    def __or__(self, other: Condition) -> Condition:
        return Condition(f"{self.text}; or {other.text}", lambda now: self.holds(now) or other.holds(now))


ALWAYS = Condition("always", lambda _: True)
FIELDS = Condition("fields wanted", lambda now: now.fields)
COUNTS = Condition("counts only", lambda now: not now.fields)
HAS_REFERENCE = Condition("a reference orbit is loaded", lambda now: now.has_reference)


def spacing_from(least: float) -> Condition:
    """Return the condition that the spacing is at least `least`."""
    return Condition(f"spacing ≥ 2^{log2(least):.0f}", lambda now: now.spacing >= least)


def finer_than(most: float) -> Condition:
    """Return the condition that the spacing is at most `most`."""
    return Condition(f"spacing ≤ 2^{log2(most):.0f}", lambda now: now.spacing <= most)


def extent_from(least: float) -> Condition:
    """Return the condition that the grid's longer side is at least `least`."""
    return Condition(f"grid ≥ 2^{log2(least):.0f} wide", lambda now: now.extent >= least)


def reaching(exponent: int) -> Condition:
    """Return the condition that a part of c may be as large as 2^exponent."""
    return Condition(f"c from 2^{exponent} on", lambda now: now.reach >= exponent)


def longer_than(iterations: int) -> Condition:
    """Return the condition that `maxiter` is greater than `iterations`."""
    return Condition(f"maxiter > {iterations}", lambda now: now.maxiter > iterations)


def pixels_from(least: int) -> Condition:
    """Return the condition that at least `least` pixels are open."""
    return Condition(f"≥ {least} pixels open", lambda now: now.open >= least)


def pixels_up_to(most: int) -> Condition:
    """Return the condition that at most `most` pixels are open."""
    return Condition(f"≤ {most} pixels open", lambda now: now.open <= most)


def steps_from(least: int) -> Condition:
    """Return the condition that the open pixels together may take at least `least` iterations."""
    return Condition(f"open pixels × maxiter ≥ 2^{log2(least):.0f}", lambda now: now.open * now.maxiter >= least)


_REFERENCE_PAYS = pixels_from(limits.FEWEST_FOR_REFERENCE) | finer_than(limits.FINEST_DIRECT)
_MULTI_DOUBLE_PAYS = (
    (COUNTS & spacing_from(limits.FINEST_MULTI_DOUBLE))
    | (FIELDS & spacing_from(limits.FINEST_MULTI_DOUBLE_FIELDS))
    | (pixels_up_to(limits.MOST_MULTI_DOUBLE) & spacing_from(limits.FINEST_DIRECT))
)


@dataclass(frozen=True, slots=True)
class Stage:
    """A row of the plan."""

    name: str
    """Its name in `Mandelbrot.report`."""
    function: str
    """``module:function`` within this package; the function takes the tile. Empty if the stage `within` runs it."""
    condition: Condition
    """When the stage is tried, if pixels are open."""
    answers: str
    """Which pixels it answers, and how."""
    proof: str
    """The proof of its answers in docs/explanation/: page and anchor."""
    seconds: tuple[float, float] = (0.0, 0.0)
    """Seconds of one core for an iteration of a pixel, for counts and with fields, earlier stages included.

    Half as much again as the most that `benchmarks/cost.py` measured; 0 where the stage does not iterate pixels.
    """
    within: str = ""
    takes_unit: bool = False
    """Whether the stage writes distances in the tile's unit, not in plane units."""

    def try_on(self, tile: Tile, before: Situation | None = None) -> None:
        """Answer the open pixels of `tile` that the stage can prove, if there are any and its condition holds.

        `before` is the situation of the tile at an earlier stage; it saves measuring the grid again.
        """
        if not tile.open.size or self.within:
            return
        now = before.now(tile) if before else Situation.of(tile)
        if self.condition.holds(now):
            self.run(tile)

    def run(self, tile: Tile) -> None:
        """Answer the open pixels of `tile` that the stage can prove, without testing its condition."""
        module, _, function = self.function.partition(":")
        tile.stage = self.name
        getattr(import_module(f"mandeldask.fractal.escape.{module}"), function)(tile)


def checked(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Return `stages` if the first and the last one are as the plan requires.

    Raises
    ------
    ValueError
        If the quad-tree is not the first stage, which needs a tile with all pixels open, or if the last stage does not
        answer all open pixels.
    """
    if not stages or stages[0].function != _QUADTREE or stages[0].condition is not ALWAYS:
        msg = f"the first stage must be {_QUADTREE}, always: it needs a tile with all pixels open"
        raise ValueError(msg)
    if stages[-1].function != _EXACT or stages[-1].condition is not ALWAYS:
        msg = f"the last stage must be {_EXACT}, always: it answers any pixel"
        raise ValueError(msg)
    return stages


_QUADTREE, _EXACT = "proofs.quadtree_stage:answer_by_quadtree", "exact.stage:answer_in_integers"

_STAGES = (
    Stage(
        "quad-tree",
        _QUADTREE,
        ALWAYS,
        "whole blocks of pixels, by closed forms and discs of c",
        "proofs.md#lemma-p2",
    ),
    Stage(
        "far out",
        "direct.far_stage:answer_far_out",
        FIELDS & reaching(limits.FAR_OUT_EXPONENT - 1),
        f"pixels farther than 2^{limits.FAR_OUT_EXPONENT} from 0, by the logarithm of c",
        "exactness.md#lemma-13",
    ),
    Stage(
        "exterior fields",
        "direct.exterior_fields_stage:answer_exterior_fields",
        FIELDS & spacing_from(limits.FINEST_DIRECT),
        "blocks whose pixels escape together, by one error bound for the block",
        "exactness.md#lemma-16",
    ),
    Stage(
        "float64, early",
        "direct.float64_stage:answer_early_in_float64",
        spacing_from(limits.FINEST_DIRECT),
        f"pixels that escape within {limits.EARLY_ITERATIONS} iterations, by Taylor models of blocks and float64 lanes",
        "exactness.md#lemma-5",
        (3e-9, 6e-9),
    ),
    Stage(
        "attracting cycles",
        "proofs.interior_stage:answer_by_attracting_cycle",
        extent_from(limits.LEAST_CYCLE_EXTENT),
        "pixels that never escape, by an attracting cycle each",
        "proofs.md#lemma-p3",
    ),
    Stage(
        "float64",
        "direct.float64_stage:answer_in_float64",
        longer_than(limits.EARLY_ITERATIONS) & spacing_from(limits.FINEST_LONG_FLOAT64),
        "longer orbits, by the same lanes",
        "exactness.md#lemma-5",
        (3e-9, 6e-9),
    ),
    Stage(
        "double-double",
        "direct.multidouble_stage:answer_in_double_double",
        _MULTI_DOUBLE_PAYS,
        "orbits of their own in 106 bits",
        "exactness.md#lemma-10",
        (15e-9, 20e-9),
    ),
    Stage(
        "triple-double",
        "direct.multidouble_stage:answer_in_triple_double",
        _MULTI_DOUBLE_PAYS,
        "orbits of their own in 159 bits",
        "exactness.md#lemma-11",
        (40e-9, 50e-9),
    ),
    Stage(
        "minibrot",
        "proofs.minibrot_stage:answer_by_minibrot",
        steps_from(limits.LEAST_MINIBROT_STEPS) & _REFERENCE_PAYS,
        "pixels inside a minibrot, by an attracting cycle of its renormalised map",
        "proofs.md#lemma-p4",
        takes_unit=True,
    ),
    Stage(
        "perturbation",
        "perturbation.stage:answer_by_perturbation",
        _REFERENCE_PAYS | HAS_REFERENCE,
        "differences from reference orbits, in float64 with a scale",
        "exactness.md#lemma-17",
        (15e-9, 20e-9),
        takes_unit=True,
    ),
    Stage(
        "perturbation, double-double",
        "",
        _REFERENCE_PAYS | HAS_REFERENCE,
        "the differences that float64 leaves open, in 106 bits",
        "exactness.md#lemma-24",
        (limits.DOUBLE_DOUBLE_STEP_S, limits.DOUBLE_DOUBLE_STEP_S),
        within="perturbation",
        takes_unit=True,
    ),
    Stage(
        "exact",
        _EXACT,
        ALWAYS,
        "any pixel, in fixed point of as many bits as it takes",
        "exactness.md#lemma-27",
        takes_unit=True,
    ),
)

PLAN = checked(_STAGES)
"""Every stage, from cheap to strong; the last answers all that is open."""


def run(tile: Tile) -> None:
    """Answer every pixel of `tile`, by the stages of `PLAN` in their order."""
    start = Situation.of(tile)
    for takes_unit, stages in groupby(PLAN, lambda stage: stage.takes_unit):
        if takes_unit:
            tile.take_unit()
        for stage in stages:
            stage.try_on(tile, start)


def main_stage(spacing: float) -> Stage:
    """Return the stage that iterates most pixels at a spacing, if their orbits reach the cap."""
    name = "float64" if spacing >= limits.FLOAT64_ENOUGH else "perturbation"
    return next(stage for stage in PLAN if stage.name == name)


def table() -> str:
    """Return the plan as the table of docs/explanation/exactness.md."""
    rows = ["| stage | tried where | answers | proof |", "| --- | --- | --- | --- |"]
    for stage in PLAN:
        lemma = stage.proof.partition("#")[2].replace("-", " ").capitalize().replace(" p", " P")
        link = stage.proof.removeprefix("exactness.md")
        rows.append(f"| {stage.name} | {stage.condition.text} | {stage.answers} | [{lemma}]({link}) |")
    return "\n".join(rows)
