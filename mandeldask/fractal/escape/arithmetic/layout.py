"""Workspaces of kernels (struct of arrays): one vector, in which the row of each quantity begins at a constant offset.

The compiler vectorises only if the offsets of rows are constants, which show that rows do not overlap. A module
declares its rows once, as a `Layout`, and takes their offsets as module constants;
`tests/fractal/escape/arithmetic/test_layout.py` compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic.jit import inner

if TYPE_CHECKING:
    from typing import Self

    from mandeldask.fractal.escape.arithmetic.array_types import Floats


@dataclass(frozen=True, slots=True)
class Layout:
    """The rows of a workspace, by name and in order.

    Examples
    --------
    >>> moving = Layout.of("X Y", 10)
    >>> X, Y = moving.offsets
    >>> backed_up = moving.then("OLD_X OLD_Y")
    >>> X, Y, backed_up["OLD_Y"], backed_up.size
    (0, 10, 30, 40)
    >>> moving.renamed(Y="COUNT")["COUNT"]
    10
    """

    names: tuple[str, ...]
    """One for each row."""
    stride: int
    """Numbers from the beginning of a row to the next. No power of two: such rows would share cache lines."""

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.names):
            msg = f"rows must have different names, not {' '.join(self.names)}"
            raise ValueError(msg)

    @classmethod
    def of(cls, names: str, stride: int) -> Self:
        """Return the layout of the rows whose names are listed in a text."""
        return cls(tuple(names.split()), stride)

    def then(self, names: str) -> Self:
        """Return a layout of these rows, followed by others."""
        return type(self)((*self.names, *names.split()), self.stride)

    def renamed(self, **names: str) -> Self:
        """Return the same rows with new names for some: rows that are reused for something else."""
        for name in names:
            self.names.index(name)
        return type(self)(tuple(names.get(name, name) for name in self.names), self.stride)

    def __getitem__(self, name: str) -> int:
        """Return the offset of the row `name`."""
        return self.names.index(name) * self.stride

    def rows(self, names: str) -> tuple[int, ...]:
        """Return the offsets of the rows whose names are listed in a text."""
        return tuple(self[name] for name in names.split())

    @property
    def offsets(self) -> tuple[int, ...]:
        """The offsets of all rows."""
        return tuple(range(0, self.size, self.stride))

    @property
    def size(self) -> int:
        """Numbers in a workspace."""
        return len(self.names) * self.stride


@inner
def workspace(size: int) -> Floats:
    """Return `size` zeros, aligned to a cache line: a vector that crosses two lines takes twice the time."""
    raw = np.zeros(size + 8)
    skip = -(raw.ctypes.data // 8) % 8
    return raw[skip : skip + size]
