"""The caches of this process: show their sizes, limit them, and clear them."""

from __future__ import annotations

from typing import NamedTuple

from mandeldask.shared_cache import limit_named, named

NAMES = ("orbits", "references", "fields", "image_levels", "blocks")
"""Names of the caches: reference orbits; reference orbits prepared for kernels; fields that were not read yet; partial
results of image levels, one cache per level number; decoded blocks of files and dask arrays."""


class CacheSize(NamedTuple):
    """The size of a cache."""

    size: int
    """Bytes in the cache."""
    limit: int
    """Greatest number of bytes."""


def caches() -> dict[str, CacheSize]:
    """Return the size of each cache of this process, by name; caches that were not used yet are left out.

    Returns
    -------
    dict of str to (int, int)
        Bytes in the cache, and the greatest number of bytes. "orbits" and "references" always keep the most recently
        used value.
    """
    found = {name: named(name) for name in NAMES}
    return {
        name: CacheSize(sum(cache.size for cache in some), sum(cache.most for cache in some))
        for name, some in found.items()
        if some
    }


def clear_caches() -> None:
    """Clear all caches of this process except encoded chunks of views; running computations continue.

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
    """Limit the caches of this process, including those that are created later.

    Parameters
    ----------
    **max_bytes : int
        Bytes by name: ``orbits`` and ``references`` (256 MiB each by default), ``fields`` (64 MiB), ``image_levels``
        (32 MiB for each level number), ``blocks`` (256 MiB).

    Raises
    ------
    TypeError
        If there is no cache of this name.
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
