"""Long reference orbits in a folder, for the processes of a machine: the first process that needs one computes it.

No other user may write to the folder, since its files are unpickled.
"""

from __future__ import annotations

import os
import pickle
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from mandeldask.cancellation import current
from mandeldask.fractal.escape.perturbation.orbit_source import WORTH_SHARING_S, cached_orbit
from mandeldask.fractal.escape.perturbation.reference_orbit import ReferenceOrbit, iteration_seconds
from mandeldask.fractal.rationals import as_key

try:
    import fcntl
except ImportError:  # pragma: no cover  no POSIX: two processes may compute the same orbit at the same time
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mandeldask.fractal.rationals import Point

MAX_BYTES = 512 << 20
"""Most bytes of orbits in the folder."""

_DIGEST = 32
"""Bytes of SHA-256 before each orbit: an orbit whose file is damaged is computed again."""

_POLL_S = 0.005
"""Seconds between two checks whether another process is done, and of the cancellation flag."""


@dataclass(frozen=True, slots=True)
class OrbitFolder:
    """A source of orbits for `orbit_source.orbits_from` that reads a folder first.

    If several processes need an orbit at the same time, one computes it; if that one is killed, the next one does.
    """

    folder: Path
    """The folder."""

    def __call__(self, center: Point, bits: int, length: int) -> ReferenceOrbit:
        """Return an orbit; parameters as those of `cached_orbit`."""
        if length * iteration_seconds(bits) < WORTH_SHARING_S:
            return cached_orbit(center, bits, length)
        name = sha256(f"{as_key(*center)} {bits}".encode()).hexdigest()
        return cached_orbit(center, bits, length, lambda own: self._fetched(self.folder / name, own, length))

    def _fetched(self, path: Path, own: ReferenceOrbit, length: int) -> ReferenceOrbit:
        """Return the orbit at `path` or `own`, extended if necessary and then written there."""
        with _locked(path.with_suffix(".lock")):
            stored = _loaded(path, own)
            longest = own if stored is None or len(stored) < len(own) else stored
            orbit = longest.extended(length)
            if orbit is not stored:
                self._save(orbit, path)
            return orbit

    def _save(self, orbit: ReferenceOrbit, path: Path) -> None:
        """Write an orbit completely or not at all; on a full disk it is returned without being shared."""
        content = pickle.dumps(orbit, pickle.HIGHEST_PROTOCOL)
        with suppress(OSError):
            with NamedTemporaryFile(dir=self.folder, suffix=".part", delete=False) as file:
                part = Path(file.name)
                try:
                    file.write(sha256(content).digest() + content)
                    file.flush()
                    part.replace(path)  # atomic: a file of this name is always complete
                except OSError:
                    part.unlink()
                    raise
            self._delete_oldest()

    def _delete_oldest(self) -> None:
        """Delete the oldest orbits while there are too many bytes, never the last one."""
        orbits = [path for path in self.folder.iterdir() if not path.suffix]
        held = 0
        for path in sorted(orbits, key=lambda orbit: orbit.stat().st_mtime_ns, reverse=True):
            kept, held = held, held + path.stat().st_size
            if kept and held > MAX_BYTES:
                path.unlink()


def orbit_folder(folder: str | os.PathLike[str]) -> OrbitFolder:
    """Return the exchange of a folder, which is created if it is missing.

    Raises
    ------
    ValueError
        If others may write to it: its files are unpickled.
    """
    path = Path(folder)
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.stat()
    except OSError as error:
        msg = f"orbits cannot be kept in {str(path)!r}: {error.strerror}"
        raise ValueError(msg) from error
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
        msg = f"orbits cannot be kept in {str(path)!r}: others may write to it (chmod 700)"
        raise ValueError(msg)
    return OrbitFolder(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Run the block in one process at a time. A killed process releases the lock; waiting can be cancelled."""
    try:
        file = path.open("w")
    except OSError:  # the folder is missing or the disk is full: compute without it
        yield
        return
    cancellation = current()
    with file:
        while fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                pass
            except OSError:  # a file system without locks
                break
            cancellation.check()
            time.sleep(_POLL_S)
        yield


def _loaded(path: Path, own: ReferenceOrbit) -> ReferenceOrbit | None:
    """Return the orbit at `path`; None if there is none, or if `_save` did not write it for `own`."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    content = memoryview(raw)[_DIGEST:]
    if len(raw) < _DIGEST or sha256(content).digest() != raw[:_DIGEST]:
        return None
    orbit = pickle.loads(content)  # noqa: S301  the folder is ours alone
    same = isinstance(orbit, ReferenceOrbit) and (orbit.center, orbit.bits) == (own.center, own.bits)
    return orbit if same else None
