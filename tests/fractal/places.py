"""Boundary points of many kinds, exact or to 30 digits and more: the most difficult points for kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mandeldask.fractal.rationals import as_point

if TYPE_CHECKING:
    from mandeldask.fractal.geometry import Grid

PLACES = {
    "cusp 1/4": "0.25",
    "elephant valley": "0.2925755+0.0149977j",
    "root of the period-2 disc": "-0.75",
    "seahorse valley": "-0.75+0.1j",
    "seahorse": "-0.743643887037158704752191506114774+0.131825904205311970493132056385139j",
    "root of the period-4 disc": "-1.25",
    "Feigenbaum": "-1.401155189092050606",
    "band merging M(3,1)": "-1.5436890126920763615708559718",
    "cusp of the period-3 island": "-1.75",
    "nucleus of the period-3 island": "-1.7548776662466927600495088963585",
    "antenna": "-1.768778833+0.001738996j",
    "minibrot of period 5": "-1.9854242530542053106097505827187",
    "tip -2": "-2",
    "M(2,2) i": "1j",
    "M(4,1)": "-0.101096363845622161025785445739+0.95628651080914150077109605773j",
    "M(23,2)": "-0.77568377+0.13646737j",
    "below the rabbit's ear": "-0.16070135+1.0375665j",
    "bulb 1/3": "-0.125+0.649519052838328985j",
    "period 4, top": "-0.15652016683375506179898665078782+1.0322471089228318716016715324302j",
    "edge of the cardioid at 90 degrees": "0.25+0.5j",
    "mirror of M(4,1)": "-0.101096363845622161025785445739-0.95628651080914150077109605773j",
}
"""Name -> centre, as `as_point` reads it."""


def around(grid: Grid, center: str, shape: tuple[int, int]) -> Grid:
    """Return the window of `shape` of a level's `grid` whose middle pixel is nearest to `center`."""
    re, im = as_point(center)
    row, col = round(grid.im.index(im)), round(grid.re.index(re))
    return grid[_span(row, shape[0], grid.im.size), _span(col, shape[1], grid.re.size)]


def tile_at(grid: Grid, center: str, size: int = 512) -> tuple[int, int]:
    """Return (row, column) of the chunk of a level's `grid` that holds `center`."""
    re, im = as_point(center)
    return int(grid.im.index(im)) // size, int(grid.re.index(re)) // size


def _span(middle: int, length: int, size: int) -> slice:
    start = max(0, min(size - length, middle - length // 2))
    return slice(start, start + length)
