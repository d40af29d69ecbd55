"""zarr's own tests of a Store, run on ours with a writable layer on top, since they write what they read."""

from __future__ import annotations

import pytest
from zarr.core.buffer import cpu
from zarr.testing.store import StoreTests

from mandeldask.zarrview.entries import Document
from mandeldask.zarrview.finding import Finder
from mandeldask.zarrview.formats import V3
from mandeldask.zarrview.nodes import Group
from mandeldask.zarrview.store import ZarrViewStore
from mandeldask.zarrview.view import ZarrView


class WrittenKeys(Finder):
    """The documents that were written to a view, and nothing else."""

    def __init__(self, view):
        self.view = view

    def find(self, key, *, may_open):
        raw = self.view.written.get(key)
        return None if raw is None else Document(raw)

    def names(self, path, *, may_open):
        below = f"{path}/" if path else ""
        parts = (key.removeprefix(below).partition("/") for key in self.view.written if key.startswith(below))
        return tuple(dict.fromkeys(name + slash for name, slash, _ in parts))


class WrittenView(ZarrView):
    """A view whose documents are what was written to it, and nothing else."""

    def __init__(self):
        super().__init__(Group(), V3())
        self.written = {}
        self._finder = WrittenKeys(self)

    @property
    def fingerprint(self):
        return repr(self.written)

    def __reduce__(self):
        return _unpickled, (self.written,)


def _unpickled(written):
    view = WrittenView()
    view.written = written
    return view


class WritableStore(ZarrViewStore):
    """Our store, with the methods that write added for the tests; everything that reads is ours."""

    supports_writes = True
    supports_deletes = True

    def __init__(self, view=None, *, read_only=False):
        super().__init__(WrittenView() if view is None else view, read_only=read_only)

    def with_read_only(self, read_only=False):  # noqa: FBT002  zarr's signature
        return type(self)(self.view, read_only=read_only)

    def __eq__(self, other):
        return super().__eq__(other) and self.read_only == other.read_only

    __hash__ = ZarrViewStore.__hash__

    async def set(self, key, value):
        self._check_writable()
        await self._ensure_open()
        if not isinstance(value, cpu.Buffer):
            msg = f"`value` must be a Buffer instance. Got an instance of {type(value)} instead."
            raise TypeError(msg)
        self.view.written[key] = value.to_bytes()

    async def delete(self, key):
        self._check_writable()
        self.view.written.pop(key, None)

    def set_sync(self, key, value):
        self.view.written[key] = value.to_bytes()

    def delete_sync(self, key):
        self.view.written.pop(key, None)


class TestZarrViewStore(StoreTests[WritableStore, cpu.Buffer]):
    store_cls = WritableStore
    buffer_cls = cpu.Buffer

    async def set(self, store, key, value):
        store.view.written[key] = value.to_bytes()

    async def get(self, store, key):
        return self.buffer_cls.from_bytes(store.view.written[key])

    @pytest.fixture
    def store_kwargs(self):
        return {}

    def test_store_repr(self, store):
        assert repr(store).startswith("WritableStore('zarrview://")

    def test_store_supports_writes(self, store):
        assert store.supports_writes
        assert not ZarrViewStore.supports_writes

    def test_store_supports_listing(self, store):
        assert store.supports_listing
