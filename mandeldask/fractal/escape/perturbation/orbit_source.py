"""Where reference orbits come from: this process keeps them, unless the context names another source."""

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
"""Bytes of orbits that a process keeps."""

WORTH_SHARING_S = 0.05
"""Seconds from which on computing an orbit twice is worse than asking another process for it."""

Source = Callable[[Point, int, int], ReferenceOrbit]
"""Returns the orbit of a point, with so many fractional bits, as long as asked or to where it ends before that."""

orbits: SharedCache[ReferenceOrbit] = SharedCache(MAX_BYTES, lambda orbit: orbit.nbytes, name="orbits", keeps_last=True)


def kept_orbit(
    center: Point, bits: int, length: int, extend: Callable[[ReferenceOrbit], ReferenceOrbit] | None = None
) -> ReferenceOrbit:
    """Return the orbit of `center` that this process keeps, begun or extended as it must be.

    Parameters
    ----------
    center : Point
        Where it begins, exact.
    bits : int
        Fractional bits to compute with.
    length : int
        Iterations that it should have, if it does not end before.
    extend : callable, optional
        Returns such an orbit from a shorter one; by default it is computed here.
    """

    def longer(orbit: ReferenceOrbit | None) -> ReferenceOrbit:
        begun = orbit or ReferenceOrbit.start(center, bits)
        return extend(begun) if extend else begun.extended(length)

    return orbits.extended((center, bits), lambda orbit: orbit.ended or len(orbit) >= length, longer)


_source: ContextVar[Source] = ContextVar("mandeldask_orbits", default=kept_orbit)


def orbit_of(center: Point, bits: int, length: int) -> ReferenceOrbit:
    """Return the orbit from the source of this context; parameters as those of `kept_orbit`."""
    return _source.get()(center, bits, length)


@contextmanager
def coming_from(source: Source) -> Iterator[None]:
    """Let computations inside the block get their orbits from `source`."""
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)
