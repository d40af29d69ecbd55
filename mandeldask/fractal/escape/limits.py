"""Every threshold by which stages are chosen, once: where a stage works, where it pays, and when it gives up."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

FINEST_DIRECT = 2.0**-80
"""Finest spacing for stages that iterate z^2 + c itself: below, the double-double centres of blocks coincide."""

FINEST_LONG_FLOAT64 = 2.0**-64
"""Finest spacing for long float64 orbits: at 2^-78, after 7,800 iterations, 65 % remain unproven."""

FINEST_MULTI_DOUBLE = 2.0**-52
"""Finest spacing at which any number of pixels is iterated in double-double: below, a reference orbit costs less."""

FINEST_MULTI_DOUBLE_FIELDS = 2.0**-62
"""The same where fields are wanted."""

MOST_MULTI_DOUBLE = 4096
"""Open pixels up to which double-double is tried down to `FINEST_DIRECT`."""

FEWEST_FOR_REFERENCE = 8
"""Least number of open pixels for which a reference orbit costs less than exact integers, after double-double."""

EARLY_ITERATIONS = 1024
"""Iterations after which trying to prove that a pixel never escapes costs less than iterating on."""

LEAST_CYCLE_EXTENT = 2.0**-50
"""Extent below which a grid is one point to float64, so that the quad-tree has tried its cycle already."""

LEAST_MINIBROT_STEPS = 1 << 25
"""Least iterations times open pixels for which a search for a minibrot pays: finding a nucleus takes milliseconds."""

FAR_OUT_EXPONENT = 64
"""log2|c| past which z_1 = c is far out itself, and fields follow from its logarithm."""

FARTHEST_QUADTREE = 64
"""Distance from 0 up to which discs of c are tried: farther out float64 steps between pixels are not exact."""

FARTHEST_EXTERIOR = 8.0
"""Distance from 0 up to which blocks outside are iterated together: farther out positions are not exact."""

FARTHEST_CYCLE = 8
"""Distance from 0 up to which attracting cycles are tried: farther out everything escapes at once."""

FLOAT64_ENOUGH = 2.0**-45
"""Spacing down to which float64 answers nearly all pixels; `cost` expects a reference orbit below."""

DOUBLE_DOUBLE_STEP_S = 12e-9
"""Seconds of a step around a reference in double-double: decides between that and a further reference orbit."""

MOST_REFERENCES = 12
"""Most further references that the perturbation stage tries for pixels with longer orbits than the first."""

MOST_LEFT_OPEN = 0.9
"""Share of the open pixels: if a further reference leaves more of them open, it is the last."""

NUCLEUS_WORTH_S = 0.05
"""Seconds of a reference orbit from which a nucleus is searched to replace it."""

NUCLEUS_PERIOD_SHARE = 16
"""Nuclei are searched up to a period of `maxiter` divided by this: finding one takes about ten times its period."""

MOST_MINIBROTS = 4
"""Most minibrots that are tried for the periods of one tile."""

MOST_MINIBROT_FAILURES = 2
"""Number of pixels without a proven cycle after which no further minibrot is tried."""

JULIA_FAR_OUT_EXPONENT = 18
"""log2|z_0| beyond which a pixel of a Julia set is far out itself, as |c| <= 2."""

JULIA_WINDOW_EXPONENT = -17
"""log2 of the radius of a window of a Julia set from which its pixels begin at z_0; smaller ones have a polynomial."""

WORST = 2.0**-30
"""Square of the greatest relative error of z, far out, with which a field is written."""
WORST_SLOPE = 2.0**-28
"""The same for dz/dc: together they allow `distance` an error of a ten-thousandth."""

_SMOOTH_SHARE, _LARGEST_ERROR = 1.0, 2.0**-6
_DISTANCE_SHARE, _SLOPE_SHARE = 2.0**-3, 2.0**-2
"""Relative errors of z and dz/dc that are allowed for a tolerance of 1, and the largest allowed ones."""


def worst_for(fields: Collection[str], tolerance: Mapping[str, float]) -> tuple[float, float]:
    """Return the squares of the relative errors of z and of dz/dc with which `fields` may be written.

    The second is infinite where no derivative is needed. With `tolerance`, the error of `smooth` is at
    most half of it, in iterations, and that of `distance`, relatively, too.
    """
    worst, worst_slope = [], inf
    if "smooth" in fields:
        worst.append(max(WORST, min(_SMOOTH_SHARE * tolerance.get("smooth", 0.0), _LARGEST_ERROR) ** 2))
    if "distance" in fields:
        share = tolerance.get("distance", 0.0)
        worst.append(max(WORST, min(_DISTANCE_SHARE * share, _LARGEST_ERROR) ** 2))
        worst_slope = max(WORST_SLOPE, min(_SLOPE_SHARE * share, _LARGEST_ERROR) ** 2)
    return min(worst, default=inf), worst_slope
