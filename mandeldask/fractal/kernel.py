"""Kernel: the interface of a fractal to the layers above, and its title and names to display."""

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
    """Texts for titles, names of trees and axes of plots."""

    name: str
    """Name of its tree in URLs: letters, digits and ``-``."""
    title: str
    """Title to display."""
    variable: str = "c"
    """Name of the plane's coordinate, such as c: an axis is then labelled ``Re(c)``."""


class Kernel(Protocol):
    """The interface of a fractal. It must be picklable, and its dask token must be deterministic."""

    @property
    def about(self) -> About:
        """Title and names to display."""
        ...

    @property
    def dtypes(self) -> Mapping[str, np.dtype[Any]]:
        """Names of the fields that a call returns, in order, and their dtypes."""
        ...

    @property
    def attributes(self) -> Mapping[str, Mapping[str, Any]]:
        """Attributes of fields: CF's `long_name` and `units`, and others that readers need; empty if unknown."""
        ...

    def select(self, *fields: str) -> Self:
        """Return a kernel for only some of the fields."""
        ...

    def __call__(self, grid: Grid, /) -> Mapping[str, NDArray[Any]]:
        """Return every field at every pixel of `grid`: arrays of its shape (height, width)."""
        ...
