"""EscapeTime: the common part of kernels that count iterates of z^2 + c; each kernel defines `answer`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mandeldask.budget import metered, spend
from mandeldask.cancellation import cancellable, current
from mandeldask.forking import check_child
from mandeldask.fractal.escape.first_run import computing
from mandeldask.fractal.escape.units import PLANE
from mandeldask.fractal.interruption import interruptible, stopped_at_the_end
from mandeldask.fractal.parts import MOST_PIXELS, parts_of
from mandeldask.fractal.pyramid import checked_fields, checked_maxiter
from mandeldask.fractal.rationals import as_text
from mandeldask.fractal.tolerance import Packing, Tolerance, checked_tolerance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.escape.units import Unit
    from mandeldask.fractal.geometry import Grid
    from mandeldask.fractal.kernel import About

_LONG_NAMES = {
    "iterations": "escape count",
    "smooth": "continuous escape time",
    "distance": "estimated distance to the set",
    "period": "period of the attracting cycle",
}


_ORBITS = ("smooth", "distance")
"""Fields that need the orbit of each pixel to its escape."""


@dataclass(frozen=True, slots=True)
class EscapeTime(ABC):
    """A `Kernel` of exact escape counts, and of fields computed in the same pass.

    A call first spends its estimated cost from the current `mandeldask.budget`, which may raise `BudgetExceeded`. Then
    it polls the current `mandeldask.cancellation` and raises `Cancelled` within milliseconds.
    """

    maxiter: int
    """Greatest escape count."""
    fields: tuple[str, ...] = ("iterations",)
    """Fields to compute, from `mandeldask.fractal.pyramid.FIELDS`."""
    unit: Unit | None = None
    """The unit of `distance`; None for that of each grid (`mandeldask.fractal.escape.units.unit_for`)."""

    tolerance: Tolerance = ()
    """Allowed error of fields, as pairs (field, tolerance); see `mandeldask.fractal.tolerance`."""

    def __post_init__(self) -> None:
        checked_maxiter(self.maxiter)
        object.__setattr__(self, "fields", checked_fields(self.fields))
        object.__setattr__(self, "tolerance", checked_tolerance(self.tolerance, self.fields))
        self._packing  # noqa: B018  refuses steps that 32 bits do not hold

    @property
    @abstractmethod
    def about(self) -> About:
        """Title and names to display."""

    @abstractmethod
    def seconds(self, grid: Grid) -> float:
        """Return an upper estimate of the seconds of one core that `grid` may take."""

    @abstractmethod
    def answer(self, tile: Tile) -> None:
        """Compute every pixel of `tile`."""

    @property
    def dtypes(self) -> Mapping[str, np.dtype[Any]]:
        """Dtype of each field."""
        return {field: self._dtype(field) for field in self.fields}

    @property
    def attributes(self) -> Mapping[str, Mapping[str, Any]]:
        """Attributes of each field; counts have their cap, so that pictures can show which pixels are inside."""
        return {field: self._attributes(field) for field in self.fields}

    def select(self, *fields: str) -> Self:
        """Return the same computation for some of its fields."""
        kept = tuple((field, value) for field, value in self.tolerance if field in fields)
        return replace(self, fields=fields, tolerance=kept)

    def least(self, field: str) -> Self:
        """Return the kernel of the fewest fields that computes `field` to the same bits.

        Counts are exact, whatever else is computed. The last digits of `smooth` and `distance` may depend on the other
        fields of the pass, and so may the set of periods that are proven.
        """
        needed = {"iterations": (), "period": (*_ORBITS, "period")}.get(field, _ORBITS)
        return self.select(*(each for each in self.fields if each == field or each in needed))

    def _attributes(self, field: str) -> Mapping[str, Any]:
        found: dict[str, Any] = {"long_name": _LONG_NAMES[field], "units": "iterations"}
        if field in {"iterations", "smooth"}:
            found["maxiter"] = self.maxiter
        if field in dict(self.tolerance):
            found["tolerance"] = float(dict(self.tolerance)[field])
        if field == "smooth" and self._packing is not None:
            found |= self._packing.attributes
        if field == "distance":
            unit = self.unit or PLANE
            found |= {"units": unit.name} if unit == PLANE else {"units": unit.name, "exact_unit": as_text(unit.size)}
        return found

    def _dtype(self, field: str) -> np.dtype[Any]:
        if field == "iterations":
            return np.min_scalar_type(self.maxiter)
        if field == "smooth" and self._packing is not None:
            return self._packing.dtype
        return np.dtype(np.uint32) if field == "period" else np.dtype(np.float32)

    @property
    def _packing(self) -> Packing | None:
        """The fixed-point format of `smooth`; None for float32."""
        step = dict(self.tolerance).get("smooth")
        return None if step is None else Packing.of(step, self.maxiter)

    def __call__(self, grid: Grid, /) -> Mapping[str, NDArray[Any]]:
        """Return the fields at the pixels of `grid`, shape (height, width) each."""
        check_child()
        seconds = self.seconds(grid)
        return interruptible(lambda: self._computed(grid, seconds), seconds)

    def _computed(self, grid: Grid, seconds: float) -> Mapping[str, NDArray[Any]]:
        spend(seconds, self._described(grid))
        if grid.im.size * grid.re.size <= MOST_PIXELS:
            return self._part(grid)
        found = {field: np.empty(grid.shape, dtype) for field, dtype in self.dtypes.items()}
        for rows, cols in parts_of(grid.shape):
            for field, values in self._part(grid[rows, cols]).items():
                found[field][rows, cols] = values
        return found

    def _described(self, grid: Grid) -> str:
        return f"{grid.im.size} x {grid.re.size} pixels to maxiter {self.maxiter}"

    def _part(self, grid: Grid) -> dict[str, NDArray[Any]]:
        """Return the fields of a grid that is computed at once."""
        with self._answered(grid) as tile:
            return {field: self._values(tile, field).reshape(grid.shape) for field in self.fields}

    def report(self, grid: Grid, /) -> Mapping[str, int]:
        """Return the number of pixels of `grid` that each stage answered, by its name, in order of execution."""
        from mandeldask.fractal.escape.arithmetic.optional_kernels import with_all_kernels  # noqa: PLC0415  as below

        check_child()
        spend(self.seconds(grid), self._described(grid))
        with with_all_kernels(), self._answered(grid) as tile:
            return tile.answered

    def _values(self, tile: Tile, field: str) -> NDArray[Any]:
        """Return the values of one field, flat, in the dtype that is returned to callers."""
        if field == "iterations":
            return tile.counts.astype(self._dtype(field))
        values: NDArray[Any] = getattr(tile, field)
        if field != "smooth":
            return values
        return values.astype(np.float32) if self._packing is None else self._packing.packed(values)

    @contextmanager
    def _answered(self, grid: Grid) -> Iterator[Tile]:
        """Yield a tile with every pixel answered; its counts are valid only inside the block."""
        from mandeldask.fractal.escape.tile import Tile, lent_buffers  # noqa: PLC0415  numba only when it computes

        tolerance = {field: float(value) for field, value in self.tolerance}
        with (
            cancellable(current()) as cancellation,
            stopped_at_the_end(cancellation),
            metered(self._described(grid), cancellation.cancel),
            computing(self.fields),
            lent_buffers(grid.im.size * grid.re.size) as buffers,
        ):
            tile = Tile.blank(grid, self.maxiter, self.fields, buffers, self.unit, tolerance)
            self.answer(tile)
            yield tile
