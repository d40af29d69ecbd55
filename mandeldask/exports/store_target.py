"""Zarr stores as targets: memory, zip files, URLs of fsspec and obstore."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zarr.storage import ZipStore

from mandeldask.exports.local_target import UNFINISHED
from mandeldask.internals.zarr_names import default_buffer_prototype, opened, sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zarr.abc.store import Store


_AT_ONCE = 8
"""Number of values that are written at the same time."""


@dataclass(frozen=True, slots=True)
class StoreTarget:
    """A writable Zarr store: in memory, a zip file, an fsspec URL, or an obstore."""

    store: Store
    """The store. Object stores show only complete objects."""

    def __str__(self) -> str:
        return str(self.store)

    def read(self, key: str) -> bytes | None:
        """Return the bytes under `key`; None if there are none."""
        found = sync(self.store.get(key, default_buffer_prototype()))
        return None if found is None else found.to_bytes()

    def write(self, key: str, content: bytes) -> None:
        """Put `content` under `key`."""
        sync(self.store.set(key, default_buffer_prototype().buffer.from_bytes(content)))

    def write_all(self, contents: Mapping[str, bytes]) -> None:
        """Put several values, a few at the same time."""
        buffer = default_buffer_prototype().buffer
        limit = asyncio.Semaphore(_AT_ONCE)

        async def put(key: str, content: bytes) -> None:
            async with limit:
                await self.store.set(key, buffer.from_bytes(content))

        async def put_all() -> None:
            async with asyncio.TaskGroup() as tasks:
                for key, content in contents.items():
                    tasks.create_task(put(key, content))

        sync(put_all())

    def sizes(self, prefix: str) -> Iterator[tuple[str, None]]:
        """Yield every key below `prefix`, with None: sizes would need a request for each key."""
        start = f"{prefix}/" if prefix else ""

        async def listed() -> list[str]:
            return [key async for key in self.store.list_prefix(start)]

        yield from ((key.removeprefix(start), None) for key in sync(listed()))

    def delete(self, prefix: str) -> None:
        """Remove every key below `prefix`."""
        sync(self.store.delete_dir(prefix))

    def remove(self, key: str) -> None:
        """Remove one key, if it exists."""
        sync(self.store.delete(key))

    def is_empty(self) -> bool:
        """Return whether the store has no key."""
        return next(self.sizes(""), None) is None

    def append(self, key: str, line: str) -> bool:  # noqa: ARG002  objects are replaced as a whole
        """Return False: objects can only be replaced as a whole."""
        return False

    def free_bytes(self) -> None:
        """Return None: the free space of a store is unknown."""

    def close(self) -> None:
        """Do nothing: the store stays open."""

    def abandon(self) -> None:
        """Do nothing: the next export continues with the values that were written."""

    def zarr_store(self) -> Store:
        """Return the store."""
        return self.store


@dataclass(frozen=True, slots=True)
class ZipTarget(StoreTarget):
    """A new zip file. It gets its name once it is complete, because entries of a zip file cannot be replaced."""

    path: Path
    """Path of the complete file."""

    @classmethod
    def new(cls, path: Path) -> ZipTarget:
        """Create the file under a temporary name.

        Raises
        ------
        ValueError
            If the file already exists, or its folder does not exist.
        """
        if path.exists():
            msg = f"target {path} already exists, and entries of a zip file cannot be replaced: choose another name"
            raise ValueError(msg)
        if not path.parent.is_dir():
            msg = f"there is no folder {str(path.parent)!r} to write to"
            raise ValueError(msg)
        store = ZipStore(path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}"), mode="w")
        return cls(opened(store), path)

    def close(self) -> None:
        """Write the zip directory, and rename the file to `path`."""
        unfinished = self._unfinished()
        self.store.close()
        unfinished.replace(self.path)

    def abandon(self) -> None:
        """Remove the unfinished file."""
        self.store.close()
        self._unfinished().unlink(missing_ok=True)

    def remove(self, key: str) -> None:
        """Do nothing: entries of a zip file cannot be removed, and the mark does not disturb readers."""

    def zarr_store(self) -> Store:
        """Return the file as a store."""
        return ZipStore(self.path, mode="r")

    def __str__(self) -> str:
        return str(self.path)

    def _unfinished(self) -> Path:
        return Path(self.store.path)  # type: ignore[attr-defined]  # a ZipStore
