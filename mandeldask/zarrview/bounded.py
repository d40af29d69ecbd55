"""Reads that may cost so much and no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mandeldask.budget import limited

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.zarrview.nodes import Read


@dataclass(frozen=True, slots=True)
class Bounded:
    """Reads windows whose kernels may take so many seconds. It pickles, so that a cluster's workers are bound too."""

    read: Read
    """Reads them."""
    seconds: float
    """Seconds of one core that a window may take, by the kernels' own estimates."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`.

        Raises
        ------
        mandeldask.budget.BudgetExceeded
            If they could take longer; the kernel that would is not begun.
        """
        with limited(self.seconds):
            return self.read(window)
