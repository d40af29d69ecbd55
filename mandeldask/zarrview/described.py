"""Attributes that are made on first use: those of an image include contrast limits, which need its data."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any


class Described(Mapping[str, Any]):
    """Attributes of a node.

    Parameters
    ----------
    make : callable
        Returns the attributes. It is called once, on first use; it should be picklable.
    """

    def __init__(self, make: Callable[[], Mapping[str, Any]]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._attrs: Mapping[str, Any] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._make,)

    def __getitem__(self, name: str) -> Any:
        return self._made()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made())

    def __len__(self) -> int:
        return len(self._made())

    def _made(self) -> Mapping[str, Any]:
        with self._lock:
            if self._attrs is None:
                self._attrs = self._make()
            return self._attrs
