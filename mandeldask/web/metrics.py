"""What an operator can watch: Prometheus metrics of one application, and an access log without keys."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
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
    """What the handlers tell about a request: ``scope["observation"]``."""

    route: str = "other"
    """``chunk``, ``document``, ``listing``, ``viewer``, ``health`` or ``other``: few, so that metrics stay small."""


class Metrics:
    """The metrics of one application, in a registry of their own, so that applications do not share counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "mandeldask_requests",
            "Requests answered, by what was asked for.",
            ("route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "mandeldask_request_seconds",
            "Seconds from request to the end of its reply.",
            ("route",),
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
            registry=self.registry,
        )
        self.sent = Counter("mandeldask_sent_bytes", "Bytes of bodies sent.", registry=self.registry)
        self.in_flight = Gauge("mandeldask_requests_in_flight", "Requests being answered.", registry=self.registry)

    def watch(self, cache: TileCache, queues: Collection[Queue]) -> None:
        """Show the numbers that a cache and queues keep themselves."""
        self.registry.register(_Kept(cache, queues))

    def count(self, name: str, documentation: str, number: Callable[[], int]) -> None:
        """Show a number that something else counts."""
        self.registry.register(_Counted(name, documentation, number))

    def reply(self) -> Reply:
        """Return every metric in Prometheus' text format."""
        return Reply(
            200, (("content-type", CONTENT_TYPE_LATEST), ("cache-control", "no-store")), generate_latest(self.registry)
        )


@dataclass(frozen=True, slots=True)
class _Kept(Collector):
    """Numbers read when they are asked for."""

    cache: TileCache
    queues: Collection[Queue]

    def collect(self) -> Iterator[Metric]:
        """Yield them as metrics."""
        cache, queues = self.cache, self.queues
        for name, documentation, count in (
            ("hits", "Chunks found in the cache.", cache.hits),
            ("misses", "Chunks not found in the cache.", cache.misses),
            ("evictions", "Chunks dropped from the cache for want of room.", cache.evictions),
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
class _Counted(Collector):
    """A number read when it is asked for."""

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
    """The app inside; it finds an `Observation` in ``scope["observation"]``."""
    metrics: Metrics
    """Where the numbers go."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and watch what is sent."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        observation, status, sent, began = Observation(), CLIENT_GONE, 0, time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                sent += len(message.get("body", b""))
            await send(message)

        self.metrics.in_flight.inc()
        try:
            await self.app({**scope, "observation": observation}, receive, watched)
        finally:
            self.metrics.in_flight.dec()
            seconds = time.perf_counter() - began
            self._record(scope, observation.route, status, sent, seconds)

    def _record(self, scope: Scope, route: str, status: int, sent: int, seconds: float) -> None:
        self.metrics.requests.labels(route, str(status)).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        self.metrics.sent.inc(sent)
        if access_log.isEnabledFor(logging.INFO):
            client = (scope.get("client") or ("-",))[0]
            path = redacted(scope["path"])
            access_log.info("%s %s %r %s %d B %.1f ms", client, scope["method"], path, status, sent, seconds * 1000)
