"""dask arrays: computed window by window in the reading thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from mandeldask.internals.dask_names import example_of
from mandeldask.zarrview.blocked import in_dask_blocks
from mandeldask.zarrview.blocks import dense
from mandeldask.zarrview.cf import with_missing
from mandeldask.zarrview.chunking import block_chunks
from mandeldask.zarrview.identity import identity
from mandeldask.zarrview.kinds.numpy_arrays import array_node, dtype_and_missing, with_conventions
from mandeldask.zarrview.nodes import Array, as_node

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Computed:
    """Computes windows of a dask array with the synchronous scheduler.

    The threaded scheduler would start a pool for each calling thread, but the view has its own threads.
    """

    data: da.Array

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        return dense(self.data[window].compute(scheduler="synchronous"))


@as_node.register(da.Array)
def _(tree: da.Array) -> Array:
    chunks = block_chunks(tree.shape, tree.dtype.itemsize, tree.chunks)
    if tree.dtype.kind == "O":  # the type depends on the elements
        whole: Any = tree
        return array_node(dense(whole.compute(scheduler="synchronous")))
    if tree.dtype.kind in "Mm":
        return with_conventions(tree)
    masked = isinstance(example_of(tree), np.ma.MaskedArray)
    dtype, missing = dtype_and_missing(_Unknown(tree.dtype)) if masked else (tree.dtype, None)
    attrs = with_missing({}, missing, dtype)
    node = Array(tree.shape, dtype, Computed(tree), chunks, attrs=attrs, missing=missing, fingerprint=identity(tree))
    return in_dask_blocks(node, tree.chunks)


@dataclass(frozen=True, slots=True)
class _Unknown:
    """Masked elements that are not computed yet."""

    dtype: np.dtype[Any]
