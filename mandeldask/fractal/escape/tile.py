"""Tile: the pixels of one computation and their results, which the stages share while they answer them.

A stage answers the pixels whose value it can prove and leaves the others open; stages run from cheap to strong, and
the last one can prove anything. So no stage depends on another.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mandeldask.cancellation import Cancellation, current
from mandeldask.fractal.escape.arithmetic.jit import kernel
from mandeldask.fractal.escape.arithmetic.optional_kernels import without_missing_kernels
from mandeldask.fractal.escape.limits import worst_for
from mandeldask.fractal.escape.scratch import Scratch
from mandeldask.fractal.escape.units import as_factor, unit_for
from mandeldask.fractal.parts import MOST_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from fractions import Fraction
    from typing import Self

    from numpy.typing import NDArray

    from mandeldask.fractal.escape.units import Unit
    from mandeldask.fractal.geometry import Grid


_ALL_MARKED = 0x0101010101010101
"""Bit pattern of eight consecutive True bytes: one comparison tests eight marks."""


class TileBuffers(NamedTuple):
    """The arrays that every tile of `size` pixels needs, used by one tile at a time."""

    counts: NDArray[np.uint32]
    """The counts, shape (size,)."""
    pixels: NDArray[np.int64]
    """All pixels, 0 to size - 1."""
    open: NDArray[np.int64]
    """For the pixels that the first stage leaves open."""
    rest: NDArray[np.int64]
    """For a list of pixels within a stage."""
    smooth: NDArray[np.float64]
    """For continuous escape times, which are converted when they are returned."""

    @classmethod
    def fresh(cls, size: int) -> Self:
        """Return new arrays."""
        counts, smooth = np.empty(size, np.uint32), np.empty(size)
        return cls(counts, np.arange(size), np.empty(size, np.int64), np.empty(size, np.int64), smooth)


@contextmanager
def lent_buffers(size: int) -> Iterator[TileBuffers]:
    """Lend the block this thread's own arrays for `size` pixels."""
    if size > MOST_PIXELS:
        yield TileBuffers.fresh(size)
        return
    with _buffers.lent(lambda kept: kept.counts.size >= size, lambda: TileBuffers.fresh(size)) as kept:
        yield TileBuffers._make(part[:size] for part in kept)


_buffers: Scratch[TileBuffers] = Scratch()


@dataclass(slots=True, eq=False)
class Tile:
    """Answers at the pixels of a grid, kept flat: pixel (row, col) is at ``row * width + col``.

    Every pixel begins as one that does not escape: its count is `maxiter`, its `smooth` and `distance` are NaN and its
    `period` is 0 (not known). So a stage that proves "never escapes" has only to close the pixel.
    """

    grid: Grid
    """Where the pixels are."""
    maxiter: int
    """Greatest escape count."""
    buffers: TileBuffers
    """Arrays that the thread keeps for its next tile."""
    counts: NDArray[np.uint32]
    """Escape counts, shape (height * width,)."""
    smooth: NDArray[np.float64] | None
    """Continuous escape times, or None if not wanted; a stage that cannot compute one leaves the pixel open."""
    distance: NDArray[np.float32] | None
    """Distance estimates, or None; as `smooth`. In plane units until `take_unit` is called, then in `unit`."""
    period: NDArray[np.uint32] | None
    """Periods of attracting cycles, or None."""
    worst: tuple[float, float]
    """Squares of the relative errors of z and dz/dc with which fields may be written, from `limits.worst_for`."""
    unit: Fraction
    """The unit of distances, in plane units."""
    open: NDArray[np.int64]
    """Pixels that no stage has answered yet, ascending."""
    needs_more_precision: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """Pixels for which float64 orbits are not accurate enough, ascending."""
    stage: str = ""
    """Name of the running stage."""
    prepared: Any = None
    """The frame, positions and series that the stages in `direct` compute once (`direct.prepared_tile`)."""
    reference: Any = None
    """The prepared reference that stages at depth share (`perturbation.prepared_reference`)."""
    answered: dict[str, int] = field(default_factory=dict)
    """Pixels answered by each stage so far, in the order in which the stages ran."""
    cancellation: Cancellation = field(default_factory=current)
    """Stages without the GIL poll its flag; its `check` raises."""

    @classmethod
    def blank(
        cls,
        grid: Grid,
        maxiter: int,
        fields: tuple[str, ...] = ("iterations",),
        buffers: TileBuffers | None = None,
        unit: Unit | None = None,
        tolerance: Mapping[str, float] | None = None,
    ) -> Self:
        """Return a Tile with every pixel open, in `buffers` of its size if these are given.

        `unit` is that of distances, by default the grid's own. `tolerance` bounds the error of fields.
        """
        size = grid.im.size * grid.re.size
        buffers = buffers or TileBuffers.fresh(size)
        buffers.counts.fill(maxiter)
        if "smooth" in fields:
            buffers.smooth.fill(np.nan)
        return cls(
            grid=grid,
            maxiter=maxiter,
            buffers=buffers,
            counts=buffers.counts,
            smooth=buffers.smooth if "smooth" in fields else None,
            distance=np.full(size, np.nan, np.float32) if "distance" in fields else None,
            period=np.zeros(size, np.uint32) if "period" in fields else None,
            worst=worst_for(fields, tolerance or {}),
            unit=(unit or unit_for(grid.spacing)).size,
            open=buffers.pixels,
        )

    @property
    def wants_orbits(self) -> bool:
        """Whether a pixel that escapes needs more than its count."""
        return self.smooth is not None or self.distance is not None

    @property
    def has_reference(self) -> bool:
        """Whether a stage has loaded a reference orbit for the tile."""
        return self.reference is not None

    def without_missing_kernels(self) -> AbstractContextManager[None]:
        """Return a context whose block ends at a kernel that is not compiled yet, if the tile is cheap without it.

        With fields it never does: their last digits may depend on the stage that computes them.
        """
        if self.wants_orbits or self.period is not None:
            return nullcontext()
        return without_missing_kernels(self.open.size * self.maxiter)

    def take_unit(self) -> None:
        """Convert the distances written so far from plane units to `unit`."""
        if self.distance is not None and self.unit != 1:
            self.put_distances(slice(None), self.distance, 1 / self.unit)

    def put_distances(self, pixels: Any, distances: NDArray[Any], unit: Fraction) -> None:
        """Write `distances` at `pixels` (an index or a slice); they are in units of `unit` times the tile's unit."""
        if self.distance is not None:
            with np.errstate(over="ignore"):
                scaled = distances.astype(np.float64) * as_factor(unit)
            self.distance[pixels] = np.minimum(scaled, np.finfo(np.float32).max)

    def close(self, proven: NDArray[np.bool_], part: str = "") -> None:
        """Remove the pixels ``open[proven]`` from `open`, reported under the stage, or under that `part` of it.

        Raises
        ------
        mandeldask.cancellation.Cancelled
            If the computation was cancelled: pixels of an interrupted stage must not count as answered.
        """
        self.cancellation.check()
        before = self.open.size
        first = self.open is self.buffers.pixels
        self.open = unmarked(self.open, proven, self.buffers.open if first else np.empty(before, np.int64))
        stage = self.stage + part
        self.answered[stage] = self.answered.get(stage, 0) + before - self.open.size


def unmarked(pixels: NDArray[np.int64], marks: NDArray[np.bool_], out: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return those of `pixels` that are not marked, in `out` of their size; `pixels` itself if none is marked."""
    words = marks[: marks.size // 8 * 8].view(np.int64)
    left: NDArray[np.int64] = out[: _copy_unmarked(pixels, marks, words, out)] if marks.any() else pixels
    return left


@kernel
def _copy_unmarked(pixels: Any, marks: Any, words: Any, left: Any) -> Any:
    """Write the pixels that are not marked to `left`; return how many. Eight marks are tested at a time."""
    size = 0
    for word in range(words.size):
        if words[word] != _ALL_MARKED:
            for i in range(8 * word, 8 * word + 8):
                left[size] = pixels[i]
                size += not marks[i]
    for i in range(8 * words.size, marks.size):
        left[size] = pixels[i]
        size += not marks[i]
    return size
