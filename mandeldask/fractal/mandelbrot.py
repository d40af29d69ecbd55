"""Mandelbrot: the callable Grid -> fields that alone chooses which kernels compute."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from mandeldask.budget import metered, spend
from mandeldask.cancellation import cancellable, current
from mandeldask.fractal.cost import cost
from mandeldask.fractal.escape.plan import run
from mandeldask.fractal.escape.units import PLANE
from mandeldask.fractal.interruption import interruptible, stopped_at_the_end
from mandeldask.fractal.pyramid import checked_fields, checked_maxiter
from mandeldask.fractal.rationals import as_text
from mandeldask.fractal.tolerance import Packing, Tolerance, checked_tolerance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.escape.units import Unit
    from mandeldask.fractal.geometry import Grid


_LONG_NAMES = {
    "iterations": "escape count",
    "smooth": "continuous escape time",
    "distance": "estimated distance to the set",
    "period": "period of the attracting cycle",
}


class Kernel(Protocol):
    """All that the layers above know of fractals. It must pickle, and its dask token must be deterministic."""

    @property
    def dtypes(self) -> Mapping[str, np.dtype[Any]]:
        """Names of the fields that a call returns, in order, and their dtypes."""
        ...

    @property
    def attributes(self) -> Mapping[str, Mapping[str, Any]]:
        """Attributes of fields: CF's `long_name` and `units`, and what else a reader must know; of none, if unknown."""
        ...

    def select(self, *fields: str) -> Self:
        """Return a kernel for some of the fields only."""
        ...

    def __call__(self, grid: Grid, /) -> Mapping[str, NDArray[Any]]:
        """Return every field at every pixel of `grid`: arrays of its shape (height, width)."""
        ...


@dataclass(frozen=True, slots=True)
class Mandelbrot:
    """A `Kernel`: exact escape counts of the Mandelbrot set, and fields computed in the same pass.

    A call first spends its estimated cost from the current `mandeldask.budget`, which may raise `BudgetExceeded`. Then
    it polls the current `mandeldask.cancellation` and raises `Cancelled` within milliseconds.

    Examples
    --------
    >>> from mandeldask.fractal.geometry import Grid
    >>> Mandelbrot(maxiter=255)(Grid.window("0", "4", (3, 4)))["iterations"].dtype
    dtype('uint8')
    """

    maxiter: int
    """Greatest escape count."""
    fields: tuple[str, ...] = ("iterations",)
    """Fields to compute, out of `mandeldask.fractal.pyramid.FIELDS`."""
    unit: Unit | None = None
    """The unit of `distance`; None for that of each grid by itself (`mandeldask.fractal.escape.units.unit_for`)."""

    tolerance: Tolerance = ()
    """How wrong fields may be, (field, tolerance) each; see `mandeldask.fractal.tolerance`."""

    def __post_init__(self) -> None:
        checked_maxiter(self.maxiter)
        object.__setattr__(self, "fields", checked_fields(self.fields))
        object.__setattr__(self, "tolerance", checked_tolerance(self.tolerance, self.fields))
        self._packing  # noqa: B018  refuses steps that 32 bits do not hold

    @property
    def dtypes(self) -> Mapping[str, np.dtype[Any]]:
        """Dtype of each field."""
        return {field: self._dtype(field) for field in self.fields}

    @property
    def attributes(self) -> Mapping[str, Mapping[str, Any]]:
        """Attributes of each field; counts carry their cap, by which pictures know what is inside the set."""
        return {field: self._attributes(field) for field in self.fields}

    def select(self, *fields: str) -> Self:
        """Return the same computation for some of its fields."""
        kept = tuple((field, value) for field, value in self.tolerance if field in fields)
        return replace(self, fields=fields, tolerance=kept)

    def _attributes(self, field: str) -> Mapping[str, Any]:
        said: dict[str, Any] = {"long_name": _LONG_NAMES[field], "units": "iterations"}
        if field in {"iterations", "smooth"}:
            said["maxiter"] = self.maxiter
        if field in dict(self.tolerance):
            said["tolerance"] = float(dict(self.tolerance)[field])
        if field == "smooth" and self._packing is not None:
            said |= self._packing.attributes
        if field == "distance":
            unit = self.unit or PLANE
            said |= {"units": unit.name} if unit == PLANE else {"units": unit.name, "exact_unit": as_text(unit.size)}
        return said

    def _dtype(self, field: str) -> np.dtype[Any]:
        if field == "iterations":
            return np.min_scalar_type(self.maxiter)
        if field == "smooth" and self._packing is not None:
            return self._packing.dtype
        return np.dtype(np.uint32) if field == "period" else np.dtype(np.float32)

    @property
    def _packing(self) -> Packing | None:
        """How `smooth` is kept; None for float32."""
        step = dict(self.tolerance).get("smooth")
        return None if step is None else Packing.of(step, self.maxiter)

    def __call__(self, grid: Grid, /) -> Mapping[str, NDArray[Any]]:
        """Return the fields at the pixels of `grid`, shape (height, width) each."""
        seconds = cost(grid, self.maxiter, self.fields).seconds
        return interruptible(lambda: self._computed(grid, seconds), seconds)

    def _computed(self, grid: Grid, seconds: float) -> Mapping[str, NDArray[Any]]:
        with self._answered(grid, seconds) as tile:
            return {field: self._values(tile, field).reshape(grid.shape) for field in self.fields}

    def constant(self, grid: Grid, /) -> Mapping[str, np.generic] | None:
        """Return the value of each field if it is the same at every pixel of `grid`, and one proof shows it; else None.

        It takes microseconds, whatever the number of pixels. Where a component is too small for one proof, or the
        pixels differ, it is None.
        """
        from mandeldask.fractal.escape.proofs.quadtree_stage import common_answer  # noqa: PLC0415  numba

        wants_orbits = not {"smooth", "distance"}.isdisjoint(self.fields)
        found = common_answer(grid, self.maxiter, escapes=not wants_orbits)
        if found is None:
            return None
        count, period = found
        if "period" in self.fields and count == self.maxiter and not period:
            return None  # pixels may still be proven one by one
        values = {"iterations": count, "period": period, "distance": np.nan}
        return {field: self._constant(field, values) for field in self.fields}

    def _constant(self, field: str, values: Mapping[str, float]) -> np.generic:
        """Return one value as it is given out."""
        if field == "smooth" and self._packing is not None:
            packed: np.generic = self._packing.packed(np.array([np.nan]))[0]
            return packed
        value: np.generic = self._dtype(field).type(values.get(field, np.nan))
        return value

    def report(self, grid: Grid, /) -> Mapping[str, int]:
        """Return how many pixels of `grid` each stage answered, by the stage's name, in the order they ran."""
        with self._answered(grid, cost(grid, self.maxiter, self.fields).seconds) as tile:
            return tile.answered

    def _values(self, tile: Tile, field: str) -> NDArray[Any]:
        """Return the values of one field, flat, as they are given out."""
        if field == "iterations":
            return tile.counts.astype(self._dtype(field))
        values: NDArray[Any] = getattr(tile, field)
        if field != "smooth":
            return values
        return values.astype(np.float32) if self._packing is None else self._packing.packed(values)

    @contextmanager
    def _answered(self, grid: Grid, seconds: float) -> Iterator[Tile]:
        """Give the block a tile with every pixel answered; its counts are in memory that is lent."""
        from mandeldask.fractal.escape.tile import Tile, lent_space  # noqa: PLC0415  numba only when it computes

        height, width = grid.shape
        tolerance = {field: float(value) for field, value in self.tolerance}
        what = f"{height} x {width} pixels to maxiter {self.maxiter}"
        spend(seconds, what)
        with (
            cancellable(current()) as cancellation,
            stopped_at_the_end(cancellation),
            metered(what, cancellation.cancel),
            lent_space(grid.im.size * grid.re.size) as space,
        ):
            tile = Tile.blank(grid, self.maxiter, self.fields, space, self.unit, tolerance)
            run(tile)
            if tile.period is not None:
                from mandeldask.fractal.escape.proofs.interior_stage import find_periods  # noqa: PLC0415

                find_periods(tile)
            yield tile
