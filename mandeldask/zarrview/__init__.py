"""Any tree as Zarr keys: nodes, formats, stores and the tile cache; knows no fractals."""
