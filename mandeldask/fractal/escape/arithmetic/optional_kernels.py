"""Kernels that only save time: cheap tiles do without those that are not compiled yet.

Compiling such a kernel takes seconds. Without it, a tile of few iterations takes some tens of milliseconds longer. On a
first run the second process compiles it in the meantime (`mandeldask.fractal.escape.first_run`). If there is no second
process, tiles work without the kernel for about as long as it takes to compile, and then wait for it.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from mandeldask.fractal.escape.arithmetic import kernel_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_STEPS = 1 << 27
"""Greatest number of iterations, of all its pixels together, for which a tile works without an optional kernel."""

_ALL_STEPS = 1 << 32
"""The same for all tiles of the process together: some seconds."""

WAIT_S = 0.1
"""Longest time, in seconds, that such a tile waits for another thread that compiles or loads a kernel."""


class KernelMissing(Exception):  # noqa: N818  no error: the caller works without it
    """The kernel is not compiled yet."""


class _StepsWithout:
    """Number of iterations that tiles did without optional kernels so far."""

    steps = 0


_optional: ContextVar[bool] = ContextVar("mandeldask_optional_kernels", default=False)
_complete: ContextVar[bool] = ContextVar("mandeldask_complete_plan", default=False)


@contextmanager
def without_missing_kernels(steps: int) -> Iterator[None]:
    """End the block at a kernel that is not compiled yet, if the tile takes only a few `steps` without it."""
    if steps > _MOST_STEPS or _StepsWithout.steps + steps > _ALL_STEPS or _complete.get() or kernel_lock.may_not_wait():
        yield
        return
    token = _optional.set(True)
    try:
        yield
    except KernelMissing:
        _StepsWithout.steps += steps
    finally:
        _optional.reset(token)


@contextmanager
def with_all_kernels() -> Iterator[None]:
    """Wait for every kernel inside the block."""
    token = _complete.set(True)
    try:
        yield
    finally:
        _complete.reset(token)


def is_optional() -> bool:
    """Return whether the caller can work without the kernel that it calls."""
    return _optional.get()
