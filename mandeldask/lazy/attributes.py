"""What people and plots read of each variable: CF's `long_name` and `units`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

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
