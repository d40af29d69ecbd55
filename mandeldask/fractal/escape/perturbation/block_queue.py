"""Blocks of pixels at any depth: iterated as polynomials and divided when these become inaccurate.

A block whose polynomial is no longer accurate is divided into sixteen. A block that must be rebased continues at m = 0.
From the smallest blocks the pixels continue as single orbits, each with a bound on its error: Lemma 25.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic import doubledouble as dd
from mandeldask.fractal.escape.arithmetic.jit import inner, kernel
from mandeldask.fractal.escape.arithmetic.layout import workspace
from mandeldask.fractal.escape.arithmetic.power_of_two import power
from mandeldask.fractal.escape.perturbation import pixel_pool
from mandeldask.fractal.escape.perturbation.block_model import (
    BCOL,
    BEXPONENT,
    BM,
    BN0,
    BROW,
    BSIDE,
    COL,
    CONTINUES,
    DCX,
    DCX_LOW,
    DCY,
    DCY_LOW,
    ESCAPES,
    LANES,
    N0,
    OUTCOME,
    REACHES_MAXITER,
    REBASES,
    RECORD,
    ROW,
    STOPS,
    back_up,
    classify,
    has_left_reference,
    largest,
    load,
    rebase,
    replace,
    rescale,
    shift,
    store,
)
from mandeldask.fractal.escape.perturbation.block_pixels import Frame, pixels_by_t, radius, write_pixels
from mandeldask.fractal.escape.perturbation.block_step import STEP_SIZE, advance
from mandeldask.fractal.escape.perturbation.reference_orbit import TINY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.escape.arithmetic.array_types import Bools, Flag, Floats, Ints
    from mandeldask.fractal.escape.perturbation.pixel_pool import Orbit

SIDE = 16
"""Pixels along the smallest blocks."""
_PARTS = 4
"""Blocks along each side of a block that is divided."""
_LARGEST = SIDE * _PARTS**2
"""Pixels along the largest."""
_NO_SQUARE_EXPONENT, _TINY_EXPONENT = -450, -150
"""Exponents below which dz^2 is negligible against 2 Z dz, and below which Z = 0 needs its own exponent."""


def hand_over(
    orbit: Orbit,
    frame: Frame,
    wanted: NDArray[np.bool_],
    maxiter: int,
    u: float,
    pool: NDArray[np.float64],
    later: NDArray[np.float64],
    count_and_proven: NDArray[np.int64],
    fields: NDArray[np.float64] | None,
    flag: NDArray[np.uint8],
) -> tuple[int, int]:
    """Write each wanted pixel, where its block's polynomial ends, to `count_and_proven`, `later` or `pool`.

    `later` takes pixels that have left the reference, as ``dz = z`` at m = 0; `pool` those that are still close to it.
    A pool that is wide enough for double-double takes all.

    Parameters
    ----------
    wanted : bool, shape (height, width)
        Which pixels of the tile are.
    u : float
        ``S / r^2`` in `pool`.
    whole, fields
        As `Answers` has them. Where fields are wanted, pixels that leave together are handed over too.

    Returns
    -------
    int, int
        The numbers of pixels in `pool`, block after block, and in `later`.
    """
    rows, cols = wanted.shape
    side = side_for(wanted.shape)
    capacity = (rows // SIDE + 1) * (cols // SIDE + 1) + 1
    to_divide, rebased = np.zeros((2, capacity, RECORD))
    corners = [
        (row, col)
        for row in range(0, rows, side)
        for col in range(0, cols, side)
        if wanted[row : row + side, col : col + side].any()
    ]
    for record, (row, col) in zip(rebased, corners, strict=False):
        record[BROW], record[BCOL], record[BSIDE], record[BEXPONENT] = row, col, side, frame.exponent
    sizes: tuple[int, int] = _advance_all(
        workspace(STEP_SIZE),
        to_divide,
        rebased,
        len(corners),
        orbit,
        frame,
        wanted,
        maxiter,
        u,
        pool,
        later,
        count_and_proven,
        fields,
        flag,
    )
    return sizes


def side_for(shape: tuple[int, int]) -> int:
    """Return the side of the blocks to begin with: the smallest that covers `shape`, or the largest."""
    side = SIDE
    while side < min(max(shape), _LARGEST):
        side *= _PARTS
    return side


@kernel
def _advance_all(
    w: Floats, to_divide: Floats, rebased: Floats, rebases: int, orbit: Orbit, frame: Frame, wanted: Bools,
    maxiter: int,
    u: float, pool: Floats, later: Floats, count_and_proven: Ints, fields: Floats | None, flag: Flag,
) -> tuple[int, int]:  # fmt: skip
    """Advance the blocks in `rebased` until each is divided, rebased, handed over or answered; see `hand_over`.

    Returns the numbers of pixels in `pool` and in `later`.
    """
    orbit_x, orbit_y, low_x, low_y = orbit.x, orbit.y, orbit.x_low, orbit.y_low
    last = orbit_x.size - 1
    divisions = size = waiting = 0
    double_double = pool.shape[1] > pixel_pool.X_LOW
    while (divisions or rebases) and not flag[0]:
        if divisions:
            divisions -= 1
            m, exponent = int(to_divide[divisions, BM]), int(to_divide[divisions, BEXPONENT])
            side = int(to_divide[divisions, BSIDE]) // _PARTS
            rho = radius(frame, side)
            active = _load_parts(w, to_divide[divisions], side, rho * _PARTS, wanted, frame)
        else:
            m, exponent = 0, int(rebased[rebases - 1, BEXPONENT])
            side = int(rebased[rebases - 1, BSIDE])
            rho = radius(frame, side)
            active = _load_rebased(w, rebased, rebases, exponent, side, frame)
            rebases -= active
        while active and not flag[0]:
            most = largest(w, active)
            if not (2.0**-40 <= most <= 2.0**40 or most == 0.0):
                shift = max(math.frexp(most)[1], frame.exponent - exponent - 60)
                rescale(w, active, power(-shift))
                exponent, most = exponent + shift, most * power(-shift)
            z_x, z_y = orbit_x[m], orbit_y[m]
            after, factor = exponent, power(exponent) if exponent > _NO_SQUARE_EXPONENT else 0.0
            deep = exponent < _TINY_EXPONENT and max(abs(z_x), abs(z_y)) < TINY
            if deep:  # dz^2 is all there is: it and dc choose the exponent
                after = max(frame.exponent, 2 * exponent + 2 * math.frexp(most)[1])
                factor = power(2 * exponent - after)
            back_up(w, active)
            dc_scale = power(frame.exponent - after)
            at_end = m + 1 == last
            lost = (
                at_end and after < _NO_SQUARE_EXPONENT and max(abs(orbit_x[last]), abs(orbit_y[last])) < TINY
            )  # in float64
            going = 0
            if m == last or (deep and m > 0) or lost:
                for i in range(active):
                    w[OUTCOME + i] = STOPS
            else:
                advance(
                    w,
                    active,
                    z_x,
                    low_x[m],
                    z_y,
                    low_y[m],
                    factor,
                    dc_scale,
                    rho,
                    frame.most * dc_scale,
                    frame.most_dropped,
                )
                going = classify(
                    w,
                    active,
                    orbit_x[m + 1],
                    orbit_y[m + 1],
                    power(after),
                    at_end,
                    maxiter - (m + 1),
                    frame.most_dropped,
                )
            if going < active:
                for i in range(active - 1, -1, -1):
                    outcome = w[OUTCOME + i]
                    if outcome == CONTINUES:
                        continue
                    if (outcome == ESCAPES and fields is None) or outcome == REACHES_MAXITER:
                        _answer(w, i, side, wanted, w[N0 + i] + m if outcome == ESCAPES else maxiter, count_and_proven)
                    elif outcome == REBASES:
                        error = orbit.error * power(orbit.error_exponent) if at_end else 0.0
                        rebase(
                            w, i, m + 1, after, side, orbit_x[m + 1], low_x[m + 1], orbit_y[m + 1], low_y[m + 1], error,
                            rebased[rebases],
                        )  # fmt: skip
                        rebases += 1
                    elif side > SIDE:
                        store(w, i, m, exponent, side, to_divide[divisions])
                        divisions += 1
                    elif not double_double and has_left_reference(w, i, z_x, z_y, power(exponent)):
                        w[N0 + i] += m
                        waiting = write_pixels(w, i, 0, exponent, side, rho, z_x, z_y, frame, wanted, u, later, waiting)
                    else:
                        size = write_pixels(w, i, m, exponent, side, rho, 0.0, 0.0, frame, wanted, u, pool, size)
                    active -= 1
                    replace(w, i, active)
            exponent = after
            m += 1
    return size, waiting


@inner
def _is_wanted(wanted: Bools, row: int, col: int, side: int) -> bool:
    """Return whether the block has wanted pixels."""
    for i in range(row, min(row + side, wanted.shape[0])):
        for j in range(col, min(col + side, wanted.shape[1])):
            if wanted[i, j]:
                return True
    return False


@inner
def _load_rebased(w: Floats, waiting: Floats, size: int, exponent: int, side: int, frame: Frame) -> int:
    """Take up to `LANES` blocks of one side and similar exponents from the end of `waiting`; return how many."""
    active = 0
    while active < size and active < LANES:
        record = waiting[size - 1 - active]
        if record[BSIDE] != side or abs(record[BEXPONENT] - exponent) > 30:
            break
        factor = power(int(record[BEXPONENT]) - exponent)
        load(w, active, record, factor)
        _place(w, active, int(record[BROW]), int(record[BCOL]), side, record[BN0], frame)
        active += 1
    return active


@inner
def _load_parts(w: Floats, parent: Floats, side: int, rho: float, wanted: Bools, frame: Frame) -> int:
    """Divide `parent`, of radius `rho`, into blocks of `side`, and load those with wanted pixels; return how many."""
    active = 0
    unit_x, unit_x_low, unit_y, unit_y_low = pixels_by_t(frame, rho)
    for part in range(_PARTS**2):
        row = int(parent[BROW]) + part // _PARTS * side
        col = int(parent[BCOL]) + part % _PARTS * side
        if not _is_wanted(wanted, row, col, side):
            continue
        load(w, active, parent, 1.0)
        off_x, off_y = side * (part % _PARTS - 0.5 * (_PARTS - 1)), side * (part // _PARTS - 0.5 * (_PARTS - 1))
        t_x, t_x_low = dd.multiply(off_x, 0.0, unit_x, unit_x_low)
        t_y, t_y_low = dd.multiply(off_y, 0.0, unit_y, unit_y_low)
        shift(w, active, t_x, t_x_low, t_y, t_y_low, 1.0 / _PARTS)
        _place(w, active, row, col, side, parent[BN0], frame)
        active += 1
    return active


@inner
def _place(w: Floats, i: int, row: int, col: int, side: int, n0: float, frame: Frame) -> None:
    """Write the place of lane `i`."""
    middle_row, middle_col = row + side // 2, col + side // 2
    w[DCX + i], w[DCX_LOW + i] = frame.re[0, middle_col], frame.re[1, middle_col]
    w[DCY + i], w[DCY_LOW + i] = frame.im[0, middle_row], frame.im[1, middle_row]
    w[N0 + i], w[ROW + i], w[COL + i] = n0, row, col


@inner
def _answer(w: Floats, i: int, side: int, wanted: Bools, count: float, count_and_proven: Ints) -> None:
    """Answer the pixels of a lane, which share a count."""
    row, col = int(w[ROW + i]), int(w[COL + i])
    for k in range(row, min(row + side, wanted.shape[0])):
        for j in range(col, min(col + side, wanted.shape[1])):
            if wanted[k, j]:
                pixel = k * wanted.shape[1] + j
                count_and_proven[0, pixel], count_and_proven[1, pixel] = count, True
