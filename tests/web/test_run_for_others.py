"""The nginx lines and the systemd unit of docs/how-to/run-for-others.md, as far as tests can run them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from web_server import serving, until

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
SYSTEMD = shutil.which("systemd-analyze")
PAGE = Path(__file__).parents[2] / "docs/how-to/run-for-others.md"
CHUNK = "/zarr/v3/demo.zarr/image/c/0/0"


def block(language):
    return re.search(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    if NGINX is None:
        pytest.skip("nginx is not installed (`make proxy` installs it)")
    folder = tmp_path_factory.mktemp("nginx")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serving() as server:
        lines = block("nginx").replace("127.0.0.1:8000", server.handle.address.removeprefix("http://"))
        lines = lines.replace("listen 8080", f"listen 127.0.0.1:{port}")
        user = "user root;" if os.geteuid() == 0 else ""
        paths = f"access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};"
        head = f"daemon off; pid {folder}/pid; error_log {folder}/error.log; {user} events {{}}"
        (folder / "nginx.conf").write_text(f"{head}\nhttp {{ {paths}\n{lines}\n}}")
        command = [NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as nginx:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                assert until(lambda: answers(client)), (folder / "error.log").read_text()
                client.port = port
                yield client
            nginx.terminate()
            nginx.wait(60)


def answers(client):
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_ranges_pass_and_what_is_no_range_does_not(proxied):
    whole = proxied.get(CHUNK).content
    assert proxied.get(CHUNK, headers={"range": "bytes=2-5"}).content == whole[2:6]
    assert proxied.get(CHUNK, headers={"range": "bytes=-3"}).content == whole[-3:]
    odd = proxied.get(CHUNK, headers={"range": "bytes=0-" + " " * 5000 + "x"})
    assert (odd.status_code, odd.content) == (200, whole)


def test_an_address_has_so_many_connections_and_requests(proxied):
    with_connections = []
    for _ in range(60):
        connection = socket.create_connection(("127.0.0.1", proxied.port))
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ")
        with_connections.append(connection)
    codes = {proxied.get("/healthz").status_code for _ in range(400)}
    for connection in with_connections:
        connection.close()
    assert codes <= {200, 429}
    assert 429 in codes


@pytest.mark.skipif(SYSTEMD is None, reason="systemd is not installed")
def test_the_unit_is_one_that_systemd_takes(tmp_path):
    unit = block("ini").replace("/opt/mandeldask/bin/mandeldask", "/bin/true")
    (tmp_path / "mandeldask.service").write_text(unit)
    command = [SYSTEMD, "verify", "--man=no", str(tmp_path / "mandeldask.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    ours = [line for line in done.stderr.splitlines() if "mandeldask.service" in line]
    assert ours == []
    assert "Unknown" not in done.stderr


def test_the_command_lines_have_options_that_exist():
    from typer.testing import CliRunner

    from mandeldask.cli.commands import app

    said = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "300", "TERM": "dumb", "NO_COLOR": "1"}).output
    known = set(re.findall(r"--[a-z-]+", said))
    for option in re.findall(r"`(--[a-z-]+)`", PAGE.read_text()):
        assert option in known, option


ELSEWHERE = (sys.prefix, str(Path(__file__).resolve()), str(Path(sys.executable).resolve()))
DISK = next(disk for disk in ("/tmp", "/var/tmp", "/mnt") if not any(path.startswith(disk + "/") for path in ELSEWHERE))
"""Where the one disk that can be written goes: over nothing that the server needs."""

WITHOUT_RIGHTS = f"""
mount --make-rprivate / && mount -t tmpfs -o size=64k tmpfs {DISK} && mount -o remount,bind,ro / &&
export TMPDIR={DISK} && exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""

SERVER = """
import contextlib
import numpy as np
from mandeldask.app import serve
with contextlib.suppress(OSError), open("/written", "w"):
    raise SystemExit("the system is not read-only")
data = np.random.default_rng(0).integers(0, 255, (4, 100_000), "u1")
said = lambda address: print(address, flush=True)
serve({"demo": {"a": data}}, port=0, public=True, cache_dir="DISK/tiles", started=said)
""".replace("DISK", DISK)


def can_be_shut_in():
    if not all(map(shutil.which, ("unshare", "setpriv", "mount"))):
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_be_shut_in(), reason="this machine makes no mount namespaces")
def test_it_serves_without_rights_on_a_read_only_system_whose_only_disk_is_full():
    """What the unit and the container ask of it, as far as that goes without systemd and docker."""
    command = ["unshare", "-m", "sh", "-c", WITHOUT_RIGHTS, "sh", sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().strip()
            rights = Path(f"/proc/{server.pid}/status").read_text()
            assert re.search(r"CapEff:\s+0+\n", rights)
            assert re.search(r"NoNewPrivs:\s+1\n", rights)
            codes = {httpx.get(f"{address}/zarr/v3/demo.zarr/a/c/0/0", timeout=60).status_code for _ in range(2)}
            assert codes == {200}
        finally:
            server.terminate()
        assert server.wait(60) == 0
