"""Floats packed as integers: xarray rounds and wraps every value; here, a value that would be lost is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.internals.xarray_zarr_names import decode_cf_variable

if TYPE_CHECKING:
    import xarray as xr

_SCALES = {"scale_factor", "add_offset", "_FillValue", "missing_value", "_Unsigned"}
"""Encodings that define how floats are packed as integers."""

_SLACK = 8
"""Largest number of rounding errors of the decoded type in packing and unpacking."""


def without_stale_dtype(variable: xr.Variable) -> xr.Variable:
    """Return a variable without an integer encoding that would lose fractions and missing values.

    Such an encoding belongs to the file from which the elements were computed: `coarsen`, `shift` and `copy` keep it.
    """
    asked = variable.encoding.get("dtype")
    if variable.dtype.kind not in "fc" or asked is None or _SCALES & variable.encoding.keys():
        return variable
    if np.dtype(asked).kind not in "iub":
        return variable
    kept = variable.copy(deep=False)
    kept.encoding = {key: value for key, value in variable.encoding.items() if key != "dtype"}
    return kept


def check_packing(source: xr.Variable, packed: xr.Variable) -> None:
    """Raise ValueError if packing changes an element of `source` by more than rounding."""
    if source.dtype.kind != "f" or packed.dtype.kind not in "iu":
        return
    read = np.asarray(decode_cf_variable("packed", packed, decode_times=False, decode_timedelta=False).data)
    elements = np.asarray(source.data)
    known = {key: abs(float(packed.attrs.get(key, 0))) for key in ("scale_factor", "add_offset")}
    with np.errstate(invalid="ignore", over="ignore"):
        eps = np.finfo(read.dtype if read.dtype.kind == "f" else np.float64).eps * _SLACK
        bound = known["scale_factor"] / 2 + eps * (np.abs(elements) + known["add_offset"] + known["scale_factor"])
        bound = np.where(np.isinf(elements), 0, bound)
        kept = (np.abs(read.astype(np.float64) - elements) <= bound) | (np.isnan(read) & np.isnan(elements))
    if not kept.all():
        lost: Any = elements[~kept].flat[0]
        msg = f"{lost} cannot be packed in its encoding ({packed.dtype}); use drop_encoding() to unpack it"
        raise ValueError(msg)
