"""The CF attribute `_FillValue`, which Zarr v2 stores as the fill value and xarray writes in its own encoding in v3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mandeldask.zarrview.attributes import V3_ATTRS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np


def with_missing(attrs: Mapping[str, Any], missing: Any, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return `attrs` with the v3 attribute `_FillValue` for the value `missing`, if xarray can read one there."""
    if missing is None or dtype.kind not in "biufc":
        return dict(attrs)
    from mandeldask.internals.xarray_zarr_names import FillValueCoder  # noqa: PLC0415  0.3 s, for those who have missing values

    encoded = FillValueCoder.encode(missing, dtype)
    return {**attrs, V3_ATTRS: {**attrs.get(V3_ATTRS, {}), "_FillValue": encoded}}


def decoded_missing(encoded: Any, dtype: np.dtype[Any]) -> Any:
    """Return the value of the v3 attribute `_FillValue`; None if it is absent or not in xarray's encoding."""
    if encoded is None or dtype.kind not in "biufcSU":
        return None
    from mandeldask.internals.xarray_zarr_names import FillValueCoder  # noqa: PLC0415

    try:
        return dtype.type(FillValueCoder.decode(encoded, "bytes" if dtype.kind == "S" else dtype))
    except (TypeError, ValueError):
        return None
