"""The stages for pixels that float64 could not decide: double-double and triple-double orbits in lockstep lanes.

As in `lanes`, with 106 and 159 bits: a batch of steps runs unchecked. A lane that is not certainly inside afterwards is
rolled back. Such lanes are then iterated together, with a check after every step. Bounds: Lemmas 10 to 12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from mandeldask.fractal.escape.arithmetic.jit import inner, kernel
from mandeldask.fractal.escape.arithmetic.layout import workspace
from mandeldask.fractal.escape.arithmetic.positions import FAR, clipped, positions
from mandeldask.fractal.escape.arithmetic.tripledouble import as_triple
from mandeldask.fractal.escape.direct.multidouble_lanes import (
    COUNT,
    CX,
    CY,
    DX,
    DY,
    GOING,
    LANES,
    OLD,
    PIXEL,
    ROW,
    SIZE,
    START,
    STEPS,
    X_LOW,
    X_LOWEST,
    Y_LOW,
    Y_LOWEST,
    N,
    Q,
    R,
    X,
    Y,
    beyond_circle,
    differentiate,
    iterate_double_double,
    iterate_triple_double,
)
from mandeldask.fractal.escape.fields import FAR_OUT, distance, smooth, tolerated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.escape.arithmetic.array_types import Bools, Counts, Flag, Floats, Floats32, Ints
    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.geometry import Axis


class OrbitStarts(NamedTuple):
    """Orbits of one c that begin at z_0, or at a later iterate; `positions` are the starts, one for each pixel."""

    c_x: NDArray[np.float64]
    """Parts of c, as many as positions have."""
    c_y: NDArray[np.float64]
    error: float
    """Bound on the errors of the starts."""
    slopes: NDArray[np.float64]
    """dz/d(pixel) there, and the bound on its error: shape (3, pixels)."""


def answer_in_double_double(tile: Tile) -> None:
    """Answer the open pixels of `tile` whose counts and fields double-double can prove."""
    _answer(tile, positions(tile.grid.re), positions(tile.grid.im), triple_double=None)


def answer_in_triple_double(tile: Tile) -> None:
    """Answer the open pixels of `tile` whose counts and fields triple-double can prove."""
    rows, cols = np.divmod(tile.open, tile.grid.re.size)
    _answer(tile, _triples(tile.grid.re, cols), _triples(tile.grid.im, rows), triple_double=True)


def _triples(axis: Axis, pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the positions of the rows or columns of `pixels`, shape (3, size); only these are computed."""
    triples = np.zeros((3, axis.size))
    for i in set(pixels.tolist()):
        triples[:, i] = as_triple(clipped(axis[i]))
    return triples


def _answer(tile: Tile, re: NDArray[np.float64], im: NDArray[np.float64], triple_double: Literal[True] | None) -> None:
    """Answer by double-double if `triple_double` is None, otherwise by triple-double; positions have 2 or 3 parts."""
    tile.close(proven(tile, re, im, None, triple_double, tile.maxiter))


def proven(
    tile: Tile,
    re: NDArray[np.float64],
    im: NDArray[np.float64],
    starts: OrbitStarts | None,
    triple_double: Literal[True] | None,
    maxiter: int,
) -> NDArray[np.bool_]:
    """Write what can be proven for the open pixels by up to `maxiter` iterations; return which of them are done.

    Without `starts` orbits begin at 0, and `re` and `im` are the positions of columns and rows.
    """
    known = np.zeros(tile.open.size, np.bool_)
    w, rolled_back, flag = workspace(SIZE), workspace(SIZE), tile.cancellation.flag
    _run(
        w, rolled_back, re, im, starts, triple_double, maxiter,
        tile.open, tile.counts, tile.smooth, tile.distance, tile.worst, known, flag,
    )  # fmt: skip
    return known


@kernel
def _run(
    w: Floats, rolled_back: Floats, re: Floats, im: Floats, starts: OrbitStarts | None, triple_double: bool | None,
    maxiter: int, pixels: Ints, counts: Counts, smooths: Floats | None, distances: Floats32 | None,
    worst: tuple[float, float], proven: Bools, flag: Flag,
) -> None:  # fmt: skip
    """Iterate `pixels` in the lanes of `w`; lanes that are not certainly inside are moved to `rolled_back`."""
    active = following = clock = size = 0
    added = 1.0 if starts is None else 0.0
    while not flag[0]:
        if active <= LANES // 2:
            active, following = _enter(re, im, starts, pixels, following, clock, w, active)
        if active == 0 or size > LANES:
            _finish_rolled_back(
                rolled_back, size, maxiter, triple_double, added, pixels, counts, smooths, distances, worst, proven
            )
            size = 0
        if active == 0:
            break
        for i in range(OLD):
            w[OLD + i] = w[i]
        _advance(w, active, triple_double, distances, added)
        _mark_bounded(w, active, clock + 2 * STEPS - maxiter)
        active, size = _roll_back(w, active, rolled_back, size, clock)
        clock += STEPS


@inner
def _enter(
    re: Floats, im: Floats, starts: OrbitStarts | None, pixels: Ints, following: int, clock: int, w: Floats, active: int
) -> tuple[int, int]:
    """Append the next pixels, at 0 or as in `starts`; return the numbers of active lanes and of pixels so far."""
    while following < pixels.size and active < LANES:
        for at in range(0, OLD, ROW):
            w[at + active] = 0.0
        if starts is None:
            row = pixels[following] // re.shape[1]
            col = pixels[following] - row * re.shape[1]
            for part in range(re.shape[0]):
                w[CX + part * ROW + active], w[CY + part * ROW + active] = re[part, col], im[part, row]
        else:
            for part in range(re.shape[0]):
                w[CX + part * ROW + active], w[CY + part * ROW + active] = starts.c_x[part], starts.c_y[part]
                w[X + part * ROW + active], w[Y + part * ROW + active] = re[part, following], im[part, following]
            w[R + active] = starts.error
            for part in range(3):
                w[DX + part * ROW + active] = starts.slopes[part, following]
        w[START + active], w[PIXEL + active] = clock, following
        active += 1
        following += 1
    return active, following


@inner
def _advance(w: Floats, active: int, triple_double: bool | None, derivative: Floats32 | None, added: float) -> None:
    """Advance lanes by STEPS iterations, unchecked."""
    for _ in range(STEPS):
        if triple_double is None:
            for i in range(active):
                x, x_low, y, y_low, r = iterate_double_double(w, i)
                if derivative is not None:
                    w[DX + i], w[DY + i], w[Q + i] = differentiate(
                        w[X + i], w[Y + i], w[R + i], w[DX + i], w[DY + i], w[Q + i], added
                    )
                w[X + i], w[X_LOW + i], w[Y + i], w[Y_LOW + i], w[R + i] = x, x_low, y, y_low, r
        else:
            if derivative is not None:
                for i in range(active):
                    w[DX + i], w[DY + i], w[Q + i] = differentiate(
                        w[X + i], w[Y + i], w[R + i], w[DX + i], w[DY + i], w[Q + i], added
                    )
            for i in range(active):
                x, x_low, x_lowest, y, y_low, y_lowest, r = iterate_triple_double(w, i)
                w[X + i], w[X_LOW + i], w[X_LOWEST + i] = x, x_low, x_lowest
                w[Y + i], w[Y_LOW + i], w[Y_LOWEST + i], w[R + i] = y, y_low, y_lowest, r


@inner
def _mark_bounded(w: Floats, active: int, first: int) -> None:
    """Mark as GOING the lanes that are certainly inside and do not reach maxiter in the next batch."""
    for i in range(active):
        beyond, certain = beyond_circle(w[X + i], w[X_LOW + i], w[Y + i], w[Y_LOW + i], w[R + i])
        w[GOING + i] = 1.0 if certain & (beyond < 0.0) & (w[START + i] >= first) else 0.0


@inner
def _roll_back(w: Floats, active: int, rolled_back: Floats, size: int, clock: int) -> tuple[int, int]:
    """Move the other lanes, rolled back, to `rolled_back`, and close the gaps; return the numbers of lanes in both."""
    for i in range(active - 1, -1, -1):
        if w[GOING + i] == 0.0:
            active -= 1
            for at in range(0, OLD, ROW):
                rolled_back[at + size], w[at + i] = w[OLD + at + i], w[at + active]
            for at in range(CX, SIZE, ROW):
                rolled_back[at + size], w[at + i] = w[at + i], w[at + active]
            rolled_back[N + size] = clock - rolled_back[START + size]
            size += 1
    return active, size


@inner
def _finish_rolled_back(
    w: Floats, size: int, maxiter: int, triple_double: bool | None, added: float, pixels: Ints, counts: Counts,
    smooths: Floats | None, distances: Floats32 | None, worst: tuple[float, float], proven: Bools,
) -> None:  # fmt: skip
    """Iterate the lanes that were rolled back, step by step, and write what is proven."""
    while _mark_inside(w, size, maxiter):
        _advance_marked(w, size, triple_double, distances, added)
    if smooths is not None or distances is not None:
        while _mark_not_far_out(w, size, maxiter):
            _advance_marked(w, size, triple_double, distances, added)
    for i in range(size):
        j = int(w[PIXEL + i])
        proven[j] = _write(w, i, pixels[j], maxiter, counts, smooths, distances, worst)


@inner
def _mark_inside(w: Floats, size: int, maxiter: int) -> bool:
    """Mark as GOING the lanes certainly inside before maxiter; return whether any is. COUNT: a proven count, or -1."""
    count = 0
    for i in range(size):
        beyond, certain = beyond_circle(w[X + i], w[X_LOW + i], w[Y + i], w[Y_LOW + i], w[R + i])
        n, inside = w[N + i], beyond < 0.0
        w[COUNT + i] = (n if inside else n - 1.0) if certain else -1.0
        going = certain & inside & (n < maxiter)
        w[GOING + i] = 1.0 if going else 0.0
        count += 1 if going else 0
    return count > 0


@inner
def _mark_not_far_out(w: Floats, size: int, maxiter: int) -> bool:
    """Mark as GOING the lanes that escape and are not far out yet; return whether any is."""
    count = 0
    for i in range(size):
        x, y, cx, cy, n = w[X + i], w[Y + i], w[CX + i], w[CY + i], w[COUNT + i]
        going = (x * x + y * y <= FAR_OUT * (1.0 + cx * cx + cy * cy)) & (n >= 0.0) & (n < maxiter)
        w[GOING + i] = 1.0 if going else 0.0
        count += 1 if going else 0
    return count > 0


@inner
def _advance_marked(
    w: Floats, size: int, triple_double: bool | None, derivative: Floats32 | None, added: float
) -> None:
    """Advance the lanes that are GOING by one iteration."""
    if derivative is not None:
        for i in range(size):
            dx, dy, q = differentiate(w[X + i], w[Y + i], w[R + i], w[DX + i], w[DY + i], w[Q + i], added)
            going = w[GOING + i] > 0.0
            w[DX + i] = dx if going else w[DX + i]
            w[DY + i] = dy if going else w[DY + i]
            w[Q + i] = q if going else w[Q + i]
    for i in range(size):
        going = w[GOING + i] > 0.0
        if triple_double is None:
            x, x_low, y, y_low, r = iterate_double_double(w, i)
        else:
            x, x_low, x_lowest, y, y_low, y_lowest, r = iterate_triple_double(w, i)
            w[X_LOWEST + i] = x_lowest if going else w[X_LOWEST + i]
            w[Y_LOWEST + i] = y_lowest if going else w[Y_LOWEST + i]
        w[X + i] = x if going else w[X + i]
        w[X_LOW + i] = x_low if going else w[X_LOW + i]
        w[Y + i] = y if going else w[Y + i]
        w[Y_LOW + i] = y_low if going else w[Y_LOW + i]
        w[R + i] = r if going else w[R + i]
        w[N + i] += w[GOING + i]


@inner
def _write(
    w: Floats, i: int, pixel: int, maxiter: int, counts: Counts, smooths: Floats | None, distances: Floats32 | None,
    worst: tuple[float, float],
) -> bool:  # fmt: skip
    """Write the results of a lane if all that was requested is proven; return whether it is."""
    count = w[COUNT + i]
    if (
        (smooths is not None or distances is not None)
        and 0.0 <= count < maxiter
        and not _write_fields(w, i, pixel, smooths, distances, worst)
    ):
        return False
    if count >= 0.0:
        counts[pixel] = int(count)
    return count >= 0.0


@inner
def _write_fields(
    w: Floats, i: int, pixel: int, smooths: Floats | None, distances: Floats32 | None, worst: tuple[float, float]
) -> bool:
    """Write the fields of a lane far out, if they are all proven; return whether they are."""
    m = w[X + i] ** 2 + w[Y + i] ** 2
    limit = worst[0] if distances is not None else max(worst[0], tolerated(w[N + i]))
    if not (w[R + i] ** 2 < limit * m and w[CX + i] ** 2 + w[CY + i] ** 2 < FAR):
        return False
    if distances is not None:
        dm = w[DX + i] ** 2 + w[DY + i] ** 2
        if not w[Q + i] ** 2 < worst[1] * dm:
            return False
        distances[pixel] = distance(m, dm)
    if smooths is not None:
        smooths[pixel] = smooth(w[N + i], m)
    return True
