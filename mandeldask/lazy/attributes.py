"""What people and plots read of each coordinate: CF's `long_name`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

AXIS_ATTRIBUTES: Mapping[str, Mapping[str, Any]] = {
    "y": {"long_name": "Im(c)"},
    "x": {"long_name": "Re(c)"},
}
"""Attributes of each coordinate, besides its exact positions."""
