"""Monitoring: Prometheus metrics of one application, and an access log without API keys."""

from __future__ import annotations

import logging
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from mandeldask.web.keys import redacted
from mandeldask.web.messages import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from prometheus_client import Metric
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mandeldask.zarrview.cache import TileCache
    from mandeldask.zarrview.pool import Queue

access_log = logging.getLogger("mandeldask.access")

CLIENT_GONE = 499
"""Status that metrics and logs show for a client that left before its reply (nginx's convention)."""


@dataclass(slots=True)
class Observation:
    """Data about a request, in ``scope["observation"]``."""

    route: str = "other"
    """``chunk``, ``document``, ``listing``, ``viewer``, ``health`` or ``other``: few, so that metrics stay small."""
    status: int = CLIENT_GONE
    """Status of its reply, once the reply has begun."""
    sent: int = 0
    """Bytes of the reply's body that were sent."""


class Metrics:
    """The metrics of one application, in a registry of their own, so that applications do not share counters.

    Counters that every request changes are plain numbers, which only the event loop's thread changes. Counters of
    prometheus_client take a lock each, together 15 µs a request.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests: Counter[tuple[str, int]] = Counter()
        self.seconds: defaultdict[str, _Histogram] = defaultdict(_Histogram)
        self.sent = self.in_flight = 0
        self.registry.register(_Requests(self))

    def record(self, route: str, status: int, sent: int, seconds: float) -> None:
        """Count a request that was answered."""
        self.requests[route, status] += 1
        self.seconds[route].observe(seconds)
        self.sent += sent

    def watch(self, cache: TileCache, queues: Collection[Queue]) -> None:
        """Show the numbers that a cache and queues count themselves."""
        self.registry.register(_CacheMetrics(cache, queues))

    def count(self, name: str, documentation: str, number: Callable[[], int]) -> None:
        """Show a number that another object counts."""
        self.registry.register(_Counters(name, documentation, number))

    def reply(self) -> Reply:
        """Return every metric in Prometheus' text format."""
        return Reply(
            200, (("content-type", CONTENT_TYPE_LATEST), ("cache-control", "no-store")), generate_latest(self.registry)
        )


BUCKETS_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Upper bounds of the histogram, in seconds."""


@dataclass(slots=True)
class _Histogram:
    """Histogram of the durations of requests."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, int]]:
        """Return each upper bound with the number of requests up to it."""
        return list(zip((*map(str, BUCKETS_S), "+Inf"), accumulate(self.counts), strict=True))


@dataclass(frozen=True, slots=True)
class _Requests(Collector):
    """The counts of requests, read when the metrics are collected."""

    metrics: Metrics

    def collect(self) -> Iterator[Metric]:
        """Yield it as metrics."""
        metrics = self.metrics
        requests = CounterMetricFamily(
            "mandeldask_requests", "Requests answered, by what was asked for.", labels=("route", "status")
        )
        for (route, status), count in metrics.requests.items():
            requests.add_metric((route, str(status)), count)
        seconds = HistogramMetricFamily(
            "mandeldask_request_seconds", "Seconds from request to the end of its reply.", labels=("route",)
        )
        for route, histogram in metrics.seconds.items():
            seconds.add_metric((route,), histogram.buckets(), histogram.total)
        yield from (requests, seconds)
        yield CounterMetricFamily("mandeldask_sent_bytes", "Bytes of bodies sent.", value=metrics.sent)
        yield GaugeMetricFamily("mandeldask_requests_in_flight", "Requests being answered.", value=metrics.in_flight)


@dataclass(frozen=True, slots=True)
class _CacheMetrics(Collector):
    """The numbers of a cache and its queues, read when the metrics are collected."""

    cache: TileCache
    queues: Collection[Queue]

    def collect(self) -> Iterator[Metric]:
        """Yield them as metrics."""
        cache, queues = self.cache, self.queues
        for name, documentation, count in (
            ("hits", "Chunks found in the cache.", cache.hits),
            ("misses", "Chunks not found in the cache.", cache.misses),
            ("evictions", "Chunks dropped from the full cache.", cache.evictions),
        ):
            yield CounterMetricFamily(f"mandeldask_cache_{name}", documentation, value=count)
        yield CounterMetricFamily("mandeldask_chunks_computed", "Chunks computed to the end.", value=cache.computes)
        yield GaugeMetricFamily("mandeldask_cache_bytes", "Bytes of chunks in memory.", value=cache.size)
        yield GaugeMetricFamily(
            "mandeldask_chunks_running", "Chunks that have a thread.", value=sum(queue.running for queue in queues)
        )
        yield GaugeMetricFamily(
            "mandeldask_chunks_waiting", "Chunks that wait for a thread.", value=sum(queue.waiting for queue in queues)
        )


@dataclass(frozen=True, slots=True)
class _Counters(Collector):
    """One number, read when the metrics are collected."""

    name: str
    documentation: str
    number: Callable[[], int]

    def collect(self) -> Iterator[Metric]:
        """Yield it as a metric."""
        yield CounterMetricFamily(self.name, self.documentation, value=self.number())


@dataclass(frozen=True, slots=True)
class Observe:
    """ASGI middleware, outermost: counts, times and logs every request."""

    app: ASGIApp
    """The inner app; it finds an `Observation` in ``scope["observation"]``."""
    metrics: Metrics
    """The metrics that are updated."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and observe its reply."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        observation, began = Observation(), time.perf_counter()

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                observation.status = message["status"]
            else:
                observation.sent += len(message.get("body", b""))
            await send(message)

        self.metrics.in_flight += 1
        try:
            await self.app({**scope, "observation": observation}, receive, watched)
        finally:
            self.metrics.in_flight -= 1
            self._record(scope, observation, time.perf_counter() - began)

    def _record(self, scope: Scope, seen: Observation, seconds: float) -> None:
        self.metrics.record(seen.route, seen.status, seen.sent, seconds)
        if access_log.isEnabledFor(logging.INFO):
            client = (scope.get("client") or ("-",))[0]
            path, milliseconds = redacted(scope["path"]), seconds * 1000
            access_log.info(
                "%s %s %r %s %d B %.1f ms", client, scope["method"], path, seen.status, seen.sent, milliseconds
            )
