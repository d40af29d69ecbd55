"""Attributes of files as values of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 2**16
"""Attributes with more elements than this are not shown."""


class NoValueError(TypeError):
    """A value has no equivalent in JSON."""


def as_json(value: Any) -> Any:
    """Return `value` as JSON's types.

    Raises
    ------
    NoValueError
        If JSON cannot represent it.

    Examples
    --------
    >>> as_json(np.float32(0.5)), as_json(b"K"), as_json(np.array([1, 2], ">i2"))
    (0.5, 'K', [1, 2])
    """
    if isinstance(value, np.generic) and value.dtype.kind in "biufcSU":
        value = value.item()
    if isinstance(value, (str, bool, int, float, type(None))):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").rstrip("\0")
    if isinstance(value, complex):
        return [value.real, value.imag]
    if isinstance(value, dict):
        return {str(name): as_json(each) for name, each in value.items()}
    if isinstance(value, np.ndarray) and value.size <= MOST and value.dtype.kind in "biufcSUOT":
        return as_json(value.tolist())
    if isinstance(value, (list, tuple)) and len(value) <= MOST:
        return [as_json(each) for each in value]
    msg = f"JSON cannot represent a {type(value).__name__}"
    raise NoValueError(msg)


def attributes(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return attributes as JSON types, without those that have no equivalent."""
    shown = {}
    for name, value in items:
        try:
            shown[str(name)] = as_json(value)
        except NoValueError:
            continue
    return shown
