"""Fractions packed as whole numbers: xarray rounds and wraps any value; here, losing one is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.internals.xarray_zarr_names import decode_cf_variable

if TYPE_CHECKING:
    import xarray as xr

_SCALES = {"scale_factor", "add_offset", "_FillValue", "missing_value", "_Unsigned"}
"""Encodings that say how fractions become whole numbers."""

_SLACK = 8
"""Roundings of the decoded type that packing and unpacking take, at most."""


def without_stale_dtype(variable: xr.Variable) -> xr.Variable:
    """Return a variable without an encoding as whole numbers that says nothing of fractions and gaps.

    It is that of the file which the elements were computed from: `coarsen`, `shift` and `copy` keep it.
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
    """Raise ValueError if an element of `source`, packed as whole numbers, is read as another, but for rounding."""
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
        msg = f"{lost} cannot be packed as its encoding says ({packed.dtype}); drop_encoding() shows it as it is"
        raise ValueError(msg)
