"""Arrays in memory and scalars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.zarrview.identity import identity
from mandeldask.zarrview.nodes import Array, default_chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Indexed:
    """Reads windows of anything that is indexed as numpy is and becomes an ndarray by `np.asarray`."""

    data: Any

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        return dense(self.data[window])


def dense(window: Any) -> NDArray[Any]:
    """Return the elements of a window as an ndarray, which sparse arrays refuse to become unless asked by name."""
    return np.asarray(window.todense() if hasattr(window, "todense") else window)


def array_node(data: NDArray[Any]) -> Array:
    """Return the Array of an ndarray; dates, durations and objects become what CF conventions make of them."""
    if data.dtype.kind in "OMm":
        from mandeldask.zarrview.kinds.xarrays import array_of_dates_or_objects  # noqa: PLC0415  xarray costs 0.3 s

        return array_of_dates_or_objects(data)
    return Array(
        shape=data.shape,
        dtype=data.dtype,
        read=Indexed(data),
        chunks=default_chunks(data.shape, data.dtype.itemsize),
        fingerprint=identity(data),
    )
