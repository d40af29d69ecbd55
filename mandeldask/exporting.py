"""export: write a tree, or some levels of a pyramid, as Zarr."""

from __future__ import annotations

import time
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from mandeldask.export_plan import ExportOptions
from mandeldask.exports.finishing import check_complete, missing_chunks, write_documents
from mandeldask.exports.jobs import jobs_of
from mandeldask.exports.present import check_content, check_root, pending_job
from mandeldask.exports.record import MARK, Mark, Record
from mandeldask.exports.running import Estimate, write_all
from mandeldask.exports.targets import is_of_this_process, open_target
from mandeldask.fractal.escape.perturbation.orbit_files import orbit_folder
from mandeldask.fractal.escape.perturbation.orbit_source import cached_orbit, orbits_from
from mandeldask.lazy.progress import reporting
from mandeldask.zarrview.formats import V2, V3, Format
from mandeldask.zarrview.imaged import PYRAMIDS, Making
from mandeldask.zarrview.level_storage import levels_cache_in_folder
from mandeldask.zarrview.nodes import Group

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

    from zarr.abc.store import Store

    from mandeldask.exports.jobs import Job, PlannedArray, Written
    from mandeldask.exports.targets import Target
    from mandeldask.lazy.described import WindowLike
    from mandeldask.progress import Amount
    from mandeldask.zarrview.view import ZarrView


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of an export."""

    target: str
    """The target."""
    zarr_format: int
    """Zarr format, 2 or 3."""
    arrays: tuple[str, ...]
    """Paths of the arrays."""
    chunks: int
    """Number of chunks, or shards, of the arrays."""
    written: int
    """Chunks written by this call. The others existed before, or belong to other parts."""
    size: int
    """Bytes written by this call."""
    seconds: float
    """Duration."""
    complete: bool
    """Whether all chunks and the documents are written; False if other parts have not finished."""


def export(  # noqa: PLR0913  the public names of an export
    tree: Any,
    target: str | os.PathLike[str] | Store,
    *,
    levels: Iterable[int | str] | None = None,
    window: WindowLike | None = None,
    zarr_format: Literal[2, 3] = 3,
    chunks: int | None = None,
    shards: int | tuple[int, ...] | Literal["auto"] | None = None,
    overwrite: bool = False,
    resume: bool = True,
    part: tuple[int, int] = (1, 1),
    pyramid: str = "none",
    cache_dir: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
    orbits: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | Callable[[Amount], None] | bool | Literal["lines"] | None = None,
    announce: Callable[[Estimate], None] | None = None,
    storage_options: dict[str, Any] | None = None,
    **codecs: Any,
) -> Exported:
    """Write a tree as Zarr, chunk by chunk, with the same content as `to_store` shows.

    Every chunk appears complete, and the metadata documents are written last, so that readers never mistake missing
    chunks for fill values. After any interruption, the same call continues the export. Chunks are encoded by zarrs if
    ``zarr.config`` selects its pipeline.

    Parameters
    ----------
    tree : DataTree, Dataset, array, table, Mapping, ...
        The tree to write, of any kind that `to_store` accepts.
    target : str, path or Store
        A directory, a URL that fsspec can write to, a new file that ends in ``.zip``, or a writable Zarr store. obstore
        writes to URLs that begin with ``obstore+``: ``obstore+s3://bucket/set.zarr``.
    levels : iterable of int or str, optional
        Groups of the tree's root to write; by default all. Levels that an earlier export wrote to `target` are kept,
        and the multiscale metadata list them all.
    window : mapping of str to slice, str or (center, width), optional
        Part to write. For a pyramid, a square of the plane: a link of the page or a location file that has a width, or
        its centre and width in plane units; multiscale metadata state the position of each level. For any tree, pixels
        along each dimension, as in `xarray.Dataset.isel`; then there are no multiscale metadata.
    zarr_format : {3, 2}
        Zarr format. The attributes follow the format (OME-Zarr 0.5, or 0.4 in v2); metadata is consolidated.
    chunks : int, optional
        Elements along a chunk; by default the pyramid's tilesize, or the tree's own chunks.
    shards : int, tuple of int or "auto", optional
        Elements along a shard, a file of many chunks (v3 only); "auto" for up to 64 MiB of elements.
    overwrite : bool
        Replace existing arrays that have different content.
    resume : bool
        Keep existing chunks of the same content. If False, an export refuses them, or replaces them with `overwrite`.
    part : (int, int)
        Write the k-th of n shares: ``(3, 16)``. Parts need no coordinator; the last one to finish writes the documents.
    pyramid : {"none", "auto", "mean", "stride", "mode"}
        Write images as groups of levels, as a server shows them: with "auto" images larger than 1024 elements, by the
        method that suits each; with another method all images. Everything else is written unchanged.
    cache_dir : str or path, optional
        Cache folder (of a server, for example) for the partial results from which levels are made.
    executor : concurrent.futures.Executor, optional
        Computes and writes the chunks; by default threads of this process, one per CPU. For a dask cluster, use
        ``client.get_executor()``.
    orbits : str or path, optional
        Folder for long reference orbits, which parts and later exports with the same folder compute once. Other users
        must not be able to write to it. Threads of this process use it; a dask cluster shares orbits by itself.
    progress : callable, bool, "lines" or None
        Called with (chunks done, chunks in all) or, if it takes one argument, with an `Amount`, which also has pixels,
        bytes, seconds and the seconds left. True for a progress bar; None for a bar in terminals and notebooks only;
        "lines" for a bar there and regular lines on standard error elsewhere.
    announce : callable, optional
        Called with an Estimate (chunks, size in bytes, seconds) of the rest, after the first chunks were written.
    storage_options : dict, optional
        For fsspec or obstore.
    **codecs
        `compressors`, `filters`, `serializer`, as for `zarr.create_array`.

    Raises
    ------
    ValueError
        If a level is not in the tree, if an array is too large, or if the target is not safe to write to: it contains
        other data, is read-only, or would not receive the data of other processes. Nothing is written then.
    TypeError
        If the kind of the tree is unknown.
    RuntimeError
        If chunks that were written are not in the target.
    ConnectionError
        If the executor cancels its tasks, for example because a scheduler ended.
    ModuleNotFoundError
        If the package for a URL is missing, or zarrs although zarr's configuration selects it; the message names the
        extra.

    Examples
    --------
    >>> from mandeldask import open_pyramid
    >>> from zarr.storage import MemoryStore
    >>> written = export(open_pyramid(levels=2, tilesize=16), MemoryStore(), progress=False)
    >>> written.arrays, written.chunks, written.written
    (('0/iterations', '0/y', '0/x', '1/iterations', '1/y', '1/x'), 24, 24)
    """
    began = time.perf_counter()
    form = _format(zarr_format, shards, codecs)
    chosen = None if levels is None else tuple(levels)
    asked = ExportOptions(chosen, window, form, chunks, _making(pyramid, cache_dir))
    share = _checked_part(part)
    where = open_target(target, storage_options)
    try:
        _check_reachable(where, executor)
        view = asked.view(tree, where)
        arrays = asked.arrays(view, tree, where)
        _check_target(where, view, arrays, overwrite=overwrite, resume=resume)
        jobs = jobs_of(where, arrays)
        _claim(where, view, arrays)
        with orbits_from(cached_orbit if orbits is None else orbit_folder(orbits)):
            written, size = _write(jobs, share, executor, progress, announce)
        complete = _finish(view, where, jobs, share)
    except BaseException:
        where.abandon()
        raise
    paths, total = tuple(planned.path for planned in arrays), sum(planned.count for planned in arrays)
    seconds = time.perf_counter() - began
    return Exported(str(target), zarr_format, paths, total, written, size, seconds, complete)


def _format(zarr_format: int, shards: Any, codecs: dict[str, Any]) -> Format:
    if zarr_format not in {2, 3}:
        msg = f"zarr_format must be 2 or 3, not {zarr_format!r}"
        raise ValueError(msg)
    if zarr_format == 3:  # noqa: PLR2004
        return V3(**codecs, shards=shards)
    if shards is not None:
        msg = "shards need zarr_format=3: Zarr v2 does not have them"
        raise ValueError(msg)
    return V2(**codecs)


def _making(method: str, folder: str | os.PathLike[str] | None) -> Making:
    """Return the method of making levels of images, and the cache of their partial results."""
    if method not in PYRAMIDS:
        msg = f"pyramid must be one of {', '.join(PYRAMIDS)}, not {method!r}"
        raise ValueError(msg)
    return Making(method, None if folder is None else levels_cache_in_folder(folder))


def _check_reachable(target: Target, executor: Executor | None) -> None:
    """Raise ValueError if workers would write to their own copies of the target."""
    if executor is not None and not isinstance(executor, ThreadPoolExecutor) and is_of_this_process(target):
        msg = f"target {target} exists only in this process: data of other processes would be lost"
        raise ValueError(msg)


def _checked_part(part: tuple[int, int]) -> tuple[int, int]:
    which, of = part
    if not 1 <= which <= of:
        msg = f"part must be (k, n) with 1 <= k <= n, not {part!r}"
        raise ValueError(msg)
    return which - 1, of


def _check_target(
    target: Target, view: ZarrView, arrays: Sequence[PlannedArray], *, overwrite: bool, resume: bool
) -> None:
    """Before writing, raise ValueError if the target contains other data; with `overwrite`, remove it."""
    checks = [("", partial(check_root, target, view, arrays))]
    checks += [(planned.path, partial(check_content, target, planned, resume=resume)) for planned in arrays]
    for path, check in checks:
        try:
            check()
        except ValueError:
            if not overwrite:
                raise
            target.delete(path)


def _claim(target: Target, view: ZarrView, arrays: Sequence[PlannedArray]) -> None:
    """Write marks for the root (until it is complete) and for each array (permanently)."""
    if isinstance(view.root, Group):
        Record(target, "").claim(Mark(view.content))
    for planned in arrays:
        Record(target, planned.path).claim(planned.mark)


def _finish(view: ZarrView, target: Target, jobs: Sequence[Job], share: tuple[int, int]) -> bool:
    """Write the documents if no chunk is missing; return whether they were written."""
    if share[1] > 1 and missing_chunks(jobs):
        return False  # other parts have not finished
    check_complete(jobs, target)
    write_documents(view, target)
    if isinstance(view.root, Group):
        target.remove(MARK)
    target.close()
    return True


def _write(
    jobs: Sequence[Job],
    share: tuple[int, int],
    executor: Executor | None,
    progress: Any,
    announce: Callable[[Estimate], None] | None,
) -> tuple[int, int]:
    """Write the missing chunks of `jobs`; return the number of chunks and of bytes."""
    pending = [pending_job(job) for job in jobs]
    total = sum(len(there) for unfinished in pending for there in unfinished.present)
    there = total - sum(unfinished.missing for unfinished in pending)
    chunks = size = elements = 0
    with reporting("export", progress=progress) as report:

        def note(written: Written) -> None:
            nonlocal chunks, size, elements
            chunks, size, elements = chunks + written.chunks, size + written.size, elements + written.elements
            report(there + chunks, total, elements, size)

        write_all(
            pending, share, executor, note, None if announce is None else partial(_announced, jobs[0].target, announce)
        )
    return chunks, size


def _announced(target: Target, announce: Callable[[Estimate], None], estimate: Estimate) -> None:
    """Pass an estimate on; raise ValueError if the target has too little space for it."""
    free = target.free_bytes()
    if free is not None and estimate.size > free:
        msg = f"target {target} has only {free} bytes left, but the {estimate.chunks} chunks need about {estimate.size}"
        raise ValueError(msg)
    announce(estimate)
