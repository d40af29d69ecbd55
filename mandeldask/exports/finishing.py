"""The end of an export: check that no chunk is missing, then write the metadata documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mandeldask.exports.present import pending_job
from mandeldask.zarrview.entries import Document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mandeldask.exports.jobs import Job
    from mandeldask.exports.targets import Target
    from mandeldask.zarrview.view import ZarrView


def missing_chunks(jobs: Sequence[Job]) -> list[str]:
    """Return the keys of up to three missing chunks; an empty list if the export is complete."""
    for job in jobs:
        unfinished = pending_job(job)
        if unfinished.missing:
            found = [
                job.arrays[index].full_key(coords) for coords, missing in unfinished.items((0, 1)) for index in missing
            ]
            return found[:3]
    return []


def write_documents(view: ZarrView, target: Target) -> None:
    """Write the metadata documents, the deepest first: a reader that finds a group finds all its members."""
    documents = {key: entry.content for key in view.list() if isinstance(entry := view.find(key), Document)}
    for key in sorted(documents, key=lambda key: (-key.count("/"), key)):
        if target.read(key) != documents[key]:
            target.write(key, documents[key])


def check_complete(jobs: Sequence[Job], target: Target) -> None:
    """Raise RuntimeError if a chunk that was written is not in the target."""
    missing = missing_chunks(jobs)
    if missing:
        msg = (
            f"chunks that were written are not in target {target}, such as {missing[0]}: do the workers see "
            f"another location under this name?"
        )
        raise RuntimeError(msg)
