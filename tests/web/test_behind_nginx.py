"""The configuration of docs/how-to/behind-nginx.md, run by nginx."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from slow_array import Slow
from web_server import serving, until

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
PAGE = Path(__file__).parents[2] / "docs/how-to/behind-nginx.md"

pytestmark = [
    pytest.mark.external,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed (`make proxy` installs it)"),
]


def configured(server, port, folder):
    """The page's configuration with this test's ports and folders."""
    text = re.search(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
    for ours, theirs in [
        ("127.0.0.1:8000", server.removeprefix("http://")),
        ("listen 8080", f"listen 127.0.0.1:{port}"),
        ("/var/cache/nginx/mandeldask", f"{folder}/cache"),
    ]:
        assert ours in text
        text = text.replace(ours, theirs)
    text = text.replace("http {", f"http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};")
    user = "user root;" if os.geteuid() == 0 else ""
    return f"daemon off; pid {folder}/pid; error_log {folder}/error.log; {user}\n{text}"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """A client of nginx in front of a server, and the array that the server computes."""
    folder, slow = tmp_path_factory.mktemp("nginx"), Slow(0.05)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serving({"demo": {"slow": slow.array()}}, allow_origins=("*",)) as server:
        (folder / "nginx.conf").write_text(configured(server.handle.address, port, folder))
        command = [NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as nginx:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                assert until(lambda: answers(client)), (folder / "error.log").read_text()
                client.pinned = server.handle.url("v3", pinned=True).removeprefix(server.handle.address)
                client.slow = slow
                yield client
            nginx.terminate()
            nginx.wait(60)


def answers(client):
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_the_second_fetch_of_a_fingerprinted_url_is_a_hit(proxied):
    url = f"{proxied.pinned}/slow/c/1/0"
    first, second = proxied.get(url), proxied.get(url)
    assert (first.headers["x-cache-status"], second.headers["x-cache-status"]) == ("MISS", "HIT")
    assert first.content == second.content
    assert second.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert second.headers["access-control-allow-origin"] == "*"
    began = proxied.slow.began
    assert proxied.get(url, headers={"range": "bytes=2-5"}).content == first.content[2:6]
    assert proxied.get(url, headers={"if-none-match": first.headers["etag"]}).status_code == 304
    assert int(proxied.head(url).headers["content-length"]) == len(first.content)
    assert proxied.slow.began == began


def test_a_named_url_is_revalidated_and_304_works(proxied):
    url = "/zarr/v3/demo.zarr/slow/c/2/0"
    first = proxied.get(url)
    again = proxied.get(url, headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.headers["etag"] == first.headers["etag"]
    assert "x-cache-status" not in proxied.get(url).headers
    ranged = proxied.get(url, headers={"range": "bytes=-3"})
    assert (ranged.status_code, ranged.content) == (206, first.content[-3:])


def test_json_is_kept_for_each_encoding(proxied):
    url = f"{proxied.pinned}/zarr.json"
    gzipped = proxied.get(url, headers={"accept-encoding": "gzip"})
    plain = proxied.get(url, headers={"accept-encoding": "identity"})
    assert gzipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert gzipped.json() == plain.json()
    for encoding, first in [("gzip", gzipped), ("identity", plain)]:
        again = proxied.get(url, headers={"accept-encoding": encoding})
        assert again.headers["x-cache-status"] == "HIT"
        assert again.headers["etag"] == first.headers["etag"]


def test_what_is_not_there_is_not_kept(proxied):
    url = f"{proxied.pinned}/slow/c/99999/0"
    assert [proxied.get(url).status_code for _ in range(2)] == [404, 404]
    assert proxied.get(url).headers["x-cache-status"] == "MISS"
