"""The modules that `import mandeldask` may load; the time is measured by `benchmarks/lazy.py`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    *("numba", "llvmlite", "xarray", "dask", "zarr", "numpy", "starlette"),
    *("uvicorn", "distributed", "matplotlib", "PIL", "typer"),
}
STEPS = {
    "import mandeldask": HEAVY,
    "mandeldask.Pyramid()": {"numba", "xarray", "dask", "zarr"},
    "repr(mandeldask.open_pyramid())": {"numba", "llvmlite", "starlette", "uvicorn"},
    "mandeldask.open_pyramid()._repr_html_()": {"numba", "matplotlib", "distributed"},
    "mandeldask.window('0', '4')": {"numba", "matplotlib", "distributed"},
    "import mandeldask.cli": {"numba"},
    # Query planning's arrays list every block: 52 s for a window of a level with 1024 blocks along an axis.
    "mandeldask.open_pyramid()['45/iterations'].mean()": {"dask_array"},
}
"""What is done one after the other, from light to heavy, and which packages are not loaded by then."""

PROGRAM = """
import json, sys
sys.modules["sparse"] = None  # dask imports it where it is installed, and that imports numba
for step in json.loads(sys.argv[1]):
    exec(step)
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


PATHS = {
    "mandeldask.create_app()": {"dask.array", "numba", "distributed", "matplotlib", "PIL"},
    "mandeldask.window('0', '4', (8, 8), chunks=None).iterations.values": {"dask.array", "dask.base", "starlette"},
}
"""What fresh interpreters do, and which modules are not loaded by then: dask's arrays take 0.4 s, with numba 0.7."""


@pytest.mark.parametrize("path", PATHS)
def test_paths_load_what_they_need(path):
    program = f"import json, sys, mandeldask; {path}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not PATHS[path] & set(json.loads(done.stdout))


@pytest.fixture(scope="module")
def loaded():
    """The top-level packages that a fresh interpreter has loaded after each step."""
    command = [sys.executable, "-c", PROGRAM, json.dumps(list(STEPS))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(zip(STEPS, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("step", STEPS)
def test_what_is_not_used_is_not_loaded(loaded, step):
    assert not STEPS[step] & set(loaded[step])
