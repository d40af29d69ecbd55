"""Kinds of trees, one module per family of packages; each registers its functions with `as_node` when imported."""

from mandeldask.zarrview.nodes import FAMILIES

FAMILIES |= {
    "__arrow_c_stream__": "mandeldask.zarrview.kinds.arrow_tables",
    "builtins": "mandeldask.zarrview.kinds.numpy_arrays",
    "dask": "mandeldask.zarrview.kinds.dask_arrays",
    "numpy": "mandeldask.zarrview.kinds.numpy_arrays",
    "pandas": "mandeldask.zarrview.kinds.pandas_tables",
    "pathlib": "mandeldask.files.paths",
    "pyarrow": "mandeldask.zarrview.kinds.arrow_tables",
    "scipy": "mandeldask.zarrview.kinds.scipy_sparse",
    "sparse": "mandeldask.zarrview.kinds.pydata_sparse",
    "xarray": "mandeldask.zarrview.kinds.xarrays",
    "zarr": "mandeldask.zarrview.kinds.zarr_nodes",
}
