"""What an installed mandeldask must do: the core, and each extra that is named.

python .ci/smoke.py [extra ...]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import numpy as np
import zarr

import mandeldask as md


def core() -> None:
    """Compute one tile, read it through a store, write it out."""
    tree = md.open_pyramid(levels=2, tilesize=16, maxiter=50)
    counts = tree["1/iterations"].compute().values
    assert counts.shape == (32, 32)
    assert counts.max() == 50
    for zarr_format in (2, 3):
        shown = zarr.open_group(md.to_store(tree, zarr_format), mode="r")["1/iterations"]
        assert np.array_equal(shown[...], counts)
    with tempfile.TemporaryDirectory() as folder:
        written = md.export(tree, Path(folder) / "set.zarr", progress=False)
        assert written.complete
        assert md.verify(Path(folder) / "set.zarr", sample=None, progress=False).ok


def cli() -> None:
    """Ask the command for its version."""
    command = [Path(sys.executable).with_name("mandeldask"), "--version"]
    assert md.__version__ in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def render() -> None:
    """Draw a picture."""
    assert md.render(md.window("0", "4", (8, 8), maxiter=50).iterations).size == (8, 8)


def serve() -> None:
    """Serve a tile and the page."""
    tree = md.open_pyramid(levels=2, tilesize=16, maxiter=50)
    with md.serve(tree, background=True) as server:
        for url in (server.url("v3") + "/zarr.json", server.url("v3") + "/1/iterations/c/0/0"):
            with urllib.request.urlopen(url) as reply:
                assert reply.status == 200


def files() -> None:
    """Show a file."""
    import h5py  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        with h5py.File(Path(folder) / "ramp.h5", "w") as file:
            file["ramp"] = np.arange(5)
        shown = zarr.open_group(md.to_store(md.open_path(Path(folder))), mode="r")
        assert shown["ramp.h5/ramp"][:].tolist() == [0, 1, 2, 3, 4]


def tables() -> None:
    """Show a table."""
    import pandas as pd  # noqa: PLC0415

    table = pd.DataFrame({"period": [1, 2, 3], "kind": ["cardioid", "disc", "cardioid"]})
    assert zarr.open_group(md.to_store(table), mode="r")["period"][:].tolist() == [1, 2, 3]


def sparse() -> None:
    """Show a sparse array."""
    import scipy.sparse  # noqa: PLC0415

    shown = zarr.open_group(md.to_store({"eye": scipy.sparse.eye_array(3)}), mode="r")["eye"]
    assert np.array_equal(shown[...], np.eye(3))


def astro() -> None:
    """Show a FITS file."""
    from astropy.io import fits  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sky.fits"
        fits.PrimaryHDU(np.arange(6, dtype="int16").reshape(2, 3)).writeto(path)
        assert [array[...].tolist() for _, array in arrays(path)] == [[[0, 1, 2], [3, 4, 5]]]


def neuro() -> None:
    """Show a NIfTI and a NRRD file."""
    import nibabel  # noqa: PLC0415
    import nrrd  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        values = np.arange(24, dtype="int16").reshape(2, 3, 4)
        nibabel.Nifti1Image(values, np.eye(4)).to_filename(Path(folder) / "brain.nii")
        nrrd.write(str(Path(folder) / "cube.nrrd"), values)
        for name in ("brain.nii", "cube.nrrd"):
            shown = [array[...] for _, array in arrays(Path(folder) / name)]
            assert any(np.array_equal(np.sort(each.ravel()), values.ravel()) for each in shown), name


def arrays(path: Path) -> list[tuple[str, zarr.Array]]:
    """Return the arrays of a file."""
    tree = md.open_path(path)
    shown = zarr.open(md.to_store(tree), mode="r")
    return (
        [("", shown)]
        if isinstance(shown, zarr.Array)
        else list(shown.arrays())
        or [(name, node) for name, node in shown.members(max_depth=None) if isinstance(node, zarr.Array)]
    )


def remote() -> None:
    """Read a server by URL."""
    tree = md.open_pyramid(levels=2, tilesize=16, maxiter=50)
    with md.serve(tree, background=True) as server:
        counts = zarr.open_array(server.url("v3") + "/1/iterations", mode="r")[...]
    assert counts.shape == (32, 32)


def s3() -> None:
    """Name a bucket; nothing is asked of it."""
    import fsspec  # noqa: PLC0415

    assert fsspec.filesystem("s3", anon=True).protocol[0] == "s3"


def cluster() -> None:
    """Compute a tile on a cluster of this process."""
    from distributed import Client  # noqa: PLC0415

    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None):
        assert md.window("0", "4", (16, 16), maxiter=50).iterations.compute().max() == 50


def depth() -> None:
    """Compute deep, with gmpy2."""
    import gmpy2  # noqa: F401, PLC0415

    assert md.window("1j", "1e-400", (4, 4), maxiter=100).iterations.compute().shape == (4, 4)


def notebook() -> None:
    """Show an array as a notebook's cell does."""
    viewer = md.view(np.zeros((3, 4)))
    assert viewer.page == "/browse/data"
    viewer.close()


if __name__ == "__main__":
    core()
    for extra in sys.argv[1:]:
        globals()[extra]()
    tried = " ".join(["core", *sys.argv[1:]])
    print(f"mandeldask {md.__version__}: {tried} on Python {sys.version.split()[0]}, zarr {zarr.__version__}")
