"""One real server of the default 50-level pyramid for all clients."""

from __future__ import annotations

import pytest

import servers


@pytest.fixture(scope="session")
def server():
    with servers.serving("--allow-origin", "*") as served:
        yield served


@pytest.fixture(params=["v2", "v3"])
def url(request, server):
    """URL of the pyramid in each format."""
    return server.url(request.param)
