"""Julia: a callable that computes the fields of one Julia set on a Grid."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from mandeldask.fractal.cost import julia_seconds
from mandeldask.fractal.escape_time import EscapeTime
from mandeldask.fractal.kernel import About
from mandeldask.fractal.pyramid import checked_julia
from mandeldask.fractal.rationals import Point, as_key, shown_point

if TYPE_CHECKING:
    from mandeldask.fractal.escape.tile import Tile
    from mandeldask.fractal.geometry import Grid


@dataclass(frozen=True, slots=True)
class Julia(EscapeTime):
    """A `Kernel`: exact escape counts of the filled Julia set of one c, and other fields in the same pass.

    A pixel is z_0. Its count is the number of iterates z_1, z_2, ... of z^2 + c with |z| <= 2, as for the Mandelbrot
    set: at z_0 = 0, both counts are the same.

    Raises
    ------
    ValueError
        If |c| > 2 (then orbits of points in the set exceed |z| = 2), or if `period` is requested.

    Examples
    --------
    >>> from mandeldask.fractal.geometry import Grid
    >>> from mandeldask.fractal.rationals import as_point
    >>> rabbit = Julia(maxiter=255, c=as_point("-0.123+0.745j"))
    >>> rabbit.about.title, rabbit(Grid.window("0", "4", (4, 4)))["iterations"].max()
    ('The Julia set of -0.123+0.745j', np.uint8(255))
    """

    c: Point = field(default=Point(Fraction(0), Fraction(0)), repr=False)  # Python has no repr of more than 4300 digits
    """The constant c of the recurrence."""

    def __post_init__(self) -> None:
        EscapeTime.__post_init__(self)
        checked_julia(self.c, self.fields)

    def __dask_tokenize__(self) -> tuple[object, ...]:
        """Return a value that is equal for equal kernels, for any number of digits of c."""
        return "julia", self.maxiter, self.fields, self.unit, self.tolerance, as_key(*self.c)

    @property
    def about(self) -> About:
        """Title and names to display."""
        return About("julia", f"The Julia set of {shown_point(self.c)}", "z")

    def seconds(self, grid: Grid) -> float:
        """Return an upper estimate of the seconds of one core that `grid` may take."""
        return julia_seconds(grid, self.maxiter, self.fields)

    def answer(self, tile: Tile) -> None:
        """Compute every pixel of `tile`."""
        from mandeldask.fractal.escape.julia.stages import answer  # noqa: PLC0415  numba only when it computes

        answer(tile, self.c)
