"""export: levels of a tree as Zarr that anyone can read, written block by block and taken up again where it stopped."""

from __future__ import annotations

import contextvars
import os
import time
import warnings
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import zarr

from mandeldask.cancellation import Cancellation, cancellable
from mandeldask.lazy.metadata import attributes_of, describing
from mandeldask.lazy.progress import reporting
from mandeldask.lazy.selection import selected
from mandeldask.lazy.targets import open_root, refuse_unsafe
from mandeldask.lazy.writing import Level, lay_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import xarray as xr
    from zarr.abc.store import Store

MAX_PIXELS = 2**40
"""Pixels of a level that an export accepts: a terabyte of bytes, and weeks."""

_AHEAD = 256
"""Blocks submitted and not done yet, at most; enough for a cluster of that many cores."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote."""

    target: str
    """Where."""
    zarr_format: int
    """Zarr format, 2 or 3."""
    levels: tuple[str, ...]
    """Groups, finest first."""
    blocks: int
    """Blocks that the levels have."""
    written: int
    """Blocks written by this call; the others were there before."""
    seconds: float
    """Time it took."""


def export(  # noqa: PLR0913  the public names of an export
    tree: xr.DataTree,
    target: str | os.PathLike[str] | Store,
    *,
    levels: Iterable[int | str] | None = None,
    zarr_format: Literal[2, 3] = 3,
    chunks: int | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | bool | None = None,
    storage_options: dict[str, Any] | None = None,
    **codecs: Any,
) -> Exported:
    """Write levels of `tree` as Zarr: metadata first, then the blocks that are not there yet.

    Every block is computed for all fields in one pass and replaced as a whole, so an export that was stopped
    anywhere, by any means, goes on where it was when it is called again.

    Parameters
    ----------
    tree : DataTree
        What to write: `open_pyramid(...)`, or another tree of groups of numbers. Groups in groups are not written.
    target : str, path or Store
        A directory, a URL that fsspec can write to, or a writable Zarr store.
    levels : iterable of int or str, optional
        Names of the groups to write; all by default.
    zarr_format : {3, 2}
        Zarr format. Attributes are that format's (OME-Zarr 0.5, or 0.4 in v2), metadata is consolidated.
    chunks : int, optional
        Elements along a chunk; by default the pyramid's tilesize, or the tree's own chunks.
    executor : concurrent.futures.Executor, optional
        Where blocks are computed and written; threads of this process, one per CPU, by default. On a dask cluster,
        ``client.get_executor()``.
    progress : callable, bool or None
        Called with (blocks done, blocks in all); True for a bar; None for a bar where there is a terminal.
    storage_options : dict, optional
        For fsspec.
    **codecs
        `compressors`, `filters`, `serializer`, as for `zarr.create_array`.

    Raises
    ------
    ValueError
        If a level is not in the tree or too large, or if the target cannot be written to safely: it holds something
        else, is read-only, cannot replace what is written, or would not see what other processes write.

    Examples
    --------
    >>> from mandeldask import open_pyramid
    >>> from zarr.storage import MemoryStore
    >>> written = export(open_pyramid(levels=2, tilesize=16), MemoryStore(), progress=False)
    >>> written.levels, written.blocks, written.written
    (('0', '1'), 20, 20)
    """
    started = time.perf_counter()
    names = _checked_levels(tree, levels)
    attrs = _root_attributes(tree, names, _checked_format(zarr_format))
    refuse_unsafe(target, executor)
    root = open_root(target, attrs, zarr_format, storage_options)
    tile = tree.attrs.get("mandeldask", {}).get("tilesize") if chunks is None else chunks
    parts = [
        part for name in names for part in lay_out(tree[name].to_dataset(), _group(root, tree, name), tile, codecs)
    ]
    _consolidate(root)
    todo = [(part, block) for part in parts for block in part.missing()]
    blocks = sum(part.count for part in parts)
    with reporting(f"{len(names)} levels", progress=progress) as report:
        _write_all(todo, executor, lambda done: report(blocks - len(todo) + done, blocks))
    return Exported(str(target), zarr_format, names, blocks, len(todo), time.perf_counter() - started)


def _checked_format(zarr_format: Literal[2, 3]) -> Literal[2, 3]:
    if zarr_format not in {2, 3}:
        msg = f"zarr_format must be 2 or 3, not {zarr_format!r}"
        raise ValueError(msg)
    return zarr_format


def _checked_levels(tree: xr.DataTree, levels: Iterable[int | str] | None) -> tuple[str, ...]:
    """Return the names of the groups to write, or raise ValueError where one is missing or too large."""
    names = selected(tree, levels)
    for name in names:
        pixels = _pixels(tree[name].to_dataset())
        if pixels > MAX_PIXELS:
            fitting = [each for each in selected(tree, None) if _pixels(tree[each].to_dataset()) <= MAX_PIXELS]
            fit = f"levels {fitting[0]} to {fitting[-1]} fit" if fitting else "no level fits"
            msg = (
                f"level {name} has {pixels:.0e} pixels, more than the {MAX_PIXELS:.0e} that an export accepts: {fit} "
                f"(levels=, or --only)"
            )
            raise ValueError(msg)
    return names


def _pixels(level: xr.Dataset) -> int:
    """Return the pixels of the largest variable of a level."""
    return max((variable.size for variable in level.data_vars.values()), default=0)


def _root_attributes(tree: xr.DataTree, names: Sequence[str], zarr_format: int) -> dict[str, Any]:
    """Return the root's attributes in that format; a pyramid's describe the levels that are written, and no others."""
    attrs = describing(tree.attrs, [int(name) for name in names]) if "mandeldask" in tree.attrs else tree.attrs
    return attributes_of(attrs, zarr_format)


def _group(root: zarr.Group, tree: xr.DataTree, name: str) -> zarr.Group:
    if name in root:
        group: Any = root[name]
        return group  # type: ignore[no-any-return]
    return root.create_group(name, attributes=attributes_of(tree[name].attrs, root.metadata.zarr_format))


def _consolidate(root: zarr.Group) -> None:
    with warnings.catch_warnings():  # that v3 has no such thing yet: readers that do not know it pass over it
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(root.store, path=root.path, zarr_format=root.metadata.zarr_format)


def _write_all(
    todo: Sequence[tuple[Level, tuple[int, ...]]], executor: Executor | None, report: Callable[[int], None]
) -> None:
    """Write all blocks; when one fails, or someone interrupts, stop the others within milliseconds."""
    pool = executor or ThreadPoolExecutor(os.cpu_count(), "export")
    with cancellable(Cancellation()) as cancellation:
        try:
            for done, future in enumerate(_completed(pool, todo), 1):
                future.result()
                report(done)
        except BaseException:
            cancellation.cancel()
            raise
        finally:
            if executor is None:
                pool.shutdown(cancel_futures=True)


def _completed(pool: Executor, todo: Iterable[tuple[Level, tuple[int, ...]]]) -> Iterator[Future[None]]:
    """Yield a future for each block as it ends, with no more than `_AHEAD` of them submitted."""
    pending: set[Future[None]] = set()
    try:
        for level, block in todo:
            pending.add(_submit(pool, level, block))
            if len(pending) >= _AHEAD:
                ended, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from ended
        while pending:
            ended, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from ended
    finally:
        for future in pending:
            future.cancel()


def _submit(pool: Executor, level: Level, block: tuple[int, ...]) -> Future[None]:
    if isinstance(pool, ThreadPoolExecutor):
        return pool.submit(contextvars.copy_context().run, level.write, block)  # the kernel sees the cancellation
    return pool.submit(level.write, block)
