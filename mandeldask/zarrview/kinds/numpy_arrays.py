"""Arrays in memory and scalars."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mandeldask.zarrview.blocks import dense
from mandeldask.zarrview.chunking import default_chunks
from mandeldask.zarrview.identity import identity
from mandeldask.zarrview.nodes import Array, as_node

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Indexed:
    """Reads windows of anything that is indexed as numpy is and becomes an ndarray by `np.asarray`."""

    data: Any

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        return dense(self.data[window])


def with_conventions(data: Any) -> Array:
    """Return the Array of an array of dates, durations or objects: what CF conventions make of them."""
    from xarray import Variable  # noqa: PLC0415  0.3 s of import, for those who have such arrays

    node = as_node(Variable(tuple(f"dim_{axis}" for axis in range(data.ndim)), data))
    return replace(cast("Array", node), dims=None)


@as_node.register(np.ndarray)
@as_node.register(np.generic)
@as_node.register(bool)
@as_node.register(int)
@as_node.register(float)
@as_node.register(complex)
@as_node.register(str)
@as_node.register(bytes)
def _(tree: Any) -> Array:
    data = np.asanyarray(tree)
    if data.dtype.kind in "OMm":
        return with_conventions(data)
    return Array(
        shape=data.shape,
        dtype=data.dtype,
        read=Indexed(data),
        chunks=default_chunks(data.shape, data.dtype.itemsize),
        fingerprint=identity(data),
    )
