"""Kernels of the first pictures, each compiled by a call without work, so that processes can divide them.

Each function compiles the kernels of a stage, for counts or with `smooth`; `first_run._JOBS` lists the functions. No
pixel is open, so a stage calls its kernels with empty arrays of the same types as for any tile.
"""

from __future__ import annotations

import numpy as np

from mandeldask.fractal.escape.direct import block_counts, block_series
from mandeldask.fractal.escape.direct.exterior_fields_stage import answer_exterior_fields
from mandeldask.fractal.escape.direct.float64_stage import answer_early_in_float64
from mandeldask.fractal.escape.direct.multidouble_stage import answer_in_double_double
from mandeldask.fractal.escape.direct.prepared_tile import prepared
from mandeldask.fractal.escape.proofs.interior_stage import answer_by_attracting_cycle
from mandeldask.fractal.escape.proofs.quadtree_stage import answer_by_quadtree
from mandeldask.fractal.escape.tile import Tile
from mandeldask.fractal.geometry import Grid

_MAXITER = 4096


def blocks(fields: tuple[str, ...]) -> None:
    """Compile the series of blocks."""
    tile = _closed(fields)
    frame = prepared(tile)
    frame.series(tile, frame.blocks(tile, tile.open), block_series.TOLERANCE, block_counts.NO_ANSWERS)


def lanes(fields: tuple[str, ...]) -> None:
    """Compile float64 orbits."""
    tile = _with_series(fields)
    answer_early_in_float64(tile)


def exterior(fields: tuple[str, ...]) -> None:
    """Compile fields well outside the set, without the series of blocks."""
    answer_exterior_fields(_with_series(fields))


def quadtree(fields: tuple[str, ...]) -> None:
    """Compile the quad-tree."""
    answer_by_quadtree(Tile.blank(Grid.window("20", "1", (8, 8)), _MAXITER, fields))


def double_double(fields: tuple[str, ...]) -> None:
    """Compile double-double orbits."""
    answer_in_double_double(_closed(fields))


def cycles(fields: tuple[str, ...]) -> None:
    """Compile the proof by attracting cycles."""
    answer_by_attracting_cycle(_closed(fields))


def _closed(fields: tuple[str, ...]) -> Tile:
    """Return a tile without open pixels."""
    tile = Tile.blank(Grid.window("0", "1", (16, 16)), _MAXITER, fields)
    tile.open = np.empty(0, np.int64)
    return tile


def _with_series(fields: tuple[str, ...]) -> Tile:
    """Return such a tile with series of no iterations."""
    tile = _closed(fields)
    frame = prepared(tile)
    frame.starts = block_series.Series.blank(frame.blocks(tile, tile.open).size)
    return tile
