"""dask arrays: computed window by window in the thread that reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.array as da

from mandeldask.zarrview.kinds.numpy_arrays import dense
from mandeldask.zarrview.nodes import Array, as_node, default_chunks

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
        from mandeldask.zarrview.kinds.xarrays import array_of_dates_or_objects  # noqa: PLC0415  xarray costs 0.3 s

        return array_of_dates_or_objects(tree)
    return Array(tree.shape, tree.dtype, Computed(tree), dask_chunks(tree), fingerprint=tree.name)


def dask_chunks(data: da.Array) -> tuple[int, ...]:
    """Return Zarr chunks for a dask array: its largest block along each dimension.

    Raises
    ------
    ValueError
        If the shape is not known before computing.
    """
    if any(size != size for size in data.shape):  # noqa: PLR0124  NaN is the one that is not itself
        msg = f"a dask array of unknown shape {data.shape} has no Zarr chunks; call compute_chunk_sizes() first"
        raise ValueError(msg)
    if not data.shape:
        return default_chunks((), 1)
    return tuple(max(1, *blocks) if blocks else 1 for blocks in data.chunks)
