from __future__ import annotations

import asyncio
import contextlib
import gzip
import signal
import socket
import threading
import time

import httpx
import numpy as np
import pytest

from mandeldask.app import create_app, serve
from mandeldask.web.serving import serve_in_foreground
from mandeldask.web.sockets import BACKLOG, is_loopback, listen
from web_server import process, until

TREE = {"demo": {"a": np.arange(4)}}
FAST, SLOW = "/zarr/v3/demo.zarr/a/c/0/0", "/zarr/v3/demo.zarr/a/c/{}/0"


def refused(address):
    try:
        httpx.get(address + "/healthz", timeout=2)
    except httpx.HTTPError:
        return True
    return False


@pytest.mark.parametrize("signal_", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_lets_requests_finish_and_exits_0(signal_):
    with process() as (running, address), httpx.Client(base_url=address, timeout=60) as client:
        client.get("/healthz")
        replies = []
        asking = threading.Thread(target=lambda: replies.append(client.get(SLOW.format(150))))
        asking.start()
        time.sleep(0.3)
        running.send_signal(signal_)
        asking.join()
        assert replies[0].status_code == 200
        assert running.wait(60) == 0
        assert running.stdout.read() == "stopped\n"
        assert refused(address)


def test_a_signal_before_the_server_runs_stops_it_too():
    before = signal.getsignal(signal.SIGTERM)

    def make():
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("it went on")

    assert serve_in_foreground(make, "127.0.0.1", 0) is None
    assert signal.getsignal(signal.SIGTERM) is before


def test_draining_ends_at_its_deadline():
    with process(drain_s=0.2) as (running, address), httpx.Client(base_url=address, timeout=60) as client:
        client.get("/healthz")
        asking = threading.Thread(
            target=lambda: contextlib.suppress(httpx.HTTPError).__enter__() or client.get(SLOW.format(160))
        )
        asking.start()
        time.sleep(0.2)
        running.terminate()
        assert running.wait(60) == 0
        asking.join()


def test_workers_share_the_port_and_the_kept_chunks(tmp_path):
    with process(workers=2, cache_dir=str(tmp_path)) as (running, address):
        pids = set()
        for number in range(60):
            with httpx.Client(base_url=address, timeout=60) as client:  # a new connection may reach the other process
                chunk = client.get(f"/zarr/v3/demo.zarr/pid/c/{number}").content
                pids.add(int(np.frombuffer(gzip.decompress(chunk), "<i8")[0]))
                client.get(FAST)
            if len(pids) == 2:
                break
        assert len(pids) == 2
        assert len(list(tmp_path.rglob("*"))) <= 3
        # What either process computed the other one serves: every chunk is of one process.
        seen = {number: set() for number in range(3)}
        for _ in range(12):
            with httpx.Client(base_url=address) as client:
                for number, answering in seen.items():
                    chunk = client.get(f"/zarr/v3/demo.zarr/pid/c/{number}").content
                    answering.add(int(np.frombuffer(gzip.decompress(chunk), "<i8")[0]))
        assert all(len(pids) == 1 for pids in seen.values())
        running.terminate()
        assert running.wait(60) == 0


def test_a_taken_port_is_one_line_that_names_a_free_one():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"^port {port} of 127.0.0.1 is taken; \d+ is free$") as caught:
            serve(TREE, port=port)
        free = int(str(caught.value).split("; ")[1].split()[0])
        with listen("127.0.0.1", free):
            pass


@pytest.mark.parametrize("port", ["x", -5, 99_999, 2.5])
def test_a_port_that_none_can_be_is_refused(port):
    with pytest.raises(ValueError, match="port must be an integer from 0 to 65535, not "):
        serve(TREE, port=port)


def test_an_address_that_is_not_here_says_so():
    with pytest.raises(OSError, match=r"^cannot listen at 192\.0\.2\.1:0: "):
        serve(TREE, host="192.0.2.1", port=0, public=True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_other_machines_are_let_in_only_with_a_key_or_in_public(host):
    assert not is_loopback(host)
    with pytest.raises(ValueError, match="API key"):
        serve(TREE, host=host, port=0)


def test_in_public_any_address_will_do():
    with serve(TREE, host="0.0.0.0", public=True, background=True) as handle:
        assert httpx.get(handle.address + "/healthz").status_code == 200
    with serve(TREE, host="0.0.0.0", api_keys=["k"], background=True) as handle:
        assert httpx.get(handle.url() + "/zarr.json").status_code == 401


def test_addresses_of_ip_version_6_are_urls_too():
    try:
        handle = serve(TREE, host="::1", background=True)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with handle:
        assert handle.address.startswith("http://[::1]:")
        assert httpx.get(handle.url() + "/zarr.json").status_code == 200


def test_a_background_server_has_urls_and_stops():
    with serve(TREE, background=True) as handle:
        assert handle.url("v2") == f"{handle.address}/zarr/v2/demo.zarr"
        assert httpx.get(handle.url("v3", pinned=True) + "/zarr.json").status_code == 200
        with pytest.raises(ValueError, match="demo"):
            handle.url("v3", "other")
        with pytest.raises(ValueError, match="v4"):
            handle.url("v4")
    handle.stop()
    assert refused(handle.address)


async def test_a_background_server_runs_beside_a_running_loop():
    with serve(TREE, background=True) as handle:
        async with httpx.AsyncClient() as client:
            replies = await asyncio.gather(*(client.get(handle.url() + "/a/c/0") for _ in range(5)))
        assert {reply.status_code for reply in replies} == {200}


def test_background_servers_take_ports_of_their_own():
    with serve(TREE, background=True) as one, serve(TREE, background=True) as two:
        assert one.address != two.address


def test_many_connections_may_wait_to_be_accepted():
    assert BACKLOG >= 128
    with serve(TREE, background=True) as handle:
        host, port = handle.address.removeprefix("http://").split(":")
        connections = [socket.create_connection((host, int(port)), timeout=60) for _ in range(128)]
        for connection in connections:
            connection.close()


def test_an_application_is_plain_asgi():
    app = create_app(TREE)

    async def get(path):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return await client.get(path)

    assert asyncio.run(get("/zarr/v3/demo.zarr/a/c/0")).status_code == 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cache_bytes": -1}, "cache_bytes must be an integer of at least 0, not -1"),
        ({"threads": 1.5}, "threads must be an integer of at least 0, not 1.5"),
        ({"queue": True}, "queue must be an integer of at least 0, not True"),
        ({"max_places": 0}, "max_places must be an integer of at least 1, not 0"),
        ({"allow_origins": ["example.org"]}, "an origin must look like .*not 'example.org'"),
        ({"api_keys": ["a/b"]}, "an API key must be"),
    ],
)
def test_settings_name_what_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        create_app(TREE, **options)


@pytest.mark.parametrize("options", [{"workers": 0}, {"workers": 2, "background": True}])
def test_workers_are_processes_of_a_server_in_the_foreground(options):
    with pytest.raises(ValueError, match=f"not {options['workers']}"):
        serve(TREE, port=0, **options)


def test_unknown_settings_are_refused():
    with pytest.raises(TypeError, match="cache_size"):
        create_app(TREE, cache_size=3)


def test_names_that_cannot_be_in_a_url_are_refused():
    with pytest.raises(ValueError, match="a/b"):
        create_app({"a/b": np.arange(3)})


def test_requests_that_the_deadline_cuts_off_are_answered_503_and_told_in_a_line():
    with process(drain_s=0.2) as (running, address), httpx.Client(base_url=address, timeout=60) as client:
        client.get("/healthz")
        replies = []
        asking = threading.Thread(target=lambda: replies.append(client.get(SLOW.format(160))))
        asking.start()
        time.sleep(0.3)
        running.terminate()
        assert running.wait(60) == 0
        asking.join()
        assert replies[0].status_code == 503
        assert replies[0].json() == {"detail": "the server is stopping"}
        running.errors.seek(0)
        assert "Traceback" not in running.errors.read()


def test_workers_end_with_their_parent():
    with process(workers=2) as (running, address):
        assert httpx.get(address + "/healthz", timeout=60).status_code == 200
        running.kill()
        running.wait()
        assert until(lambda: refused(address))


def test_a_source_that_cannot_be_cancelled_does_not_keep_the_server():
    with process(drain_s=0.2) as (running, address), socket.create_connection(address_of(address)) as client:
        client.sendall(b"GET /zarr/v3/demo.zarr/a/c/390/0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.5)
        running.terminate()
        assert running.wait(60) == 0
        assert client.recv(1000).startswith(b"HTTP/1.1 503 ")


def address_of(url):
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)
