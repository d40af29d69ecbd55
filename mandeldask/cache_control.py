"""What this process keeps for later: how much there is, how much there may be, and forgetting it."""

from __future__ import annotations

from typing import NamedTuple

from mandeldask.shared_cache import limit_named, named

NAMES = ("orbits", "references", "fields", "image_levels", "blocks")
"""Caches of a process: reference orbits; these prepared for kernels; fields not asked for yet; parts of image levels,
for each level number; decoded blocks of files and dask arrays."""


class Held(NamedTuple):
    """A cache of this process."""

    size: int
    """Bytes that it holds."""
    limit: int
    """Bytes that it holds at most."""


def caches() -> dict[str, Held]:
    """Return what each cache of this process holds, by name; those that were not needed yet are missing.

    Returns
    -------
    dict of str to (int, int)
        Bytes held, and bytes held at most. "orbits" and "references" always keep the one used last.
    """
    found = {name: named(name) for name in NAMES}
    return {
        name: Held(sum(cache.size for cache in some), sum(cache.most for cache in some))
        for name, some in found.items()
        if some
    }


def clear_caches() -> None:
    """Forget all that this process keeps for later; what is under way goes on. Encoded chunks of views stay.

    Examples
    --------
    >>> clear_caches()
    >>> any(held.size for held in caches().values())
    False
    """
    for name in NAMES:
        for cache in named(name):
            cache.clear()


def limit_caches(**max_bytes: int) -> None:
    """Bound the caches of this process, now and for those that are needed later.

    Parameters
    ----------
    **max_bytes : int
        Bytes by name: ``orbits`` and ``references`` (256 MiB each by default), ``fields`` (64 MiB), ``image_levels``
        (32 MiB for each level number), ``blocks`` (256 MiB).

    Raises
    ------
    TypeError
        If there is no cache of a name.
    ValueError
        If a number is negative.

    Examples
    --------
    >>> limit_caches(orbits=2**28)
    """
    for name, most in max_bytes.items():
        if name not in NAMES:
            msg = f"there is no cache {name!r}; there are {', '.join(NAMES)}"
            raise TypeError(msg)
        if most < 0:
            msg = f"{name} must not be negative, not {most}"
            raise ValueError(msg)
    for name, most in max_bytes.items():
        limit_named(name, most)
