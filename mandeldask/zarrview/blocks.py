"""Blocks of elements, as sources hand them over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def dense(window: Any) -> NDArray[Any]:
    """Return the elements of a window as an ndarray, which sparse arrays refuse to become unless asked by name."""
    return np.asarray(window.todense() if hasattr(window, "todense") else window)
