"""All fields of a window from one kernel call: kept for a reader who asks for another field of the same pixels."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Any

from mandeldask.forking import renewed_in_children
from mandeldask.lazy.cluster_orbits import run_kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Grid
    from mandeldask.fractal.kernel import Kernel

KEPT_BYTES = 2**26
"""Memory for fields that were computed and not asked for yet (64 MiB)."""


@dataclass(slots=True)
class _Call:
    """What is left of one kernel call."""

    running: RLock = field(default_factory=RLock)
    fields: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        return sum(pixels.nbytes for pixels in self.fields.values())


class FieldCache:
    """Kernel calls whose fields are taken one by one, as xarray loads the variables of a Dataset.

    A call computes all fields of the kernel; those not asked for yet are kept until a reader takes them, or until newer
    ones need the memory.

    Parameters
    ----------
    max_bytes : int
        What may be kept.
    """

    def __init__(self, max_bytes: int = KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self.renew()
        renewed_in_children(self)

    def renew(self) -> None:
        """Keep nothing: what the threads of its parent compute never comes to a forked child."""
        self._calls: OrderedDict[tuple[Kernel, Grid], _Call] = OrderedDict()
        self._lock = RLock()

    @property
    def nbytes(self) -> int:
        """Bytes kept now."""
        return sum(one.nbytes for one in list(self._calls.values()))

    def take(self, kernel: Kernel, grid: Grid, name: str) -> NDArray[Any]:
        """Return a field, computed now or by the call that computed another field of the same grid."""
        key = kernel, grid
        with self._lock:
            one = self._calls.setdefault(key, _Call())
            self._calls.move_to_end(key)
        with one.running:
            if name not in one.fields:
                one.fields = dict(run_kernel(kernel, grid))
            pixels = one.fields.pop(name)
        self._trim(key, one)
        return pixels

    def _trim(self, key: tuple[Kernel, Grid], one: _Call) -> None:
        """Forget the call if all of it was taken, and the oldest ones while too much is kept."""
        with self._lock:
            if not one.fields and self._calls.get(key) is one:
                del self._calls[key]
            while self._calls and self.nbytes > self._max_bytes:
                self._calls.popitem(last=False)


fields = FieldCache()
