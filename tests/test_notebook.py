"""Display in notebooks, without a notebook: requests and replies of the widget, links, and HTML of values."""

import asyncio
import json
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from zarr.core.buffer import default_buffer_prototype

import mandeldask as md
from mandeldask import jupyter
from mandeldask.lazy import progress
from mandeldask.notebook import display, thumbnail, widget
from mandeldask.zarrview import preparing
from mandeldask.zarrview.nodes import Group
from slow_array import Slow
from web_server import until


def questions(viewer):
    """Return how to ask what the page of a widget asks, and the replies by number."""
    replies = {}
    viewer.send = lambda message, buffers: replies.update({message["id"]: (message["status"], bytes(buffers[0]))})

    def ask(number, **question):
        viewer._handle_custom_msg({"id": number, **question}, [])

    return ask, replies


def test_a_view_answers_what_its_page_asks():
    values = np.arange(12, dtype="u2").reshape(3, 4)
    viewer = md.view(values, codecs="none")
    ask, replies = questions(viewer)
    ask("a", target=viewer.page)
    ask("b", target="/zarr/v3/data/c/0/0")
    ask("c", target="/zarr/v3/data/c/0/0", range="bytes=2-5")
    ask("d", target="/zarr/v3/data/c/9/9")
    assert until(lambda: len(replies) == 4)
    assert b"3 \xc3\x97 4" in replies["a"][1]
    assert replies["b"] == (200, values.tobytes())
    assert replies["c"] == (206, values.tobytes()[2:6])
    assert replies["d"][0] == 404
    assert not viewer._questions
    viewer.close()


def test_a_question_that_is_given_up_stops_what_is_computed():
    slow = Slow(20)
    viewer = md.view({"slow": slow.array()})
    ask, replies = questions(viewer)
    ask("a", target="/zarr/v3/slow/c/0/0")
    assert until(lambda: slow.began)
    ask("a", stop=True)
    pool = viewer.app.catalog._views[3, "slow"].pool
    assert until(lambda: not pool.running)
    assert slow.ended == 0
    assert not replies


def test_a_view_begins_with_what_it_was_given():
    window = md.window("-0.5", "3", shape=(64, 96))
    assert md.view(window).page == "/browse/data/iterations"
    assert md.view({"a": np.zeros((3, 3)), "b": {"c": np.zeros(3)}}, "b/c").page == "/browse/b/c"
    assert md.view({"a": np.zeros((3, 3))}, "a").page == md.view({"a": np.zeros((3, 3))}).page == "/browse/a"
    with pytest.raises(LookupError, match="nothing at 'b/d'"):
        md.view({"a": np.zeros((3, 3)), "b": {"c": np.zeros(3)}}, "b/d")


def test_a_view_of_a_server_is_its_page(capsys):
    viewer = md.view(np.zeros((3, 4)), server=True)
    address = viewer.server.address
    assert viewer.url == f"{address}/browse/data"
    assert capsys.readouterr().out == f"{address}/\n"
    assert f'href="{address}/zarr/v3/data.zarr"' in viewer.server._repr_html_()
    viewer.close()


def test_a_link_to_vizarr_is_one_that_works():
    origin = "https://hms-dbmi.github.io"
    with md.serve(
        {"a": np.zeros((3, 4))}, background=True, places=False, allow_origins=origin, pyramid="auto"
    ) as server:
        assert md.vizarr_url(server).startswith(f"{origin}/vizarr/?source=http%3A%2F%2F127.0.0.1")
        assert md.vizarr_url(server, "a", zarr_format=2).endswith("%2Fzarr%2Fv2%2Fimages%2Fa.zarr")
    with (
        md.serve(np.zeros((3, 4)), background=True, places=False) as server,
        pytest.raises(ValueError, match="cannot read"),
    ):
        md.vizarr_url(server)


def test_both_of_vizarrs_widgets_are_fed(monkeypatch):
    """Version 0.1.1 takes a mapping and asks in the kernel's thread; later ones await a store in the kernel's loop."""
    asked = []
    monkeypatch.setattr(preparing, "in_notebook", lambda: True)
    monkeypatch.setattr(preparing, "prepare", lambda node: asked.append(preparing.is_computed(node)))
    tree = md.open_pyramid(levels=3, tilesize=64)
    mapping, store = md.to_mapping(tree), md.to_store(tree, zarr_format=2)
    assert asked == [True, True]
    key = "2/iterations/0/0"
    assert key in mapping
    assert "2/iterations/9/9" not in mapping

    async def kernel():
        assert await store.exists(key)
        return (await store.get(key, prototype=default_buffer_prototype())).to_bytes()

    assert memoryview(mapping[key]) == asyncio.run(kernel())
    assert json.loads(mapping[".zattrs"])["multiscales"][0]["datasets"]


def test_preparing_reads_a_row_of_the_coarsest_level_of_pyramids_only():
    read = []
    array = SimpleNamespace(shape=(128, 96), read=read.append)
    levels = {"10": Group({"iterations": array}), "9": Group({})}
    preparing.prepare(Group(levels))
    assert not read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparing, "Array", SimpleNamespace)
        preparing.prepare(Group(levels, attrs={"mandeldask": {}}))
    assert read == [(slice(64, 65), slice(0, 96))]


def test_cells_show_pyramids_and_windows_compactly(monkeypatch):
    monkeypatch.setattr(thumbnail, "WAIT_S", 60.0)
    tree = md.open_pyramid(levels=50)
    window = md.window("-0.75+0.1j", "1e-3", shape=(40, 60)).load()
    html = display.tree_html(tree)
    assert "2^59 × 2^59" in html
    assert "multiscales" not in html
    assert html.partition("<details>")[0].count("<tr>") < 12
    assert display.dataset_html(window).count("data:image/png;base64,") == 1
    monkeypatch.setattr(thumbnail, "WAIT_S", 0.0)
    assert "Run this cell again" in display.tree_html(tree)
    other = xr.Dataset({"a": ("x", [1])})
    assert display.dataset_html(other).startswith("<div><svg")
    assert "Group" in display.tree_html(xr.DataTree(other))


def test_bars_are_seen_in_notebooks_and_their_servers_may_read(monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    assert not jupyter.in_notebook()
    assert jupyter.notebook_origins() == ()
    (tmp_path / "jpserver-1.json").write_text('{"url": "http://localhost:8899/user/me/"}')
    (tmp_path / "jpserver-2.json").write_text('{"url": "https://hub.example.org/"}')
    (tmp_path / "jpserver-3.json").write_text("{")
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=None))
    monkeypatch.setitem(jupyter.sys.modules, "IPython", shell)
    assert jupyter.in_notebook()
    local = ("http://127.0.0.1:8899", "http://localhost:8899")
    assert jupyter.notebook_origins() == (*local, "https://hub.example.org")
    assert progress._is_seen()


def test_answers_come_from_a_thread_of_their_own():
    viewer = widget.view(np.zeros((3, 4)))
    threads = []
    viewer.send = lambda *_: threads.append(threading.current_thread().name)
    viewer._handle_custom_msg({"id": "a", "target": "/browse/data"}, [])
    assert until(lambda: threads)
    assert threads == ["mandeldask-notebook"]
