"""Trees that change, and trees whose members are opened on request."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
import zarr

from mandeldask.zarrview.cache import TileCache
from mandeldask.zarrview.documents import CONSOLIDATED
from mandeldask.zarrview.formats import V2, V3
from mandeldask.zarrview.nodes import Array, Changed, Group, as_node, with_reads
from mandeldask.zarrview.store import to_store
from mandeldask.zarrview.view import ZarrView

FORMATS = pytest.mark.parametrize("form", [V2(compressors=None), V3(compressors=None)], ids=["v2", "v3"])


@dataclass
class Source:
    """A vector that somebody else writes to, as a file is."""

    values: np.ndarray
    stamp: int = 0
    opened: int = 0
    asked: int = 0
    reads: int = 0
    before_read: object = None

    def write(self, values):
        self.values = np.asarray(values)
        self.stamp += 1

    def version(self):
        self.asked += 1
        if self.stamp is None:
            raise FileNotFoundError
        return self.stamp

    def read(self, values, window):
        self.reads += 1
        if self.before_read is not None:
            self.before_read()
        return values[window]

    def node(self):
        if self.stamp is None:
            raise FileNotFoundError
        self.opened += 1
        return Array(
            self.values.shape,
            self.values.dtype,
            partial(self.read, self.values),
            (2,),
            ("x",),
            fingerprint=f"source {id(self)}",
            version=self.version,
            as_of=self.stamp,
            reopen=self.node,
        )


@dataclass
class Folder(Mapping):
    """Members that are opened when they are asked for."""

    sources: dict[str, Source] = field(default_factory=dict)

    def __getitem__(self, name):
        return self.sources[name].node()

    def __iter__(self):
        return iter(tuple(self.sources))

    def __len__(self):
        return len(self.sources)

    def group(self):
        return Group(self, consolidate=False, version=lambda: tuple(self.sources))


def grid(view, path):
    """The chunks that there are."""
    keys = [f"{path}/{view.format.chunk_key((index,))}" for index in range(10)]
    return [key for key in keys if view.find(key) is not None]


def shown(view, path):
    return [np.frombuffer(view.content_of(key), "u1").tolist() for key in grid(view, path)]


@FORMATS
def test_a_source_that_is_written_to_is_shown_as_it_is_now(form):
    folder = Folder({"a": Source(np.arange(3, dtype="u1"))})
    view = ZarrView(folder.group(), form, refresh=0)
    assert shown(view, "a") == [[0, 1], [2, 0]]
    first = [view.etag(view.find(key)) for key in grid(view, "a")]
    folder.sources["a"].write(np.arange(5, 10, dtype="u1"))  # longer
    assert shown(view, "a") == [[5, 6], [7, 8], [9, 0]]
    assert {view.etag(view.find(key)) for key in grid(view, "a")}.isdisjoint(first)
    folder.sources["a"].write(np.zeros(1, "u1"))  # shorter: chunks outside are gone
    assert shown(view, "a") == [[0, 0]]
    name = form.names[0].replace("group", "array")
    assert json.loads(view.content_of(f"a/{name}"))["shape"] == [1]
    del folder.sources["a"]
    assert view.find(f"a/{name}") is None
    assert grid(view, "a") == []
    folder.sources["b"] = Source(np.ones(2, "u1"))
    assert view.names("") == (*view.format.document_names(Group())[: 1 + (form.number == 2)], "b/")
    assert shown(view, "b") == [[1, 1]]


@FORMATS
def test_a_folder_opens_what_it_is_asked_for_and_asks_for_versions_once_a_refresh(form):
    folder = Folder({str(index): Source(np.arange(4, dtype="u1")) for index in range(5000)})
    view = ZarrView(folder.group(), form, refresh=1000)
    root = json.loads(view.find(".zgroup" if form.number == 2 else "zarr.json").content)
    assert "consolidated_metadata" not in root
    assert view.find(".zmetadata") is None
    assert len(view.names("")) > 5000
    assert sum(source.opened for source in folder.sources.values()) == 0
    for _ in range(3):
        assert shown(view, "7") == [[0, 1], [2, 3]]
    assert sum(source.opened for source in folder.sources.values()) == 1
    assert (folder.sources["7"].asked, folder.sources["7"].reads) == (3, 2)  # once opened, and after each read


def test_few_opened_members_are_remembered():
    folder = Folder({str(index): Source(np.arange(2, dtype="u1")) for index in range(50)})
    view = ZarrView(folder.group(), V3(), refresh=1000)
    view._tree._opened.most = 10
    for name in [*folder.sources, *list(folder.sources)[-5:]]:
        view.find(f"{name}/c/0")
    assert len(view._tree._opened) == 10
    assert sum(source.opened for source in folder.sources.values()) == 50


@FORMATS
def test_what_changed_while_it_was_read_is_read_once_more_and_never_kept(form):
    source = Source(np.zeros(2, "u1"))
    view = ZarrView(Group({"a": source.node()}), form, refresh=1000)
    key = "a/" + form.chunk_key((0,))

    def once():
        source.before_read = None
        source.write(np.ones(2, "u1"))

    source.before_read = once
    with pytest.raises(Changed):
        view.read(view.find(key))
    assert view.content_of(key) == b"\1\1"
    source.before_read = lambda: source.write(source.values + 1)
    with pytest.raises(Changed, match="changed while it was read"):
        to_store(Group({"a": source.node()}), form.number).get_sync(key)
    assert len(view.cache) == 1


@FORMATS
async def test_tasks_read_what_is_there_now(form):
    source = Source(np.zeros(2, "u1"))
    view = ZarrView(Group({"a": source.node()}), form, refresh=0)
    key = "a/" + form.chunk_key((0,))
    for value in range(4):
        source.write(np.full(2, value, "u1"))
        assert await view.content_at(key) == bytes([value, value])
        assert await view.content_at(key) == bytes([value, value])
    assert source.reads == 4


@FORMATS
def test_arrays_of_one_source_depend_on_its_version_and_those_of_a_folder_do_not(form):
    stamp, values = [1], {"x": np.zeros(2, "u1")}

    def read(window):
        return values["x"][window]

    array = Array((2,), np.dtype("u1"), read, (2,), ("x",), fingerprint="the same")
    file = Group({"a": array}, version=lambda: stamp[0])
    folder_stamp = [1]
    view = ZarrView(Group({"f": file}, version=lambda: folder_stamp[0], consolidate=False), form, refresh=0)
    key = "f/a/" + form.chunk_key((0,))
    assert view.content_of(key) == b"\0\0"
    tag = view.etag(view.find(key))
    folder_stamp[0] = 2  # a file more
    assert view.etag(view.find(key)) == tag
    stamp[0], values["x"] = 2, np.ones(2, "u1")
    assert view.content_of(key) == b"\1\1"
    assert view.etag(view.find(key)) != tag


@FORMATS
def test_a_source_that_cannot_say_what_it_is_is_never_kept(form):
    counter = iter(range(100))
    array = Array((1,), np.dtype("u1"), lambda _: np.array([next(counter)], "u1"), (1,), version=lambda: None)
    view = ZarrView(Group({"a": array}), form)
    key = "a/" + form.chunk_key((0,))
    assert [view.content_of(key) for _ in range(3)] == [b"\0", b"\1", b"\2"]
    assert view.etag(view.find(key)) != view.etag(view.find(key))
    assert len(view.cache) == 0


@FORMATS
def test_documents_of_a_group_follow_the_versions_below_it(form):
    source = Source(np.zeros(2, "u1"))
    view = ZarrView(Group({"g": Group({"a": source.node()}), "fixed": as_node(np.arange(2))}), form, refresh=0)
    name = ".zmetadata" if form.number == 2 else "zarr.json"
    before = view.find(name).content
    assert view.find(name).content is before
    source.write(np.zeros(7, "u1"))
    after = view.find(name).content
    assert b'"shape":[7]' in after
    assert b'"shape":[7]' not in before


@FORMATS
def test_large_groups_are_not_consolidated_but_their_small_ones_are(form):
    array = as_node(np.arange(2))
    small = Group({str(index): array for index in range(CONSOLIDATED - 1)})
    view = ZarrView(Group({"small": small, "large": Group({**small.members, "more": array})}), form)
    name = ".zmetadata" if form.number == 2 else "zarr.json"

    def consolidated(path):
        found = view.find(path + name)
        return found is not None and b"consolidated" in found.content

    assert [consolidated(path) for path in ("", "small/", "large/")] == [False, True, False]
    group = zarr.open_group(to_store(view.root, form.number), mode="r")
    assert len(list(group["large"].keys())) == CONSOLIDATED
    assert group["large/more"][:].tolist() == [0, 1]


@FORMATS
def test_one_member_that_cannot_be_opened_is_named_and_takes_no_other_down(form):
    class Half(dict):
        def __getitem__(self, name):
            if name == "bad":
                msg = "truncated file"
                raise OSError(msg)
            return super().__getitem__(name)

    tree = Group(Half(good=as_node(np.arange(2)), bad=None), {"skipped": {"worse": "no such format"}})
    with pytest.warns(UserWarning, match="/bad is left out: truncated file"):
        group = zarr.open_group(to_store(tree, form.number), mode="r")
    assert list(group.keys()) == ["good"]
    assert group.attrs["skipped"] == {"worse": "no such format", "bad": "truncated file"}


@FORMATS
def test_documents_are_written_once_however_many_ask(form):
    written = []

    class Members(dict):
        def items(self):
            raise AssertionError

        def __iter__(self):
            written.append(1)
            return super().__iter__()

    tree = Group({"g": Group(Members({str(index): as_node(np.arange(2)) for index in range(300)}))})
    view = ZarrView(tree, form)
    written.clear()
    name = ".zattrs" if form.number == 2 else "zarr.json"
    threads = [threading.Thread(target=view.find, args=(f"g/{name}",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(written) == 1


@FORMATS
def test_reads_are_wrapped_without_opening(form):
    folder = Folder({"a": Source(np.arange(4, dtype="u1")), "b": Source(np.arange(4, dtype="u1"))})

    def doubled(read):
        return lambda window: read(window) * 2

    view = ZarrView(with_reads(folder.group(), doubled), form, refresh=0)
    assert [source.opened for source in folder.sources.values()] == [0, 0]
    assert shown(view, "a") == [[0, 2], [4, 6]]
    folder.sources["a"].write(np.ones(2, "u1"))
    assert shown(view, "a") == [[2, 2]]
    assert folder.sources["b"].opened == 0


@FORMATS
def test_a_view_of_a_tree_that_changes_knows_itself_and_keeps_chunks_by_version(form, tmp_path):
    folder = Folder({"a": Source(np.arange(4, dtype="u1"))})
    view = ZarrView(folder.group(), form, refresh=0, cache=TileCache(directory=tmp_path))
    assert not view.is_fixed
    assert view == view  # noqa: PLR0124
    assert view != ZarrView(folder.group(), form)
    named = Group(Folder({}), consolidate=False, fingerprint="/data")
    assert ZarrView(named, form) == ZarrView(named, form)
    assert shown(view, "a") == [[0, 1], [2, 3]]
    again = ZarrView(folder.group(), form, refresh=0, cache=TileCache(directory=tmp_path))
    assert shown(again, "a") == [[0, 1], [2, 3]]
    assert (again.cache.loads, again.cache.computes) == (2, 0)
    folder.sources["a"].write(np.zeros(4, "u1"))
    assert shown(again, "a") == [[0, 0], [0, 0]]
    assert again.cache.computes == 2


def test_views_of_trees_that_change_pickle_as_themselves():
    view = ZarrView(Group({"a": Array((1,), np.dtype("u1"), len, (1,), version=int)}), V3())
    assert pickle.loads(pickle.dumps(view)) == view
