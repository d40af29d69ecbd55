"""The source of reference orbits: a cache of this process, unless the context sets another source."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from mandeldask.fractal.escape.perturbation.reference_orbit import ReferenceOrbit
from mandeldask.fractal.rationals import Point
from mandeldask.shared_cache import SharedCache

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 256 << 20
"""Most bytes of orbits that a process keeps."""

WORTH_SHARING_S = 0.05
"""Seconds of an orbit from which it is better requested from another process than computed twice."""

Source = Callable[[Point, int, int], ReferenceOrbit]
"""Returns the orbit of a point, with that many fractional bits and of that length, if it does not end before."""

orbits: SharedCache[ReferenceOrbit] = SharedCache(MAX_BYTES, lambda orbit: orbit.nbytes, name="orbits", keeps_last=True)


def cached_orbit(
    center: Point, bits: int, length: int, extend: Callable[[ReferenceOrbit], ReferenceOrbit] | None = None
) -> ReferenceOrbit:
    """Return the orbit of `center` that this process keeps, computed or extended if necessary.

    Parameters
    ----------
    center : Point
        The point, exact.
    bits : int
        Fractional bits of the computation.
    length : int
        Iterations of the orbit, if it does not end before.
    extend : callable, optional
        Returns such an orbit from a shorter one; by default it is computed here.
    """

    def longer(orbit: ReferenceOrbit | None) -> ReferenceOrbit:
        begun = orbit or ReferenceOrbit.start(center, bits)
        return extend(begun) if extend else begun.extended(length)

    return orbits.extended((center, bits), lambda orbit: orbit.ended or len(orbit) >= length, longer)


_source: ContextVar[Source] = ContextVar("mandeldask_orbits", default=cached_orbit)


def orbit_of(center: Point, bits: int, length: int) -> ReferenceOrbit:
    """Return the orbit from the source of this context; parameters as those of `cached_orbit`."""
    return _source.get()(center, bits, length)


@contextmanager
def orbits_from(source: Source) -> Iterator[None]:
    """Let computations inside the block get their orbits from `source`."""
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)
