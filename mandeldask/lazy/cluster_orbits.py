"""Run kernels on the workers of a dask cluster, which compute each long reference orbit once and share it.

Rendezvous hashing of an orbit's point selects the worker that computes it, so all workers know which one it is. This
needs no communication between workers, no state in the scheduler and no cleanup. If workers join or leave, an orbit
may be computed again.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from mandeldask.cancellation import current
from mandeldask.fractal.escape.perturbation.orbit_source import WORTH_SHARING_S, cached_orbit, orbits_from
from mandeldask.fractal.escape.perturbation.reference_orbit import iteration_seconds
from mandeldask.fractal.rationals import as_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from mandeldask.fractal.escape.perturbation.reference_orbit import ReferenceOrbit
    from mandeldask.fractal.geometry import Grid
    from mandeldask.fractal.kernel import Kernel
    from mandeldask.fractal.rationals import Point

PIECE_S = 0.5
"""Seconds of computing per request for an orbit: the computation continues only while workers repeat their requests."""


def run_kernel(kernel: Kernel, grid: Grid) -> Mapping[str, NDArray[Any]]:
    """Return what `kernel` computes on `grid`; on a dask worker, reference orbits come from the cluster."""
    with _shared_orbits():
        return kernel(grid)


def _shared_orbits() -> AbstractContextManager[None]:
    worker = _worker()
    return nullcontext() if worker is None else orbits_from(partial(_orbit_of_cluster, worker))


def _worker() -> Any:
    """Return the dask worker whose task this thread runs, or None."""
    distributed = sys.modules.get("distributed")  # distributed is not imported: this process is not a worker
    if distributed is None:
        return None
    try:
        return distributed.get_worker()
    except ValueError:
        return None


def _orbit_of_cluster(worker: Any, center: Point, bits: int, length: int) -> ReferenceOrbit:
    """Return an orbit from its owning worker; compute it here if it is short or if the owner has left."""
    if length * iteration_seconds(bits) < WORTH_SHARING_S:
        return cached_orbit(center, bits, length)
    from distributed import get_client  # noqa: PLC0415  an extra

    client: Any = get_client()
    cancellation = current()
    if client.asynchronous:  # in the worker's event loop, where waiting would deadlock
        return cached_orbit(center, bits, length)
    owner: str | None = None
    orbit: ReferenceOrbit | None = None
    while orbit is None:
        cancellation.check()
        there = client.nthreads()
        if owner not in there:  # a request to a worker that has left would take half a minute
            owner = _owner(there, center, bits)
        if owner == worker.address:
            return cached_orbit(center, bits, length)
        try:
            orbit = client.run(_advanced_in_thread, center, bits, length, workers=[owner])[owner]
        except OSError:  # the owner has just left
            return cached_orbit(center, bits, length)
    return orbit


def _owner(addresses: Iterable[str], center: Point, bits: int) -> str:
    """Return the address of the worker that computes an orbit."""
    point = as_key(*center)
    return max(addresses, key=lambda address: sha256(f"{address} {bits} {point}".encode()).digest())


async def _advanced_in_thread(center: Point, bits: int, length: int) -> ReferenceOrbit | None:
    """Call `_advanced` in a thread, so that it does not block the event loop of this worker."""
    return await asyncio.to_thread(_advanced, center, bits, length)


def _advanced(center: Point, bits: int, length: int) -> ReferenceOrbit | None:
    """Extend the orbit that this process keeps by one piece; return it when it is long enough, else None."""
    piece = int(PIECE_S / iteration_seconds(bits)) + 1
    orbit = cached_orbit(center, bits, min(length, len(cached_orbit(center, bits, 0)) + piece))
    return orbit if orbit.ended or len(orbit) >= length else None
