"""What `import mandeldask` may load, in modules: seconds depend on the machine (`benchmarks/lazy.py` measures them)."""

import subprocess
import sys

import pytest

HEAVY = (
    *("numba", "llvmlite", "xarray", "dask", "zarr", "numpy", "starlette"),
    *("uvicorn", "distributed", "matplotlib", "PIL", "typer"),
)


def modules_after(program):
    """Return the top-level packages that a fresh interpreter has loaded after `program`.

    Without the package `sparse`: dask imports it where it is installed, and that imports numba.
    """
    before = "import sys; sys.modules['sparse'] = None"
    after = "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    listed = f"{before}\n{program}\n{after}"
    done = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_loads_nothing_heavy():
    assert not modules_after("import mandeldask") & set(HEAVY)


@pytest.mark.parametrize(
    ("program", "unwanted"),
    [
        ("import mandeldask; mandeldask.Pyramid()", {"numba", "xarray", "dask", "zarr"}),
        ("import mandeldask; repr(mandeldask.open_pyramid())", {"numba", "llvmlite", "starlette", "uvicorn"}),
        ("import mandeldask; mandeldask.open_pyramid()._repr_html_()", {"numba", "matplotlib", "distributed"}),
        ("import mandeldask; mandeldask.window('0', '4')", {"numba", "matplotlib", "distributed"}),
        ("import mandeldask.cli", {"numba"}),
    ],
)
def test_what_is_not_used_is_not_loaded(program, unwanted):
    assert not modules_after(program) & unwanted


def test_dask_arrays_stay_the_plain_ones():
    """Query planning's arrays list every block: 52 s for a window of a level with 1024 blocks along an axis."""
    assert "dask_array" not in modules_after("import mandeldask; mandeldask.open_pyramid()['45/iterations'].mean()")
