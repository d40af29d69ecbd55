"""Canaries: private names of other packages still exist, with the same meaning.

If one fails, read what the package changed and fix its module in `mandeldask/internals`, which alone uses the name.
"""

from __future__ import annotations

import ast
import asyncio
import functools
import inspect
import json
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import dask
import dask.array as da
import dask.threaded
import numba
import numpy as np
import pytest
import xarray as xr
import zarr
from dask._expr import Expr
from dask.callbacks import Callback
from zarr.codecs import GzipCodec
from zarr.storage import LocalStore, MemoryStore, ZipStore

import mandeldask
from mandeldask.internals import (
    dask_names,
    dask_pools,
    module_names,
    nrrd_names,
    numba_names,
    uvicorn_names,
    xarray_names,
    xarray_zarr_names,
    zarr_names,
    zarrs_names,
)

ROOT = Path(mandeldask.__file__).parent
PRIVATE = re.compile(
    r"zarr\.(core|codecs\._)|xarray\.(core|conventions|backends\.zarr)|uvicorn\.(protocols|supervisors)"
    r"|numba\.(core|extending)|llvmlite|zarrs\._"
)
MODULES = (dask_names, dask_pools, numba_names, uvicorn_names, xarray_names, xarray_zarr_names, zarr_names)


def outside():
    return [path for path in sorted(ROOT.rglob("*.py")) if path.parent.name != "internals"]


def test_only_internals_imports_private_names():
    found = []
    for path in outside():
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found += [f"{path.relative_to(ROOT)}: {name}" for name in names if PRIVATE.match(name)]
    assert not found


def test_only_internals_reads_private_attributes_of_others():
    allowed = {
        "flights.py": "the other half of a seat",
        "lazy/index.py": "the same class",
        "zarrview/view.py": "the same class",
    }
    found = {str(path.relative_to(ROOT)) for path in outside() if "SLF001" in path.read_text()}
    assert found <= set(allowed)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_names_are_there(module):
    for name in getattr(module, "__all__", ()):
        assert getattr(module, name) is not None


def test_a_codec_encodes_in_this_thread_what_its_public_method_does():
    spec = SimpleNamespace(prototype=zarr_names.default_buffer_prototype())
    buffer = zarr_names.default_buffer_prototype().buffer.from_bytes(b"abc" * 100)
    codec = GzipCodec(level=1)
    done = zarr_names.encode_in_this_thread(codec, buffer, spec)
    decoded = asyncio.run(codec._decode_single(done, spec))
    assert decoded.to_bytes() == b"abc" * 100


def test_a_zip_store_that_is_opened_can_be_read(tmp_path):
    store = zarr_names.opened(ZipStore(tmp_path / "a.zip", mode="w"))
    assert zarr_names.sync(store.get("a", zarr_names.default_buffer_prototype())) is None
    store.close()


def test_zarrs_writes_a_chunk_under_a_key_and_leaves_those_of_the_fill_value_out(tmp_path):
    array = zarr.create_array(MemoryStore(), shape=(4, 4), chunks=(4, 4), dtype="u1", compressors=None)
    pipeline = zarrs_names.pipeline_of(json.dumps(array.metadata.to_dict()), LocalStore(tmp_path))
    zarrs_names.store_chunk(pipeline, "mixed", np.arange(16, dtype="u1").reshape(4, 4))
    zarrs_names.store_chunk(pipeline, "zeros", np.zeros((4, 4), "u1"))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("mixed", bytes(range(16)))]


def test_xarray_keeps_lazy_content_as_it_is():
    content = xarray_names.LazilyIndexedArray(np.zeros(3))
    assert xarray_names.content_of(xarray_names.as_it_is(("x",), content)) is content
    assert type(content).__module__ == module_names.LAZY_MODULE


def test_xarray_encodes_missing_values():
    encoded = xarray_zarr_names.FillValueCoder.encode(-1.5, np.dtype("f8"))
    assert xarray_zarr_names.FillValueCoder.decode(encoded, np.dtype("f8")) == -1.5
    assert xarray_zarr_names.encode_zarr_attr_value(np.float64(1)) == 1.0
    dims = ("x",), [1.5]
    assert xarray_zarr_names.encode_zarr_variable(xr.Variable(*dims)).dims == ("x",)
    variables, _ = xarray_zarr_names.encode_dataset_coordinates(xr.Dataset({"a": dims}, {"x": [0]}))
    assert set(variables) == {"a", "x"}


def test_dask_says_how_many_tasks_are_left_and_what_blocks_are():
    counted = []
    with Callback(start_state=lambda _, state: counted.append(dask_names.tasks_left(state))):
        dask.delayed(sum)([1, 2]).compute(scheduler="synchronous")
    assert counted == [1]
    assert isinstance(dask_names.example_of(da.zeros(3)), np.ndarray)


def test_dask_says_which_threads_compute_for_the_main_one():
    main, used = threading.main_thread(), set()
    with ThreadPoolExecutor(1) as pool:
        for options in ({}, {"num_workers": 2}, {"pool": pool}):
            with dask.config.set(scheduler="threads", **options):
                used.add(dask.delayed(threading.current_thread)().compute())
                assert used <= dask_pools.pool_threads(main)
    assert len(used) == 3


def test_the_threaded_scheduler_computes_graphs_by_one_function(monkeypatch):
    seen = []
    monkeypatch.setattr(dask.threaded, "get_async", dask.threaded.get_async)
    dask_pools.wrap_threaded_scheduler(lambda compute: lambda *args, **kept: seen.append(1) or compute(*args, **kept))
    assert dask.delayed(sum)([1, 2]).compute(scheduler="threads") == 3
    assert int(da.ones(2, chunks=1).sum().compute()) == 2
    assert len(seen) == 2


def test_dask_has_no_other_locks_of_expressions():
    name = inspect.getattr_static(Expr, "_name")
    assert isinstance(name, functools.cached_property)
    if hasattr(name, "lock"):  # Python 3.11
        held = name.lock
        with held:
            dask_pools.renew_expression_locks()
            assert name.lock is not held
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(lambda: name.lock.acquire(blocking=False) and not name.lock.release()).result()


def test_distributed_says_what_a_worker_knows_of_a_task():
    state = pytest.importorskip("distributed.worker_state_machine").WorkerState
    assert "tasks" in inspect.signature(state).parameters or hasattr(state, "tasks") or "tasks" in state.__annotations__
    worker = SimpleNamespace(state=SimpleNamespace(tasks={"a": 1}))
    assert (dask_names.task_of(worker, "a"), dask_names.task_of(worker, "b")) == (1, None)


def test_numba_keeps_compiled_kernels(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    compiled = numba.njit(no_cfunc_wrapper=True)(_doubled)
    kept, context = numba_names.FunctionCache(_doubled), compiled.targetctx
    numba_names.keep_compiled(compiled, kept)
    assert compiled(3) == 6
    assert numba_names.load_compiled(kept, compiled.signatures[0], context) is not None
    assert numba_names.load_compiled(kept, (numba.float32,), context) is None


def _doubled(x):
    return 2 * x


def test_uvicorn_has_what_our_protocol_and_workers_override():
    protocol = uvicorn_names.HttpToolsProtocol
    for method in ("data_received", "on_headers_complete", "on_response_complete", "connection_lost", "shutdown"):
        assert callable(getattr(protocol, method))
    assert uvicorn_names.STATUS_LINE[200].startswith(b"HTTP/1.1 200 ")
    workers = uvicorn_names.Multiprocess
    assert callable(workers.init_processes)
    assert "should_exit" in inspect.getsource(workers.__init__)


def test_pynrrd_has_the_types_of_numpy():
    assert {name: np.dtype(nrrd_names.numpy_types()[name]).str[1:] for name in ("uint8", "short", "double")} == {
        "uint8": "u1",
        "short": "i2",
        "double": "f8",
    }


def test_python_calls_what_is_registered_before_it_waits_for_threads():
    program = """
import threading
from mandeldask.internals.python_names import before_threads_end
ends = threading.Event()
threading.Thread(target=ends.wait).start()
before_threads_end(ends.set)
"""
    subprocess.run([sys.executable, "-c", program], timeout=60, check=True)
