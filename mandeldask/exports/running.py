"""Writes the chunks of an export: on threads, or on any executor, with a bounded number of batches on their way."""

from __future__ import annotations

import contextvars
import os
import time
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from mandeldask.cancellation import Cancellation, cancellable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mandeldask.exports.jobs import Item, Job, PendingJob, Written

BATCH_S = 0.1
"""Seconds that a batch should take on a worker: long against the cost of a task, short against progress and Ctrl-C."""

MOST = 256
"""Chunks in a batch, at most."""

AHEAD = 4
"""Batches on their way for every worker."""

WORKERS_ELSEWHERE = 64
"""Workers that an executor other than threads is taken to have."""


@dataclass(slots=True)
class Pace:
    """How many chunks a batch has: the first ones are short, to see how long a chunk takes."""

    size: int = 1

    def seen(self, chunks: int, seconds: float) -> None:
        """Note how long a batch took."""
        if chunks:
            fitting = int(BATCH_S * chunks / max(seconds, 1e-6))
            self.size = max(1, min(MOST, fitting, 2 * self.size))


SAMPLE = 8
"""Chunks of each job that are written first, to estimate the others."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an export will write, from a sample that it wrote first."""

    chunks: int
    """Chunks, or shards, that are left to write: as many files."""
    size: int
    """Their bytes, about."""
    seconds: float
    """The time they take, about."""


def write_all(
    pending: Sequence[PendingJob],
    part: tuple[int, int],
    executor: Executor | None,
    report: Callable[[Written], None],
    announce: Callable[[Estimate], None] | None = None,
) -> None:
    """Write all chunks that are missing; when one fails, or someone interrupts, stop the others within milliseconds.

    Parameters
    ----------
    pending : sequence of PendingJob
        What to write.
    part : (int, int)
        Which share of it: (k, n) is share k, counted from 0, of n.
    executor : Executor or None
        Where; by default, as many threads of this process as it has CPUs.
    report : callable
        Called in this thread with what each batch wrote.
    announce : callable, optional
        Called with what is left once a sample was written; what it raises ends the export.
    """
    threads = os.cpu_count() or 1  # more of them wait for the disk at once, and cost more CPU time than that saves
    pool = executor or ThreadPoolExecutor(threads, "export")
    ahead = AHEAD * (threads if isinstance(pool, ThreadPoolExecutor) else WORKERS_ELSEWHERE)
    with cancellable(Cancellation()) as cancellation:
        try:
            if announce is not None:
                announce(_sampled(pending, part, pool, report))
            pace = Pace()
            workers = ahead // AHEAD
            for future in _completed(pool, _batches(pending, part, pace, workers), ahead):
                seconds, written = _result(future)
                pace.seen(written.chunks, seconds)
                report(written)
        except BaseException:
            cancellation.cancel()
            raise
        finally:
            if executor is None:
                pool.shutdown(cancel_futures=True)


def _sampled(
    pending: Sequence[PendingJob], part: tuple[int, int], pool: Executor, report: Callable[[Written], None]
) -> Estimate:
    """Write some chunks of each job, spread evenly, and estimate the others."""
    chunks, size, work = 0, 0.0, 0.0
    for unfinished in pending:
        count = sum(len(missing) for _, missing in unfinished.items(part))
        chosen = list(islice(unfinished.items(part), 0, None, max(1, count // SAMPLE)))[:SAMPLE]
        ended = [_result(future) for future in [_submit(pool, unfinished.job, [item]) for item in chosen]]
        for item, (_, written) in zip(chosen, ended, strict=True):
            unfinished.done(item)
            report(written)
        wrote = sum(written.chunks for _, written in ended)
        left = count - wrote
        chunks += left
        size += left * sum(written.size for _, written in ended) / max(1, wrote)
        work += left * sum(seconds for seconds, _ in ended) / max(1, wrote)
    workers = (os.cpu_count() or 1) if isinstance(pool, ThreadPoolExecutor) else WORKERS_ELSEWHERE
    return Estimate(chunks, round(size), work / workers)


def _batches(
    pending: Sequence[PendingJob], part: tuple[int, int], pace: Pace, workers: int
) -> Iterator[tuple[Job, list[Item]]]:
    """Yield batches; they get shorter towards the end, so that all workers end at about the same time."""
    left = sum(unfinished.missing for unfinished in pending) // part[1]
    for unfinished in pending:
        items = unfinished.items(part)
        while batch := list(islice(items, max(1, min(pace.size, left // (2 * workers * len(unfinished.present)))))):
            left -= sum(len(missing) for _, missing in batch)
            yield unfinished.job, batch


def _completed(
    pool: Executor, batches: Iterable[tuple[Job, list[Item]]], ahead: int
) -> Iterator[Future[tuple[float, Written]]]:
    """Yield a future for each batch as it ends, with no more than `ahead` of them submitted."""
    pending: set[Future[tuple[float, Written]]] = set()
    try:
        for job, items in batches:
            pending.add(_submit(pool, job, items))
            if len(pending) >= ahead:
                ended, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from ended
        while pending:
            ended, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from ended
    finally:
        for future in pending:
            future.cancel()


def _result(future: Future[tuple[float, Written]]) -> tuple[float, Written]:
    """Return what a batch wrote; raise ConnectionError if its executor gave it up, as when a scheduler is lost."""
    try:
        return future.result()
    except CancelledError as error:
        msg = "the executor gave its work up, as when a scheduler ends: export again, and it goes on where it was"
        raise ConnectionError(msg) from error


def _submit(pool: Executor, job: Job, items: list[Item]) -> Future[tuple[float, Written]]:
    if isinstance(pool, ThreadPoolExecutor):
        return pool.submit(contextvars.copy_context().run, _timed, job, items)  # the kernel sees the cancellation
    return pool.submit(_timed, job, items)


def _timed(job: Job, items: list[Item]) -> tuple[float, Written]:
    """Return what a batch wrote, and the seconds that it took."""
    began = time.perf_counter()
    written = job.write(items)
    return time.perf_counter() - began, written
