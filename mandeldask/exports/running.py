"""Write the chunks of an export in threads or with any executor, with a bounded number of submitted batches."""

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
"""Target duration of a batch in seconds: long relative to the overhead of a task, short for progress and Ctrl-C."""

MOST = 256
"""Largest number of chunks in a batch."""

AHEAD = 4
"""Batches submitted per worker."""

WORKERS_ELSEWHERE = 64
"""Assumed number of workers of an executor that is not a thread pool."""


@dataclass(slots=True)
class Pace:
    """Number of chunks per batch. It starts at 1 and grows as the duration of a chunk becomes known."""

    size: int = 1

    def seen(self, chunks: int, seconds: float) -> None:
        """Adapt the size to the duration of a batch."""
        if chunks:
            fitting = int(BATCH_S * chunks / max(seconds, 1e-6))
            self.size = max(1, min(MOST, fitting, 2 * self.size))


SAMPLE = 8
"""Number of chunks of each job that are written first to estimate the rest."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The size and duration of the rest of an export, estimated from chunks that were written first."""

    chunks: int
    """Number of chunks, or shards, to write; each is a file."""
    size: int
    """Their approximate size in bytes."""
    seconds: float
    """Their approximate duration."""


def write_all(
    pending: Sequence[PendingJob],
    part: tuple[int, int],
    executor: Executor | None,
    report: Callable[[Written], None],
    announce: Callable[[Estimate], None] | None = None,
) -> None:
    """Write all missing chunks; on an error or an interrupt, stop the others within milliseconds.

    Parameters
    ----------
    pending : sequence of PendingJob
        The jobs, with their missing chunks.
    part : (int, int)
        The share to write: (k, n) is share k, counted from 0, of n.
    executor : Executor or None
        Runs the batches; by default a pool with one thread per CPU.
    report : callable
        Called in this thread with the amount that each batch wrote.
    announce : callable, optional
        Called with an estimate of the rest after the first chunks were written. An exception from it ends the export.
    """
    threads = (
        os.cpu_count() or 1
    )  # more threads would hide some waiting for the disk, but cost more CPU time than they save
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
    """Write some chunks of each job, evenly spaced, and return an estimate of the others."""
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
    """Yield batches; they become smaller towards the end, so that all workers end at about the same time."""
    left = sum(unfinished.missing for unfinished in pending) // part[1]
    for unfinished in pending:
        items = unfinished.items(part)
        while batch := list(islice(items, max(1, min(pace.size, left // (2 * workers * len(unfinished.present)))))):
            left -= sum(len(missing) for _, missing in batch)
            yield unfinished.job, batch


def _completed(
    pool: Executor, batches: Iterable[tuple[Job, list[Item]]], ahead: int
) -> Iterator[Future[tuple[float, Written]]]:
    """Yield the future of each batch when it ends; at most `ahead` of them are submitted at a time."""
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
    """Return the result of a batch; raise ConnectionError if its executor cancelled it, as when a scheduler ends."""
    try:
        return future.result()
    except CancelledError as error:
        msg = "the executor cancelled its tasks, for example because its scheduler ended; export again to continue"
        raise ConnectionError(msg) from error


def _submit(pool: Executor, job: Job, items: list[Item]) -> Future[tuple[float, Written]]:
    if isinstance(pool, ThreadPoolExecutor):
        return pool.submit(contextvars.copy_context().run, _timed, job, items)  # the context carries the cancellation
    return pool.submit(_timed, job, items)


def _timed(job: Job, items: list[Item]) -> tuple[float, Written]:
    """Write a batch; return the seconds it took and the amount written."""
    began = time.perf_counter()
    written = job.write(items)
    return time.perf_counter() - began, written
