"""Limit the memory of a read: larger reads are refused before anything is computed."""

from __future__ import annotations

import math
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PIXELS = 2**31
"""Greatest number of pixels in one read. A larger read is most likely a mistake, even if it fits into memory."""

_SMALL = 2**26
"""Reads below this number of bytes skip the check of free memory, which takes 30 microseconds."""

_RESERVE = 2**28
"""Computations in blocks stop if fewer bytes than this are free, or than an eighth of a smaller memory."""

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")

_V2 = ("memory.max", "memory.current", "inactive_file")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
"""Files of a control group with its limit and its use in bytes, and the entry of `memory.stat` for cached files."""


class Memory(NamedTuple):
    """The memory of the system or of a control group, in bytes."""

    free: float
    total: float


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


def check_left() -> None:
    """Raise MemoryError if the memory is nearly full; called before each block.

    Arrays derived from a level, such as `level + 1`, are dask's own: their size is not checked in advance.

    Raises
    ------
    MemoryError
        If less than 256 MiB is free, or less than an eighth of a memory below 2 GiB.
    """
    for free, total in _memories():
        if free < min(_RESERVE, total / 8):
            msg = (
                f"the memory is nearly full ({free / 2**20:.0f} MiB are free), so the computation was stopped: compute "
                f"a window, with .isel(), .sel() or tree.mandel.window(), or a coarser level"
            )
            raise MemoryError(msg)


def free_bytes() -> float:
    """Return the bytes that this process can still allocate; infinity if the system does not report them."""
    return min(memory.free for memory in _memories())


def _memories() -> Iterator[Memory]:
    """Return the memory of the system, and of this process's control groups that have a limit."""
    yield _system()
    for folder, names in _groups(_CGROUPS, _OWN_GROUPS):
        if memory := _memory(folder, *names):
            yield memory


def _system() -> Memory:
    try:
        entries = _entries(Path("/proc/meminfo").read_text("ascii"))
        return Memory(entries["MemAvailable:"] * 1024, entries["MemTotal:"] * 1024)
    except (OSError, KeyError):
        pass
    try:  # without /proc: all memory, since the free memory is unknown
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return Memory(math.inf, math.inf)
    return Memory(size, size)


@cache
def _groups(mounted: Path, own: Path) -> tuple[tuple[Path, tuple[str, str, str]], ...]:
    """Return the folders of this process's control groups and of their parents (v2, v1), with the names in them."""
    try:
        lines = [line.split(":", 2) for line in own.read_text("utf-8").splitlines()]
    except OSError:
        return ()
    v2 = [mounted / path.lstrip("/") for number, _, path in lines if number == "0"]
    v1 = [mounted / "memory" / path.lstrip("/") for _, kinds, path in lines if "memory" in kinds.split(",")]
    return (*((folder, _V2) for folder in _upwards(v2, mounted)), *((folder, _V1) for folder in _upwards(v1, mounted)))


def _upwards(folders: list[Path], top: Path) -> Iterator[Path]:
    """Return each folder and its parents below `top`, and `top` itself."""
    for folder in folders:
        yield from (one for one in (folder, *folder.parents) if one.is_relative_to(top))


def _memory(folder: Path, limit: str, used: str, cached: str) -> Memory | None:
    """Return the memory of a control group; None if it has no limit. The system frees cached files when needed."""
    try:
        total = int((folder / limit).read_text("ascii"))
        taken = int((folder / used).read_text("ascii"))
        freed = _entries((folder / "memory.stat").read_text("ascii")).get(cached, 0)
    except (OSError, ValueError):  # no such group, or "max"
        return None
    return Memory(total - taken + freed, total)


def _entries(text: str) -> dict[str, int]:
    """Return the numbers of a file with a name and a number in each line."""
    return {name: int(number) for name, number, *_ in map(str.split, text.splitlines())}


def _message(shape: tuple[int, ...], reason: str) -> str:
    sizes = " x ".join(str(size) for size in shape)
    return (
        f"{sizes} pixels are too many to compute at once ({reason}): select a window first, "
        f"with .isel(), .sel() or tree.mandel.window(), or open a coarser level"
    )
