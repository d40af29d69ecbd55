"""How much memory a read may take: too much is refused before anything is computed."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from mandeldask.internals.dask_names import example_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mandeldask.lazy.pixels import Pixels

MAX_PIXELS = 2**31
"""Pixels that one read may ask for: more is taken for an oversight, even where memory would suffice."""

COPIES = 2
"""Times that a dask result is in memory: as blocks, and as the array that they are joined to."""

_SMALL = 2**26
"""Bytes that are read without a look at the memory, which costs 30 microseconds."""

_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)
"""Files with the limit and the use of this process's control group (v2, v1), in bytes."""


def check_read(shape: tuple[int, ...], itemsize: int = 1, *, copies: int = 1, limit: int = MAX_PIXELS) -> None:
    """Refuse to read an array of `shape` that is too large for one read or for the memory that is free.

    Parameters
    ----------
    shape : tuple of int
        Elements along each dimension.
    itemsize : int
        Bytes of an element.
    copies : int
        Times that the elements are in memory at once.
    limit : int
        Greatest number of elements.

    Raises
    ------
    MemoryError
        If it is too large; the message says what to do.
    """
    elements = math.prod(shape)
    if elements > limit:
        raise MemoryError(_message(shape, f"the most is {limit}"))
    needed = elements * itemsize * copies
    if needed > _SMALL and needed > (free := free_bytes()):
        raise MemoryError(_message(shape, f"they take {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free"))


def free_bytes() -> float:
    """Return the bytes that this process can still allocate; infinity where the system does not say."""
    return min(_free_of_system(), *(_free_of_group(limit, used) for limit, used in _LIMITS))


def _free_of_system() -> float:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pass
    try:  # systems without /proc: what is there, since they do not say what is free
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return math.inf


def _free_of_group(limit: Path, used: Path) -> float:
    try:
        return int(limit.read_text("ascii")) - int(used.read_text("ascii"))
    except (OSError, ValueError):  # no such group, or "max"
        return math.inf


def _message(shape: tuple[int, ...], reason: str) -> str:
    sizes = " x ".join(str(size) for size in shape)
    return (
        f"{sizes} pixels are too many to compute at once ({reason}): select a window first, "
        f"with .isel(), .sel() or tree.mandel.window(), or open a coarser level"
    )


class GuardedArray(da.Array):
    """A dask array that refuses to be computed as a whole where it does not fit into memory.

    What is made of it, such as windows and reductions, is a plain dask array. Where its blocks are larger than tiles,
    windows are made of tiles, so that they compute no more than they would without such blocks.
    """

    __slots__ = ("pixels", "tiled")
    pixels: Pixels | None
    """What it computes; None for a copy that was pickled."""
    tiled: Callable[[], da.Array] | None
    """Returns the same pixels in tiles; None where these are the blocks, and for a copy that was pickled."""

    @classmethod
    def of(
        cls, array: da.Array, pixels: Pixels | None = None, tiled: Callable[[], da.Array] | None = None
    ) -> GuardedArray:
        """Return `array`, guarded."""
        guarded: GuardedArray = cls(array.dask, array.name, array.chunks, dtype=array.dtype, meta=example_of(array))
        guarded.pixels, guarded.tiled = pixels, tiled
        return guarded

    def __getitem__(self, index: Any) -> da.Array:
        """Return a window, of tiles."""
        tiled = getattr(self, "tiled", None)
        whole = isinstance(index, tuple) and all(isinstance(one, slice) and one == slice(None) for one in index)
        picked: da.Array = super().__getitem__(index) if tiled is None or whole else tiled()[index]  # type: ignore[no-untyped-call]
        return picked

    @property
    def vindex(self) -> Any:
        """Points, of tiles."""
        tiled = getattr(self, "tiled", None)
        return super().vindex if tiled is None else tiled().vindex

    def __dask_postcompute__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return how blocks become an array. dask asks before it computes anything.

        Raises
        ------
        MemoryError
            If the array is too large.
        """
        check_read(self.shape, np.dtype(self.dtype).itemsize, copies=COPIES)
        finalize: tuple[Callable[..., Any], tuple[Any, ...]] = super().__dask_postcompute__()  # type: ignore[no-untyped-call]
        return finalize
