"""Names of dask and distributed below their public functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def example_of(array: Any) -> Any:
    """Return what dask knows of the blocks of an array: an empty one of their kind."""
    return array._meta  # noqa: SLF001


def tasks_left(state: Mapping[str, Any]) -> int:
    """Return how many tasks a scheduler's state has when it starts."""
    return len(state["waiting"]) + len(state["ready"])


def task_of(worker: Any, key: Any) -> Any:
    """Return what a worker of distributed knows of a task, or None."""
    return worker.state.tasks.get(key)
