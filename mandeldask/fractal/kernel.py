"""Kernel: the interface of a fractal to the layers above, with its title and names for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Grid


@dataclass(frozen=True, slots=True)
class About:
    """Words for titles, names of trees and axes of plots."""

    name: str
    """Name of a tree of it, as URLs have it: letters, digits and ``-``."""
    title: str
    """What people read above it."""
    variable: str = "c"
    """What the plane's coordinate is called: an axis is labelled ``Re(c)``."""


class Kernel(Protocol):
    """The interface of a fractal. It must pickle, and its dask token must be deterministic."""

    @property
    def about(self) -> About:
        """Title and names for people."""
        ...

    @property
    def dtypes(self) -> Mapping[str, np.dtype[Any]]:
        """Names of the fields that a call returns, in order, and their dtypes."""
        ...

    @property
    def attributes(self) -> Mapping[str, Mapping[str, Any]]:
        """Attributes of fields: CF's `long_name` and `units`, and others that readers need; none if unknown."""
        ...

    def select(self, *fields: str) -> Self:
        """Return a kernel for some of the fields only."""
        ...

    def __call__(self, grid: Grid, /) -> Mapping[str, NDArray[Any]]:
        """Return every field at every pixel of `grid`: arrays of its shape (height, width)."""
        ...
