"""Names of xarray's Zarr backend, used to write the same bytes as `to_zarr`. Importing them takes 0.3 s."""

from __future__ import annotations

from xarray.backends.zarr import FillValueCoder, encode_zarr_attr_value, encode_zarr_variable
from xarray.conventions import decode_cf_variable, encode_dataset_coordinates

__all__ = [
    "FillValueCoder",
    "decode_cf_variable",
    "encode_dataset_coordinates",
    "encode_zarr_attr_value",
    "encode_zarr_variable",
]
