"""The chunks that already exist in a target: whether they are complete and have the content of the export."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.exports.jobs import PendingJob
from mandeldask.exports.record import SOURCE, Record
from mandeldask.exports.survey import UNKNOWN, survey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mandeldask.exports.jobs import Job, PlannedArray
    from mandeldask.exports.targets import Target
    from mandeldask.zarrview.view import ZarrView

_ROOTS = ("zarr.json", ".zmetadata", ".zgroup", ".zarray")
"""Documents of a root; those that list the arrays come first."""

_CHOOSE = "choose an empty location, or replace the content with overwrite=True (--overwrite)"

_MOST_TEXT = 80
"""Largest number of characters of a value in a message."""

_DOCUMENTS = {"zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"}


def check_root(target: Target, view: ZarrView, arrays: Sequence[PlannedArray]) -> None:
    """Raise ValueError if a target contains data, and it is not an export to which `arrays` can be added."""
    marked = Record(target, "").mark() is not None  # read first: the mark is removed after the documents are written
    if target.is_empty():
        return
    found = [name for name in _ROOTS if target.read(name) is not None]
    others = [name for name in found if name not in view.format.names]
    if others:
        msg = f"target {target} contains a store of another Zarr format ({others[0]}): {_CHOOSE}"
        raise ValueError(msg)
    if marked:
        return  # an unfinished export, or an array
    paths = _arrays_below(target.read(found[0])) if found else set()
    strangers = paths - {planned.path for planned in arrays}
    if not paths and Record(target, "").mark() is not None:
        return  # another export began between the two reads
    if strangers or not paths:
        what = f"{min(strangers)}, which is not in this tree (export both)" if strangers else "it is not an export"
        msg = f"target {target} contains other data: {what}; {_CHOOSE}"
        raise ValueError(msg)


def _arrays_below(raw: bytes | None) -> set[str]:
    """Return the paths of the arrays in a root's document; empty if it lists none."""
    document = json.loads(raw or b"{}")
    if document.get("node_type") == "array" or "shape" in document:
        return {""}
    if "zarr_consolidated_format" in document:
        return {name.removesuffix("/.zarray") for name in document["metadata"] if name.endswith("/.zarray")}
    below = document.get("consolidated_metadata", {}).get("metadata", {})
    return {path for path, each in below.items() if each.get("node_type") == "array"}


def check_content(target: Target, planned: PlannedArray, *, resume: bool) -> None:
    """Raise ValueError if the target has chunks of different or unknown content or, if not `resume`, any chunks."""
    record, wanted, place = Record(target, planned.path), planned.mark, planned.path or "/"
    found = record.mark()
    if found is None:
        if not _holds_anything(target, planned):
            return
        found = record.mark()  # another export may have begun between the two reads
    if found is None:
        msg = f"target {target} contains other data at {place}, which is not an export: {_CHOOSE}"
        raise ValueError(msg)
    if found.content != wanted.content or not resume:
        differs = _differences(found.facts, wanted.facts)
        other = f"other content ({differs})" if resume else "chunks, and resume is off,"
        msg = f"target {target} already contains {other} at {place}: {_CHOOSE}"
        raise ValueError(msg)


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Return the differences between the existing and the wanted facts, as text."""
    if not found:
        return "different elements, chunks or codecs"
    found, wanted = _flat(found), _flat(wanted)
    names = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
    differences = [f"{name} {_short(found.get(name))}, not {_short(wanted.get(name))}" for name in names]
    return "; ".join(differences) or "different elements"


def _flat(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a mark as one dict, including those of its source."""
    return {name: value for name, value in facts.items() if name != SOURCE} | dict(facts.get(SOURCE, {}))


def _short(value: Any) -> str:
    """Return a value as text of bounded length."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}..."


def _holds_anything(target: Target, planned: PlannedArray) -> bool:
    """Return whether the target has chunks or documents at the path of an array."""
    few = zip(target.sizes(planned.path), range(8), strict=False)
    if any(name not in _DOCUMENTS for (name, _), _ in few):
        return True
    prefix = f"{planned.path}/" if planned.path else ""
    return any(target.read(prefix + name) is not None for name in planned.format.document_names(planned.stored.array))


def pending_job(job: Job) -> PendingJob:
    """Return the job with the chunks that exist.

    A chunk exists if its file has the size in the ledger or, if no ledger has the chunk, if it decodes.
    """
    return PendingJob(job, tuple(_there(job.target, planned) for planned in job.arrays))


def _there(target: Target, planned: PlannedArray) -> bytearray:
    found = survey(target, planned)
    # Object stores return no sizes; they show only complete objects.
    whole = (found.sizes == UNKNOWN) | ((found.sizes >= 0) & (found.sizes == found.lengths))
    for flat in np.flatnonzero((found.sizes >= 0) & (found.lengths == UNKNOWN)).tolist():
        whole[flat] = decodes(target, planned, planned.key(planned.coords(flat)))
    return bytearray(whole)


def decodes(target: Target, planned: PlannedArray, key: str) -> bool:
    """Return whether a chunk or shard decodes to a block of the array."""
    raw = target.read(f"{planned.path}/{key}" if planned.path else key)
    if raw is None:
        return False
    stored = planned.stored
    if stored.shard is None:
        return stored.encoder.accepts(raw)
    coords = planned.format.parse_chunk_key(key.split("/"), stored.grid)
    accepts = partial(stored.shard.accepts, encoder=stored.encoder, coords=coords or ())
    return accepts(raw)
