"""Any tree as Zarr keys: nodes, formats, stores and the tile cache. It does not depend on the fractals."""

from mandeldask.zarrview import kinds  # noqa: F401  registers the modules of all kinds of trees
