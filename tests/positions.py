"""A trivial kernel: the value of a pixel is its row, or column, in the whole level. It counts the computed pixels."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mandeldask.fractal.kernel import About

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mandeldask.fractal.geometry import Grid
    from mandeldask.fractal.pyramid import Pyramid


class RenderLog:
    """Shapes of the grids that kernels of this process computed, and on which threads."""

    def __init__(self) -> None:
        self.grids: list[Grid] = []
        self.fields: list[tuple[str, ...]] = []
        self.threads: set[tuple[int, int]] = set()

    def clear(self) -> None:
        self.__init__()

    @property
    def calls(self) -> int:
        return len(self.grids)

    @property
    def pixels(self) -> int:
        return sum(height * width for height, width in (grid.shape for grid in self.grids))


LOG = RenderLog()

FIELD_VALUES = {"iterations": "row", "smooth": "col", "distance": "row + col", "period": "row - col"}


@dataclass(frozen=True, slots=True)
class PositionKernel:
    """A `Kernel`: "iterations" is the row in `level`, "smooth" the column, both int64."""

    level: Grid
    fields: tuple[str, ...] = ("iterations",)

    @property
    def about(self) -> About:
        return About("positions", "Rows and columns")

    @property
    def dtypes(self) -> Mapping[str, np.dtype[Any]]:
        return dict.fromkeys(self.fields, np.dtype(np.int64))

    @property
    def attributes(self) -> Mapping[str, Mapping[str, Any]]:
        return {field: {"long_name": FIELD_VALUES[field], "maxiter": 255} for field in self.fields}

    def select(self, *fields: str) -> Self:
        return replace(self, fields=fields)

    def __call__(self, grid: Grid, /) -> Mapping[str, np.ndarray[Any, Any]]:
        LOG.grids.append(grid)
        LOG.fields.append(self.fields)
        LOG.threads.add((os.getpid(), threading.get_ident()))
        row, col = np.meshgrid(places(grid.im, self.level.im), places(grid.re, self.level.re), indexing="ij")
        values = {"iterations": row, "smooth": col, "distance": row + col, "period": row - col}
        return {field: values[field] for field in self.fields}


def places(axis, level):
    """Return which pixels of `level` the pixels of `axis` are, exactly."""
    start, step = level.index(axis.start), axis.step / level.step
    assert start.denominator == step.denominator == 1, "a kernel was asked for a place between two pixels"
    return int(start) + np.arange(axis.size, dtype=np.int64) * int(step)


def position_kernel(pyramid: Pyramid, level: int) -> PositionKernel:
    """Return the kernel of a level, as `open_pyramid(kernel=...)` wants it."""
    return PositionKernel(pyramid.grid(level), pyramid.fields)


@dataclass(frozen=True, slots=True)
class SlowKernel(PositionKernel):
    """A PositionKernel that takes a twentieth of a second for every block, wherever it runs."""

    def __call__(self, grid: Grid, /) -> Mapping[str, np.ndarray[Any, Any]]:
        time.sleep(0.05)
        return PositionKernel.__call__(self, grid)


def slow_kernel(pyramid: Pyramid, level: int) -> SlowKernel:
    """Return the slow kernel of a level."""
    return SlowKernel(pyramid.grid(level), pyramid.fields)
