"""verify: check that a written Zarr store is complete, undamaged, and equal to its source."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

import zarr

from mandeldask.export_plan import is_another_pass
from mandeldask.exports.jobs import PendingJob, PlannedArray, jobs_of
from mandeldask.exports.record import SOURCE, Record
from mandeldask.exports.running import write_all
from mandeldask.exports.targets import open_target
from mandeldask.exports.verifying import Verified, verify_arrays
from mandeldask.lazy.described import described
from mandeldask.lazy.metadata import pyramid_of
from mandeldask.lazy.origin import origin_of, source_of
from mandeldask.lazy.progress import reporting
from mandeldask.lazy.tree import open_pyramid
from mandeldask.zarrview.formats import V2, V3
from mandeldask.zarrview.nodes import Array, Group, Node, as_node
from mandeldask.zarrview.stored_array import StoredArray

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from zarr.abc.store import Store

    from mandeldask.exports.targets import Target
    from mandeldask.lazy.described import WindowLike
    from mandeldask.progress import Amount


def verify(  # noqa: PLR0913  the public names of a verification
    target: str | os.PathLike[str] | Store,
    tree: Any = None,
    *,
    window: WindowLike | None = None,
    sample: int | None = 16,
    repair: bool = False,
    progress: Callable[[int, int], None] | Callable[[Amount], None] | bool | Literal["lines"] | None = None,
    storage_options: dict[str, Any] | None = None,
) -> Verified:
    """Check whether an export is complete, undamaged, and equal to its source.

    Every chunk must exist, have the size and checksum that were written, and decode. A sample is computed again and
    compared element by element.

    Parameters
    ----------
    target : str, path or Store
        The target of an export.
    tree : any tree, optional
        The source. By default it is found in the attributes of a pyramid, or in the export's marks for a window.
    window : mapping, str or (center, width), optional
        The exported window of the source, if the marks do not contain it, or if you do not trust them.
    sample : int or None
        Number of chunks of each array that are compared with the source; None for all.
    repair : bool
        Rewrite wrong chunks from the source.
    progress : callable, bool, "lines" or None
        As for `export`.
    storage_options : dict, optional
        For fsspec.

    Returns
    -------
    Verified
        The result of the check, before any repair.

    Raises
    ------
    ValueError
        If the target is empty, or if its source is unknown.
    """
    where = open_target(target, storage_options)
    there = _opened(where)
    arrays = dict(_arrays_of(there))
    source, marked = _source(tree, there, where, arrays)
    window = marked if window is None else window
    sources = {} if source is None else dict(_nodes_of(as_node(described(source, None, window))))
    unknown = arrays.keys() - sources.keys() if sources else set()
    if unknown:
        msg = f"{target} contains the array {min(unknown) or '/'!r}, which is not in the source"
        raise ValueError(msg)
    if tree is None and sources:
        sources |= _of_their_passes(where, arrays, origin_of(source, window), window)
    planned = [_planned(path, array, sources.get(path)) for path, array in arrays.items()]
    with reporting("verify", progress=progress) as report:
        found = verify_arrays(where, planned, sample=sample if sources else 0, report=report)
    if repair and found.faults:
        if not sources:
            msg = "the source of the chunks is unknown: pass it as verify(target, tree, repair=True)"
            raise ValueError(msg)
        _repair(where, planned, {key for key, _ in found.faults})
    return found


def _opened(target: Target) -> zarr.Group | zarr.Array[Any]:
    try:
        return zarr.open(target.zarr_store(), mode="r")
    except FileNotFoundError as error:
        msg = f"target {target} contains no complete Zarr store: the export has not finished"
        raise ValueError(msg) from error


def _source(
    tree: Any, there: zarr.Group | zarr.Array[Any], target: Target, arrays: Iterable[str]
) -> tuple[Any, WindowLike | None]:
    """Return the source and its window, as given, or from the attributes or marks; None if unknown."""
    if tree is not None:
        return tree, None
    if "mandeldask" in there.attrs:
        return open_pyramid(pyramid_of(dict(there.attrs)), chunks=None), None
    marks = (Record(target, path).mark() for path in arrays)
    origins = [mark.facts[SOURCE] for mark in marks if mark and mark.facts.get(SOURCE)]
    if not origins:
        return None, None
    pyramid, window = source_of(
        max(origins, key=lambda origin: len(origin.get("fields", ())))
    )  # the pass that joined last
    return open_pyramid(pyramid, chunks=None), window


def _of_their_passes(
    target: Target, arrays: Iterable[str], origin: Mapping[str, Any], window: WindowLike | None
) -> dict[str, Array]:
    """Return the sources of fields that, by their marks, come from another pass than the others."""
    sources: dict[str, Array] = {}
    passes: dict[str, dict[str, Array]] = {}
    for path in arrays:
        mark = Record(target, path).mark()
        found = mark.facts.get(SOURCE) if mark else None
        if not found or not is_another_pass(found, origin, path):
            continue
        if repr(found) not in passes:
            tree = open_pyramid(source_of(found)[0], chunks=None)
            passes[repr(found)] = dict(_nodes_of(as_node(described(tree, None, window))))
        sources[path] = passes[repr(found)][path]
    return sources


def _arrays_of(node: zarr.Group | zarr.Array[Any], path: str = "") -> Iterator[tuple[str, zarr.Array[Any]]]:
    if isinstance(node, zarr.Array):
        yield path, node
        return
    for name, member in sorted(node.members()):
        yield from _arrays_of(member, f"{path}/{name}" if path else name)


def _nodes_of(node: Node, path: str = "") -> Iterator[tuple[str, Array]]:
    if isinstance(node, Group):
        for name, member in node.members.items():
            yield from _nodes_of(member, f"{path}/{name}" if path else name)
    else:
        yield path, node


def _planned(path: str, there: zarr.Array[Any], source: Array | None) -> PlannedArray:
    """Return an array with the encoding of the target and the elements of its source."""
    array = cast("Array", as_node(there)) if source is None else source
    metadata: Any = there.metadata
    as_text = there.dtype.kind == "T" and array.dtype.kind in "SUT"  # v3 stores only text of variable length
    if array.shape != there.shape or not (as_text or array.dtype == there.dtype):
        found, wanted = f"{there.dtype} {there.shape}", f"{array.dtype} {array.shape}"
        msg = f"{path or '/'} is an array of {found}, but its source is one of {wanted}"
        raise ValueError(msg)
    form = V2() if metadata.zarr_format == 2 else V3()  # noqa: PLR2004
    return PlannedArray(path, StoredArray.of(replace(array, chunks=there.chunks), metadata), form)


def _repair(target: Target, arrays: Sequence[PlannedArray], wrong: set[str]) -> None:
    """Rewrite the chunks under the keys `wrong`."""
    pending = [
        PendingJob(job, tuple(_right(planned, wrong) for planned in job.arrays)) for job in jobs_of(target, arrays)
    ]
    write_all(pending, (0, 1), None, lambda _: None)


def _right(planned: PlannedArray, wrong: set[str]) -> bytearray:
    """Return one byte per chunk: 1 unless its key is in `wrong`."""
    there = bytearray(b"\1") * planned.count
    prefix = f"{planned.path}/" if planned.path else ""
    for key in wrong:
        flat = planned.flat_index(key.removeprefix(prefix)) if key.startswith(prefix) else None
        if flat is not None:
            there[flat] = 0
    return there
