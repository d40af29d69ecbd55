"""What people and plots read of each variable: CF's `long_name` and `units`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mandeldask.fractal.escape.units import in_pixels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

FIELD_ATTRIBUTES: Mapping[str, Mapping[str, Any]] = {
    "iterations": {"long_name": "escape count", "units": "iterations"},
    "smooth": {"long_name": "continuous escape time", "units": "iterations"},
    "distance": {"long_name": "estimated distance to the set", "units": "plane units"},
    "period": {"long_name": "period of the attracting cycle", "units": "iterations"},
}
"""Attributes of each field."""

AXIS_ATTRIBUTES: Mapping[str, Mapping[str, Any]] = {
    "y": {"long_name": "Im(c)"},
    "x": {"long_name": "Re(c)"},
}
"""Attributes of each coordinate, besides its exact positions."""


def field_attributes(field: str, dataset: Mapping[str, Any], spacing: Fraction) -> dict[str, Any]:
    """Return the attributes of one field of a Dataset with attributes `dataset` and pixels `spacing` apart.

    Counts carry their cap: a picture of an array by itself must know which values are inside the set.
    """
    counts = field in {"iterations", "smooth"} and "maxiter" in dataset
    more = {"maxiter": dataset["maxiter"]} if counts else {}
    if field == "distance" and in_pixels(spacing):
        more = {"units": "pixels"}
    return {**FIELD_ATTRIBUTES.get(field, {}), **more}
