"""Limit the memory of a read: larger reads are refused before anything is computed."""

from __future__ import annotations

import math
import os
from pathlib import Path

MAX_PIXELS = 2**31
"""Greatest number of pixels in one read. A larger read is most likely a mistake, even if it fits into memory."""

_SMALL = 2**26
"""Reads below this number of bytes skip the check of free memory, which takes 30 microseconds."""

_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)
"""Files with the limit and the use of this process's control group (v2, v1), in bytes."""


def check_read(shape: tuple[int, ...], itemsize: int = 1, *, copies: int = 1, limit: int = MAX_PIXELS) -> None:
    """Raise MemoryError if an array of `shape` is too large for one read or for the free memory.

    Parameters
    ----------
    shape : tuple of int
        Elements along each dimension.
    itemsize : int
        Bytes of an element.
    copies : int
        Number of copies of the elements that are in memory at once.
    limit : int
        Greatest number of elements.

    Raises
    ------
    MemoryError
        If the array is too large; the message tells the user how to read less.
    """
    elements = math.prod(shape)
    if elements > limit:
        raise MemoryError(_message(shape, f"the most is {limit}"))
    needed = elements * itemsize * copies
    if needed > _SMALL and needed > (free := free_bytes()):
        raise MemoryError(_message(shape, f"they take {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free"))


def free_bytes() -> float:
    """Return the bytes that this process can still allocate; infinity if the system does not report them."""
    return min(_free_of_system(), *(_free_of_group(limit, used) for limit, used in _LIMITS))


def _free_of_system() -> float:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pass
    try:  # without /proc: all memory, since the free memory is unknown
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
