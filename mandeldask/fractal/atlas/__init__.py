"""An atlas of the Mandelbrot set: components, Misiurewicz points and places, computed and proven by this package."""

from __future__ import annotations

from mandeldask.fractal.atlas.misiurewicz import Misiurewicz, misiurewicz
from mandeldask.fractal.atlas.nearest import nucleus
from mandeldask.fractal.atlas.nuclei import Nucleus, nuclei
from mandeldask.fractal.atlas.sites import Site, places

__all__ = ["Misiurewicz", "Nucleus", "Site", "misiurewicz", "nuclei", "nucleus", "places"]
