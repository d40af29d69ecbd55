"""Host names that a server accepts: over real sockets, with the Host headers that pages of other sites would send."""

from __future__ import annotations

import httpx
import numpy as np
import pytest

from mandeldask.app import create_app, serve
from mandeldask.web.hosts import usual_hosts

DATA = "/zarr/v3/demo.zarr/zarr.json"


def status(address, host, path=DATA):
    return httpx.get(address + path, headers={"host": host}).status_code


@pytest.fixture(scope="module")
def local():
    with serve({"demo": {"a": np.arange(4)}}, background=True) as handle:
        yield handle.address


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:80", "127.1.2.3", "x.localhost"])
def test_a_local_server_answers_under_the_names_of_this_machine(local, host):
    assert status(local, host) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", ""]
)
@pytest.mark.parametrize("path", [DATA, "/", "/metrics", "/zarr/v3/demo.zarr/a/c/0", "/zarr/v2"])
def test_and_under_no_other(local, host, path):
    reply = httpx.get(local + path, headers={"host": host})
    assert reply.status_code == 421
    assert "allowed-host" in reply.json()["detail"]


def test_load_balancers_ask_by_any_name(local):
    assert status(local, "10.0.0.7", "/healthz") == status(local, "10.0.0.7", "/readyz") == 200


def test_names_may_be_allowed():
    with serve(np.arange(3), background=True, allowed_hosts=["data.example", "*.wide.example"]) as handle:
        path = handle.url().removeprefix(handle.address) + "/zarr.json"
        for host in ("data.example", "data.example.", "a.wide.example:443", "localhost"):
            assert status(handle.address, host, path) == 200
        for host in ("wide.example", "xwide.example", "sub.data.example"):
            assert status(handle.address, host, path) == 421


def test_keys_and_public_servers_answer_under_any_name():
    assert usual_hosts("127.0.0.1", shared=False) == ("127.0.0.1",)
    assert usual_hosts("127.0.0.1", shared=True) == ("*",)
    assert usual_hosts("0.0.0.0", shared=False) == ("*",)


@pytest.mark.parametrize("host", ["http://example.org", "example.org:80", "a b", "", "*.", "a/b"])
def test_what_is_no_name_is_refused(host):
    with pytest.raises(ValueError, match="allowed host"):
        create_app(np.arange(2), allowed_hosts=[host])
