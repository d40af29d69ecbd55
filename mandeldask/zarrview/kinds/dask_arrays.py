"""dask arrays: computed window by window in the thread that reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.array as da

from mandeldask.zarrview.blocks import dense
from mandeldask.zarrview.chunking import block_chunks
from mandeldask.zarrview.kinds.numpy_arrays import with_conventions
from mandeldask.zarrview.nodes import Array, as_node

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Computed:
    """Computes windows of a dask array with the synchronous scheduler.

    The threaded one starts a pool for each thread that calls it; the view has threads of its own already.
    """

    data: da.Array

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        return dense(self.data[window].compute(scheduler="synchronous"))


@as_node.register(da.Array)
def _(tree: da.Array) -> Array:
    if tree.dtype.kind in "OMm":
        return with_conventions(tree)
    return Array(tree.shape, tree.dtype, Computed(tree), block_chunks(tree.shape, tree.chunks), fingerprint=tree.name)
