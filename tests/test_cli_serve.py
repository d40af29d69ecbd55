"""`mandeldask serve` as users run it: its output, the opened page, refused input, and how it stops."""

from __future__ import annotations

import re
import signal
import socket

import httpx
import numpy as np
import pytest
import zarr

import mandeldask as md
import servers
from mandeldask.cli import commands
from mandeldask.fractal.place_url import as_spec


def run(capsys, *arguments):
    """Run the command line in this process: exit code, stdout, stderr."""
    code = commands.run(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_a_taken_port_names_a_free_one(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = run(capsys, "serve", "--port", str(port))
    assert code == 2
    found = re.fullmatch(rf"mandeldask: port {port} of 127\.0\.0\.1 is taken; (\d+) is free\n", err)
    assert found
    with socket.create_server(("127.0.0.1", int(found[1]))):
        pass


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_serve_prints_where_everything_is_and_stops_cleanly(by):
    with servers.serving("--levels", "3", "--tilesize", "32") as served:
        v3 = served.url("v3")
        tile = httpx.get(f"{v3}/2/iterations/c/0/0")
        assert tile.status_code == 200
        assert httpx.get(f"{served.url('v2')}/2/iterations/0/0").status_code == 200
        assert "<canvas" in httpx.get(served.page).text
        vizarr = httpx.URL(served.printed("vizarr"))
        assert (vizarr.host, vizarr.path, vizarr.params["source"]) == ("hms-dbmi.github.io", "/vizarr/", v3)
        page = {"Origin": "https://hms-dbmi.github.io"}
        allowed = httpx.get(f"{v3}/zarr.json", headers=page).headers["access-control-allow-origin"]
        assert allowed in {"*", page["Origin"]}
        assert run_printed_python(served) == float(md.open_pyramid(3, tilesize=32)["2/iterations"].mean())
        code, rest = served.stop(by)
    assert code == 0
    assert "Traceback" not in rest


def run_printed_python(served):
    """Run the snippet that `serve` printed, and return the value of its last line."""
    start = served.lines.index("Python")
    *body, last = (line.strip() for line in served.lines[start + 1 : start + 4])
    scope = {}
    exec("\n".join(body), scope)
    return float(eval(last, scope))


def test_serve_with_a_key_needs_it_and_does_not_print_it():
    with servers.serving("--levels", "2", "--tilesize", "16", "--api-key", "s3cret-key") as served:
        assert not any("s3cret" in line for line in served.lines)
        url = served.url("v3")
        assert httpx.get(f"{url.replace('/key/YOUR-KEY', '')}/zarr.json").status_code == 401
        assert httpx.get(f"{url.replace('YOUR-KEY', 's3cret-key')}/zarr.json").status_code == 200


def test_serve_opens_places_by_url_within_the_limits_given():
    limits = "--max-iter-limit", "1000", "--max-depth", "20", "--max-digits", "80"
    place = md.Pyramid(center="-0.75", width="0.001", levels=2, tilesize=16, maxiter=1000)
    beyond = [
        changed(place, maxiter=1001),
        changed(place, width="1e-30"),
        changed(place, center="0." + "1" * 80),
    ]
    with servers.serving("--levels", "2", "--tilesize", "16", *limits) as served:
        at = served.page + "zarr/v3/at/{}.zarr/zarr.json"
        assert httpx.get(at.format(as_spec(place))).status_code == 200
        assert [httpx.get(at.format(as_spec(each))).status_code for each in beyond] == [403] * 3


def changed(pyramid, **keywords):
    return md.Pyramid(**(pyramid.as_dict() | keywords))


def test_files_are_served_under_their_names_or_another_or_as_the_root(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3))
    np.save(tmp_path / "b.npy", np.arange(4))
    with servers.serving(str(tmp_path / "a.npy"), str(tmp_path / "b.npy")) as served:
        root = zarr.open_group(served.page + "zarr/v3", mode="r")
        assert {name: array[:].tolist() for name, array in root.arrays()} == {"a.npy": [0, 1, 2], "b.npy": [0, 1, 2, 3]}
    with servers.serving(str(tmp_path / "a.npy"), "--name", "first") as served:
        assert zarr.open_array(served.page + "zarr/v3/first", mode="r")[:].tolist() == [0, 1, 2]
    with servers.serving(str(tmp_path), "--root", "--codec", "blosc") as served:
        assert any(line.endswith("/zarr/v3") for line in served.lines)
        array = zarr.open_array(served.page + "zarr/v2/b.npy", mode="r")
        assert array[:].tolist() == [0, 1, 2, 3]
        assert array.metadata.compressor.codec_id == "blosc"


@pytest.mark.parametrize("option", [("--name", "x"), ("--root",)])
def test_what_is_for_one_tree_is_refused_for_two(capsys, tmp_path, option):
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", np.arange(3))
    code, _, err = run(capsys, "serve", *(str(tmp_path / f"{name}.npy") for name in "ab"), *option)
    assert code == 2
    assert f"{option[0]} is for one tree, not for a.npy, b.npy" in err
