"""Choose the kernel for a pyramid or a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mandeldask.fractal.escape.units import unit_for
from mandeldask.fractal.julia import Julia
from mandeldask.fractal.mandelbrot import Mandelbrot

if TYPE_CHECKING:
    from mandeldask.fractal.escape.units import Unit
    from mandeldask.fractal.kernel import Kernel
    from mandeldask.fractal.pyramid import Pyramid
    from mandeldask.fractal.rationals import Point
    from mandeldask.fractal.tolerance import Tolerance


def kernel_of(pyramid: Pyramid, level: int) -> Kernel:
    """Return the kernel of one level: of the Mandelbrot set, or of the pyramid's Julia set."""
    unit = unit_for(pyramid.grid(0).spacing, "pixels of level 0")
    return kernel_for(pyramid.julia, pyramid.maxiter_at(level), pyramid.fields, unit, pyramid.tolerance)


def kernel_for(
    julia: Point | None, maxiter: int, fields: tuple[str, ...], unit: Unit | None = None, tolerance: Tolerance = ()
) -> Mandelbrot | Julia:
    """Return the kernel of the Julia set of `julia`, or of the Mandelbrot set if it is None."""
    if julia is None:
        return Mandelbrot(maxiter, fields, unit, tolerance)
    return Julia(maxiter, fields, unit, tolerance, julia)
