"""Sparse arrays and matrices of scipy, in any of its formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scipy.sparse import dok_array, sparray, spmatrix

from mandeldask.zarrview.kinds.sparse_arrays import sparse_node
from mandeldask.zarrview.nodes import as_node

if TYPE_CHECKING:
    from mandeldask.zarrview.nodes import Array


@as_node.register(dok_array)  # is also a Mapping
@as_node.register(sparray)
@as_node.register(spmatrix)
def _(tree: Any) -> Array:
    coo = tree.tocoo(copy=True)
    coo.sum_duplicates()
    return sparse_node(coo.shape, coo.coords, coo.data, coo.dtype.type(0))
