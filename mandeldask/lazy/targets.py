"""Where an export may be written: what is refused, and what is taken up again."""

from __future__ import annotations

import json
import os
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import zarr
from zarr.abc.store import Store
from zarr.storage import MemoryStore, ZipStore


def refuse_unsafe(target: Any, executor: Executor | None) -> None:
    """Raise ValueError for targets that would lose what is written."""
    said = None
    if isinstance(target, Store) and target.read_only:
        said = "is read-only"
    elif isinstance(target, ZipStore):
        said = "cannot replace a block or be taken up again: export to a directory and zip that"
    elif isinstance(target, MemoryStore) and executor is not None and not isinstance(executor, ThreadPoolExecutor):
        said = "is in the memory of this process: what workers write to their copies of it would vanish"
    elif isinstance(target, (str, os.PathLike)) and "://" not in str(target):
        said = _unsafe_path(Path(target))
    elif isinstance(target, str) and target.startswith(("http:", "https:")):
        said = "cannot be written to over HTTP"
    if said:
        msg = f"target {target} {said}"
        raise ValueError(msg)


def _unsafe_path(path: Path) -> str | None:
    if path.exists() and not path.is_dir():
        return "is a file, not a directory"
    if path.is_dir() and any(path.iterdir()) and not any((path / name).exists() for name in ("zarr.json", ".zgroup")):
        return "is a directory that holds something else"
    return None


def open_root(
    target: Any, attrs: dict[str, Any], zarr_format: Literal[2, 3], options: dict[str, Any] | None
) -> zarr.Group:
    """Return the root group: a new one, or the one that an export of the same levels has begun.

    Raises
    ------
    ValueError
        If another group is there.
    """
    try:
        found = zarr.open_group(target, mode="r+", use_consolidated=False, storage_options=options)
    except FileNotFoundError:
        return zarr.open_group(target, mode="w-", zarr_format=zarr_format, attributes=attrs, storage_options=options)
    if found.metadata.zarr_format != zarr_format or found.attrs.asdict() != json.loads(json.dumps(attrs)):
        msg = (
            f"target {target} holds something else: Zarr v{found.metadata.zarr_format} with other attributes or levels"
        )
        raise ValueError(msg)
    return found
