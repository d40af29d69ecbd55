"""Reads with a limit on their cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mandeldask.budget import limited

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.zarrview.nodes import Read


@dataclass(frozen=True, slots=True)
class Bounded:
    """Reads windows with a time limit for their kernels. It can be pickled, so that a cluster's workers obey it too."""

    read: Read
    """Reads the windows."""
    seconds: float
    """Seconds of one core that a window may take, by the kernels' own estimates."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`.

        Raises
        ------
        mandeldask.budget.BudgetExceeded
            If the kernels could take longer; a kernel that exceeds the limit is not started.
        """
        with limited(self.seconds):
            return self.read(window)
