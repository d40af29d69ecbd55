"""Sparse arrays of the package sparse: COO, GCXS, DOK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sparse

from mandeldask.zarrview.kinds.sparse_arrays import sparse_node
from mandeldask.zarrview.nodes import as_node

if TYPE_CHECKING:
    from mandeldask.zarrview.nodes import Array


@as_node.register(sparse.SparseArray)
def _(tree: Any) -> Array:
    coo = tree.asformat("coo")
    return sparse_node(coo.shape, coo.coords, coo.data, coo.fill_value)
