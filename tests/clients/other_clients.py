"""Clients that are not part of the tests, tried on a running server: `make other-clients`.

They need packages of their own, so `make` installs them into an environment of its own. Each opens a small pyramid of
the set and the levels of a grid, in both formats. The coarsest level of the set must be what zarr-python reads, that of
the grid what numpy makes of the array.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
import zarr

LEVELS = 8


def main(command):
    """Print a table of clients and formats; exit with 1 if one reads something else."""
    warnings.simplefilter("ignore")
    outcomes = []
    with serving(command, "--levels", str(LEVELS)) as urls:
        for zarr_format, url in urls.items():
            counts = zarr.open_array(f"{url}/{LEVELS - 1}/iterations", mode="r")[...]
            outcomes += table(zarr_format, "the set", url, f"{LEVELS - 1}/iterations", counts)
    with tempfile.TemporaryDirectory() as folder:
        grid = np.random.default_rng(0).integers(0, 2**16, (1600, 2000), np.uint16)
        zarr.create_group(Path(folder) / "made.zarr").create_array(
            "grid", data=grid, chunks=(400, 500), dimension_names=("lat", "lon")
        )
        means = np.round(grid.reshape(400, 4, 500, 4).mean((1, 3)))
        with serving(command, str(Path(folder) / "made.zarr")) as urls:
            for zarr_format, url in urls.items():
                levels = url.replace(f"/{zarr_format}/", f"/{zarr_format}/images/") + "/grid.zarr"
                outcomes += table(zarr_format, "a grid", levels, "2/image", means)
    return int(set(outcomes) != {"ok"})


def table(zarr_format, shown, url, coarsest, expected):
    """Print a row for each client, and yield what came of it."""
    for package, read in CLIENTS.items():
        outcome = tried(read, url, coarsest, expected)
        print(f"{package:16} {version(package):10} {zarr_format}  {shown:8} {outcome}", flush=True)  # noqa: T201
        yield outcome


def tried(read, url, coarsest, expected):
    """Return "ok", or what went wrong."""
    try:
        return "ok" if np.array_equal(np.squeeze(read(url, coarsest)), expected) else "other pixels"
    except Exception as error:  # noqa: BLE001  clients may raise anything
        return f"{type(error).__name__}: {str(error)[:80]}"


@contextmanager
def serving(command, *arguments):
    """Run a server; give the URLs of its tree by format."""
    arguments = [command, "serve", "--port", "0", *arguments]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        urls = {}
        for line in process.stdout:
            if line.strip().startswith("Zarr v"):
                urls[line.split()[1]] = line.split()[-1]
            if line.startswith("Ctrl-C"):
                break
        try:
            yield urls
        finally:
            process.terminate()


def ome_zarr(url, _):
    """ome-zarr-py, on which the plugin of napari rests."""
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    return np.asarray(next(iter(Reader(parse_url(url))())).data[-1])


def napari(url, _):
    """What the plugin of napari gives to its viewer."""
    from napari_ome_zarr import napari_get_reader

    return np.asarray(napari_get_reader(url)(url)[0][0][-1])


def ngff_zarr(url, _):
    """ngff-zarr, with its validator."""
    from ngff_zarr import from_ngff_zarr

    return np.asarray(from_ngff_zarr(url, validate=True).images[-1].data)


def bioio(url, _):
    """bioio with bioio-ome-zarr."""
    import bioio_ome_zarr
    from bioio import BioImage

    image = BioImage(url, reader=bioio_ome_zarr.Reader)
    image.set_resolution_level(max(image.resolution_levels))
    return image.data


def gdal(url, coarsest):
    """GDAL 3.12 and newer, by rasterio; it takes one array."""
    import rasterio

    with rasterio.open(f'ZARR:"/vsicurl/{url}/{coarsest}"') as dataset:
        return dataset.read(1)


CLIENTS = {
    "ome-zarr": ome_zarr,
    "napari-ome-zarr": napari,
    "ngff-zarr": ngff_zarr,
    "bioio-ome-zarr": bioio,
    "rasterio": gdal,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
