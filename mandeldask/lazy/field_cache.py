"""Keep all fields of one kernel call, for later reads of the other fields of the same pixels."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any

from mandeldask.lazy.cluster_orbits import run_kernel
from mandeldask.shared_cache import SharedCache

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Grid
    from mandeldask.fractal.kernel import Kernel

KEPT_BYTES = 2**26
"""Memory for windows with a field that was not read yet (64 MiB)."""


class _Window:
    """The fields of one window. Each is returned once, so its reader may modify it."""

    def __init__(self, fields: Mapping[str, NDArray[Any]]) -> None:
        self.nbytes = sum(pixels.nbytes for pixels in fields.values())
        self.left = dict(fields)
        self.lock = RLock()


class FieldCache:
    """Cache of kernel calls whose fields are read one by one, as xarray loads the variables of a Dataset.

    A call computes all fields of the kernel. They are kept until each was read, or until newer ones need the memory.

    Parameters
    ----------
    max_bytes : int
        Memory limit.
    """

    def __init__(self, max_bytes: int = KEPT_BYTES, name: str = "") -> None:
        self.windows: SharedCache[_Window] = SharedCache(max_bytes, lambda window: window.nbytes, name=name)

    def take(self, kernel: Kernel, grid: Grid, name: str) -> NDArray[Any]:
        """Return a field, computed now or by the call that computed another field of the same grid."""
        key = kernel, grid
        while True:
            window = self.windows.read(key, lambda: _Window(run_kernel(kernel, grid)))
            with window.lock:
                pixels = window.left.pop(name, None)
                if pixels is None or not window.left:
                    self.windows.drop(key)
            if pixels is not None:
                return pixels


fields = FieldCache(name="fields")
