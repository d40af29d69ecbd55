"""Clients that are not part of the tests, tried on a running server: `make other-clients`.

They need packages of their own, so `make` installs them into an environment of its own. Each opens a small pyramid in
both formats; its coarsest level must be what zarr-python reads.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from contextlib import contextmanager
from importlib.metadata import version

import numpy as np
import zarr

LEVELS = 8


def main(command):
    """Print a table of clients and formats; exit with 1 if one reads something else."""
    warnings.simplefilter("ignore")
    failed = False
    with serving(command) as urls:
        for zarr_format, url in urls.items():
            counts = zarr.open_array(f"{url}/{LEVELS - 1}/iterations", mode="r")[...]
            for package, read in CLIENTS.items():
                outcome = tried(read, url, counts)
                failed |= outcome != "ok"
                print(f"{package:16} {version(package):10} {zarr_format}  {outcome}", flush=True)  # noqa: T201  its table
    return int(failed)


def tried(read, url, counts):
    """Return "ok", or what went wrong."""
    try:
        return "ok" if np.array_equal(np.squeeze(read(url)), counts) else "other pixels"
    except Exception as error:  # noqa: BLE001  clients raise what they like
        return f"{type(error).__name__}: {str(error)[:80]}"


@contextmanager
def serving(command):
    """Run a server of a pyramid with few levels; give its URLs by format."""
    arguments = [command, "serve", "--port", "0", "--levels", str(LEVELS)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        urls = {}
        for line in process.stdout:
            if line.startswith("Zarr v"):
                urls[line.split()[1]] = line.split()[-1]
            if line.startswith("Ctrl-C"):
                break
        try:
            yield urls
        finally:
            process.terminate()


def ome_zarr(url):
    """ome-zarr-py, on which the plugin of napari rests."""
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    return np.asarray(next(iter(Reader(parse_url(url))())).data[-1])


def napari(url):
    """What the plugin of napari gives to its viewer."""
    from napari_ome_zarr import napari_get_reader

    return np.asarray(napari_get_reader(url)(url)[0][0][-1])


def ngff_zarr(url):
    """ngff-zarr, with its validator."""
    from ngff_zarr import from_ngff_zarr

    return np.asarray(from_ngff_zarr(url, validate=True).images[-1].data)


def bioio(url):
    """bioio with bioio-ome-zarr."""
    import bioio_ome_zarr
    from bioio import BioImage

    image = BioImage(url, reader=bioio_ome_zarr.Reader)
    image.set_resolution_level(LEVELS - 1)
    return image.data


def gdal(url):
    """GDAL 3.12 and newer, by rasterio; it takes one array."""
    import rasterio

    with rasterio.open(f'ZARR:"/vsicurl/{url}/{LEVELS - 1}/iterations"') as dataset:
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
