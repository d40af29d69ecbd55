from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from web_server import serving

CHUNK = "/zarr/v3/demo.zarr/image/c/0/0"


def samples(client):
    """Values by name and labels, as Prometheus reads them."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}


def test_metrics_count_what_was_asked_for():
    with serving() as client:
        for path in (CHUNK, CHUNK, "/zarr/v3/zarr.json", "/zarr/v3/", f"{CHUNK}/x", "/healthz"):
            client.get(path)
        sent = int(client.head(CHUNK).headers["content-length"]) * 2
        seen = samples(client)
        assert client.get("/metrics").headers["content-type"].startswith("text/plain; version=")

    def requests(route, status):
        return seen["mandeldask_requests_total", ("route", route), ("status", status)]

    assert requests("chunk", "200") == 3
    assert requests("document", "200") == 1
    assert requests("listing", "200") == requests("listing", "404") == 1
    assert seen["mandeldask_cache_hits_total",] == 2
    assert seen["mandeldask_cache_misses_total",] == seen["mandeldask_chunks_computed_total",] == 1
    assert seen["mandeldask_sent_bytes_total",] > sent
    assert seen["mandeldask_request_seconds_count", ("route", "chunk")] == 3


def test_labels_stay_few_whatever_is_asked_for():
    with serving() as client:
        for number in range(200):
            client.get(f"/zarr/v3/demo.zarr/{number}")
            client.get(f"/{number}")
        text = client.get("/metrics").text
    assert set(re.findall(r'route="(\w+)"', text)) <= {"chunk", "document", "listing", "viewer", "health", "other"}
    assert len(text) < 20_000


def test_applications_do_not_share_counters():
    with serving() as one, serving() as other:
        one.get(CHUNK)
        assert ("mandeldask_cache_misses_total",) in samples(other)
        assert samples(other)["mandeldask_cache_misses_total",] == 0
