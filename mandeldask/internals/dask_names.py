"""Names of dask and distributed that are not public. It does not import dask, which takes 0.2 s."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def example_of(array: Any) -> Any:
    """Return dask's ``_meta`` of an array: an empty array of the type of its blocks."""
    return array._meta  # noqa: SLF001


def tasks_left(state: Mapping[str, Any]) -> int:
    """Return the number of tasks in a scheduler's state at its start."""
    return len(state["waiting"]) + len(state["ready"])


def task_of(worker: Any, key: Any) -> Any:
    """Return the task state that a distributed worker has for a key, or None."""
    return worker.state.tasks.get(key)
