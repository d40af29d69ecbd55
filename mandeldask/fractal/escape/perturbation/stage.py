"""The stage for pixels that are too close together for float64: perturbation of reference orbits.

After C. Heiland-Allen, "Deep zoom theory and practice" (2021), and Zhuoran's rebasing, with a bound on every error:
a pixel is answered only if its count is proven, for every reference.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic.layout import workspace
from mandeldask.fractal.escape.arithmetic.positions import each_position, positions
from mandeldask.fractal.escape.limits import DOUBLE_DOUBLE_STEP_S, FEWEST_FOR_REFERENCE, MOST_LEFT_OPEN, MOST_REFERENCES
from mandeldask.fractal.escape.perturbation import delta_step, doubledouble_lanes, plain_lanes
from mandeldask.fractal.escape.perturbation.block_model import MOST_DROPPED, MOST_DROPPED_DOUBLE_DOUBLE
from mandeldask.fractal.escape.perturbation.block_pixels import DERIVATIVE_STRETCH, Frame
from mandeldask.fractal.escape.perturbation.block_queue import hand_over, side_for
from mandeldask.fractal.escape.perturbation.delta_doubledouble import iterate_double_double
from mandeldask.fractal.escape.perturbation.delta_groups import iterate_groups
from mandeldask.fractal.escape.perturbation.delta_step import bound_for
from mandeldask.fractal.escape.perturbation.group_loading import group_order
from mandeldask.fractal.escape.perturbation.pixel_pool import (
    PIXEL,
    Answers,
    DoubleDoublePlace,
    Place,
    blank_answers,
    double_double_pool,
    lent_answers,
    lent_pools,
)
from mandeldask.fractal.escape.perturbation.plain_lanes import iterate_plain
from mandeldask.fractal.escape.perturbation.prepared_reference import (
    PreparedReference,
    prepared_reference_of,
    shared_reference,
)
from mandeldask.fractal.escape.perturbation.reference_orbit import finest_of, iteration_seconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.geometry import Axis
    from mandeldask.fractal.rationals import Point

_DOUBLE_DOUBLE = ", double-double"
"""Suffix of the stage's name, for the report of pixels that double-double answers."""


def answer_by_perturbation(tile: Tile) -> None:
    """Answer the open pixels of `tile`, around a shared reference orbit and then around pixels with longer orbits."""
    near = shared_reference(tile)
    iterations, tried_double_double = _answer_around(tile, near), False
    for _ in range(MOST_REFERENCES):
        before = tile.open
        if before.size < FEWEST_FOR_REFERENCE:
            break
        if not tried_double_double and iterations.sum() * DOUBLE_DOUBLE_STEP_S < tile.maxiter * iteration_seconds(
            near.reference.bits
        ):
            _answer_in_double_double(tile, near)
            iterations, tried_double_double = iterations[np.isin(before, tile.open, assume_unique=True)], True
            continue
        near = prepared_reference_of(
            _longest_orbit(tile, iterations), near.exponent, finest_of(tile.grid), tile.maxiter
        )
        iterations, tried_double_double = _answer_around(tile, near), False
        if tile.open.size > MOST_LEFT_OPEN * before.size:
            break
    if tile.open.size and not tried_double_double:
        _answer_in_double_double(tile, near)


def _longest_orbit(tile: Tile, iterations: NDArray[np.int64]) -> Point:
    """Return an open pixel in the middle of those with the longest orbits: long references serve best."""
    rows, cols = np.divmod(tile.open, tile.grid.re.size)
    longest = iterations >= np.quantile(iterations, 0.9)
    row, col = np.median(rows[longest]), np.median(cols[longest])
    nearest = np.argmin(np.where(longest, np.hypot(rows - row, cols - col), np.inf))
    return tile.grid.point(int(rows[nearest]), int(cols[nearest]))


def _answer_around(tile: Tile, near: PreparedReference) -> NDArray[np.int64]:
    """Answer what can be proven around one reference; return the iterations of each pixel that stays open."""
    with (
        lent_pools(tile.open.size, slopes=tile.distance is not None) as pools,
        lent_answers(tile.counts.size, fields=tile.wants_orbits) as answers,
    ):
        return _close(tile, _iterated(tile, near, answers, *pools))


def _iterated(
    tile: Tile, near: PreparedReference, answers: Answers, pool: NDArray[np.float64], later: NDArray[np.float64]
) -> Answers:
    """Return what can be proven for the open pixels around one reference; `answers` are blank, for all pixels.

    Pixels start where the polynomials of their blocks end, are iterated around the reference in groups, and finish in
    plain lanes.
    """
    grid, bound = tile.grid, bound_for(tile.maxiter)
    frame = _frame(tile, near, MOST_DROPPED)
    place = _place(tile, near, frame)
    flag, slopes = tile.cancellation.flag, None if tile.distance is None else answers.fields
    w = workspace(delta_step.SIZE)
    size, waiting = _handed_over(tile, near, frame, bound.u, answers, pool, later)
    c = positions(grid.re)[0], positions(grid.im)[0]
    lanes = workspace(plain_lanes.SIZE), workspace(plain_lanes.SIZE)
    order = np.arange(size)
    while order.size or waiting:
        waiting = iterate_groups(
            w, pool, order, later, waiting, near.orbit, near.table, place, bound, tile.maxiter,
            answers.count_and_proven, answers.fields, slopes, flag,
        )  # fmt: skip
        tile.cancellation.check()
        pool, later = later, pool
        waiting = iterate_plain(
            *lanes, pool, waiting, *c, tile.maxiter, bound.u,
            answers.count_and_proven, answers.fields, slopes, place, flag,
        )  # fmt: skip
        order, waiting = group_order(pool, waiting), 0
    return answers if tile.open.size == tile.counts.size else _at(answers, tile.open)


def _at(answers: Answers, pixels: NDArray[np.int64]) -> Answers:
    """Return the answers at some pixels."""
    fields = None if answers.fields is None else answers.fields[:, pixels]
    return Answers(answers.count_and_proven[:, pixels], fields)


def _handed_over(
    tile: Tile,
    near: PreparedReference,
    frame: Frame,
    u: float,
    answers: Answers,
    pool: NDArray[np.float64],
    later: NDArray[np.float64],
) -> tuple[int, int]:
    """Write the open pixels, where the polynomials of their blocks end, to `answers` or a pool: see `hand_over`."""
    count_and_proven, fields, flag = answers.count_and_proven, answers.fields, tile.cancellation.flag
    return hand_over(near.orbit, frame, _wanted(tile), tile.maxiter, u, pool, later, count_and_proven, fields, flag)


def _wanted(tile: Tile) -> NDArray[np.bool_]:
    """Return which pixels are open, shape (height, width)."""
    if tile.open.size == tile.counts.size:
        return np.ones(tile.grid.shape, np.bool_)
    wanted = np.zeros(tile.counts.size, np.bool_)
    wanted[tile.open] = True
    return wanted.reshape(tile.grid.shape)


def _frame(tile: Tile, near: PreparedReference, most_dropped: float) -> Frame:
    """Return the positions of the blocks of `tile`, whose steps may drop `most_dropped`."""
    grid, stretch = tile.grid, 1.0 if tile.distance is None else DERIVATIVE_STRETCH
    side = side_for(grid.shape)
    height, width = (-(-size // side) * side for size in grid.shape)
    re = positions(replace(grid.re, size=width), near.reference.center.re, near.exponent)
    im = positions(replace(grid.im, size=height), near.reference.center.im, near.exponent)
    most = float(np.hypot(np.abs(re[0]).max(), np.abs(im[0]).max())) * (1 + 2.0**-40)
    (step_x, step_x_low), (step_y, step_y_low) = (_spacing(axis, near) for axis in (grid.re, grid.im))
    return Frame(re, im, near.exponent, most, step_x, step_y, step_x_low, step_y_low, stretch, most_dropped)


def _place(tile: Tile, near: PreparedReference, frame: Frame) -> Place:
    """Return the positions of the pixels."""
    height, width = tile.grid.shape
    dc_x, dc_y = frame.re[0, :width].copy(), frame.im[0, :height].copy()
    return Place(dc_x, dc_y, near.exponent, frame.most, abs(_spacing(tile.grid.re, near)[0]), *tile.worst)


def _spacing(axis: Axis, near: PreparedReference) -> tuple[float, float]:
    """Return the step of `axis` in the units of `near`, as two float64."""
    step = axis.step / Fraction(2) ** near.exponent
    high = float(step)
    return high, float(step - Fraction(high))


def _close(tile: Tile, answers: Answers, part: str = "") -> NDArray[np.int64]:
    """Write what is proven to `tile`; return the iterations done for each of the other pixels."""
    counts, proven = answers.count_and_proven[0], answers.count_and_proven[1] != 0
    which = slice(None) if proven.all() else proven
    pixels = which if proven.size == tile.counts.size else tile.open[which]
    tile.counts[pixels] = counts[which]
    if answers.fields is not None:
        smooth, distance = answers.fields[:, which]
        if tile.smooth is not None:
            tile.smooth[pixels] = smooth
        tile.put_distances(pixels, distance, abs(tile.grid.spacing) / tile.unit)
    tile.close(proven, part)
    iterations: NDArray[np.int64] = counts[~proven]
    return iterations


def _answer_in_double_double(tile: Tile, near: PreparedReference) -> None:
    """Answer the pixels that double-double can prove around the same reference.

    They start where the polynomials of their blocks end, and those that are still not proven at z_0 = 0.
    """
    bound, blocks = bound_for(tile.maxiter), blank_answers(tile.counts.size, fields=tile.wants_orbits)
    pool = double_double_pool(tile.open.size)
    size, _ = _handed_over(tile, near, _frame(tile, near, MOST_DROPPED_DOUBLE_DOUBLE), bound.u, blocks, pool, pool)
    tile.cancellation.check()
    pool[:size, PIXEL] = np.searchsorted(tile.open, pool[:size, PIXEL])
    answers = _at(blocks, tile.open)
    _iterate_double_double(tile, near, pool[:size], answers)
    _close(tile, answers, _DOUBLE_DOUBLE)
    if tile.open.size:
        answers = blank_answers(tile.open.size, fields=tile.wants_orbits)
        _iterate_double_double(tile, near, double_double_pool(tile.open.size), answers)
        _close(tile, answers, _DOUBLE_DOUBLE)


def _iterate_double_double(tile: Tile, near: PreparedReference, starts: NDArray[np.float64], answers: Answers) -> None:
    """Write what double-double can prove for open pixels around one reference, from `starts` on, to `answers`."""
    rows, cols = np.divmod(tile.open, tile.grid.re.size)
    reference, exponent = near.reference, near.exponent
    place = DoubleDoublePlace(
        each_position(tile.grid.re, reference.center.re, exponent, cols),
        each_position(tile.grid.im, reference.center.im, exponent, rows),
        exponent,
        abs(_spacing(tile.grid.re, near)[0]),
        *tile.worst,
    )
    iterate_double_double(
        workspace(doubledouble_lanes.SIZE),
        near.orbit,
        place,
        starts,
        bound_for(tile.maxiter).u,
        tile.maxiter,
        answers.count_and_proven,
        answers.fields,
        tile.cancellation.flag,
    )
