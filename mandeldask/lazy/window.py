"""window: any place of the plane, at any depth, as an xarray Dataset. It needs no pyramid."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from mandeldask.fractal.escape.units import unit_for
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.kernels import kernel_for
from mandeldask.fractal.places import as_place
from mandeldask.fractal.pyramid import as_julia, auto_maxiter, checked_fields, checked_maxiter
from mandeldask.fractal.rationals import CenterLike, Point, RationalLike, as_text, point_as_text
from mandeldask.fractal.tolerance import checked_tolerance
from mandeldask.lazy import accessor as _registered  # noqa: F401  `window(...).mandel`
from mandeldask.lazy.blocks import TILESIZE
from mandeldask.lazy.chunking import Division
from mandeldask.lazy.levels import as_dataset

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr

    from mandeldask.fractal.tolerance import ToleranceLike
    from mandeldask.lazy.chunking import ChunksLike


def window(  # noqa: PLR0913  the public names of a window
    center: CenterLike,
    width: RationalLike | None = None,
    shape: tuple[int, int] = (512, 512),
    *,
    maxiter: int | Literal["auto"] = "auto",
    fields: Iterable[str] = ("iterations",),
    tolerance: ToleranceLike = (),
    julia: CenterLike | None = None,
    chunks: ChunksLike = "auto",
    allow_huge: bool = False,
) -> xr.Dataset:
    """Return `shape` pixels around `center` as lazy variables, one for each field.

    Parameters
    ----------
    center : str, complex or (re, im)
        Exact centre: the position of pixel (h/2, w/2). It may also be a link of the viewer page.
    width : str, Decimal, Fraction, int or float
        Exact width in plane units. Optional if `center` is a link that contains it.
    shape : (int, int)
        Height and width, in pixels.
    maxiter : int or "auto"
        Greatest escape count; "auto" grows with depth.
    fields : iterable of str
        What to compute: iterations, smooth, distance, period.
    tolerance : mapping of str to number
        Allowed error of fields, if less than float32 precision is enough: ``{"smooth": "1/64"}`` in iterations (1/4096
        to 1), ``{"distance": 0.01}`` as a relative error (1/4096 to 1/16). `smooth` is then stored in such steps, as
        uint16 or uint32 with CF's attributes ``scale_factor``, ``add_offset`` and ``_FillValue``. It is within one step
        of the true value; `xarray.decode_cf` converts it to floats. At great depths, this needs only a fraction of the
        time.
    julia : str, complex or (re, im), optional
        Compute the Julia set of this exact c (``|c| <= 2``) instead of the Mandelbrot set: pixels are z_0. There is no
        field `period`. A link to a place in a Julia set contains its c.
    chunks : int, "auto", tuple, dict or None
        Block size in pixels ("auto": up to 2048, for tasks of at most about a second); -1 for one block along an axis;
        a pair (rows, columns) or a dict of these; or the sizes of all blocks, as in dask. None for lazily indexed
        arrays.
    allow_huge : bool
        Accept numbers of more than 100,000 digits.

    Raises
    ------
    ValueError, TypeError
        If a value is out of its range.

    Examples
    --------
    >>> spiral = window("-0.7436438870371587+0.1318259042053119j", "1e-9", (300, 400), maxiter=2000)
    >>> spiral.iterations.shape, spiral.iterations.dtype
    ((300, 400), dtype('uint16'))
    """
    middle, extent, linked = _placed(center, width, allow_huge=allow_huge)
    grid = Grid.window(middle, extent, shape, allow_huge=allow_huge)
    most = auto_maxiter(grid.spacing) if maxiter == "auto" else checked_maxiter(maxiter)
    wanted = checked_fields(fields)
    c = as_julia(linked if julia is None else julia, wanted, allow_huge=allow_huge)
    kernel = kernel_for(c, most, wanted, unit_for(grid.spacing), checked_tolerance(tolerance, wanted))
    division = Division.of(chunks, grid.shape, TILESIZE, most)
    return as_dataset(grid, kernel, division, window_attributes(grid, most, c))


def _placed(
    center: CenterLike, width: RationalLike | None, *, allow_huge: bool
) -> tuple[CenterLike, RationalLike, Point | None]:
    """Return the centre, the width and the c of a Julia set, if any. `center` may be a link."""
    place = as_place(center, allow_huge=allow_huge) if isinstance(center, str) else None
    extent = place.width if width is None and place else width
    if extent is None:
        msg = "width is missing: give it in plane units, or use a link that contains it"
        raise TypeError(msg)
    return (place.center, extent, place.julia) if place else (center, extent, None)


def window_attributes(grid: Grid, maxiter: int, julia: Point | None = None) -> dict[str, str | int]:
    """Return the attributes of a window; `window` can make it again from them."""
    rows, cols = grid.shape
    middle = Point(grid.re.start + Fraction(cols, 2) * grid.re.step, grid.im.start + Fraction(rows, 2) * grid.im.step)
    return {
        "maxiter": maxiter,
        "exact_center": point_as_text(middle),
        "exact_width": as_text(cols * grid.spacing),
        "exact_spacing": as_text(grid.spacing),
        **({} if julia is None else {"julia": point_as_text(julia)}),
    }
