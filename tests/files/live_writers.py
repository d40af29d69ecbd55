"""Writers of one image in every format, all elements of one value, and how each file is changed under its readers."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import h5py
import nibabel
import nrrd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tifffile
import xarray as xr
import zarr
from astropy.io import fits
from PIL import Image
from pyarrow import feather
from scipy.io import netcdf_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHAPE = 200, 150


def filled(value, shape=SHAPE):
    return np.full(shape, value, "i2")


def _hdf5(path, array):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=array, chunks=(50, 50), compression="gzip")


def _netcdf3(path, array):
    with netcdf_file(path, "w") as file:
        for name, size in zip("yx", array.shape, strict=True):
            file.createDimension(name, size)
        file.createVariable("x", "i2", ("y", "x"))[:] = array


def _netcdf4(path, array):
    xr.Dataset({"x": (("y", "c"), array)}).to_netcdf(path, engine="h5netcdf")


def _zarr(zarr_format):
    def write(path, array):
        shutil.rmtree(path, ignore_errors=True)
        zarr.create_array(path, data=array, chunks=(50, 50), zarr_format=zarr_format, overwrite=True)

    return write


def _zarr_zip(path, array):
    with zarr.storage.ZipStore(path, mode="w") as store:
        zarr.create_array(store, data=array, chunks=(50, 50))


def _picture(path, array):
    Image.fromarray(array.astype("u1")).save(path)


def _column(write):
    return lambda path, array: write(pa.table({"x": array.ravel()}), path)


WRITERS: dict[str, tuple[str, Callable[[Path, np.ndarray], object]]] = {
    "a.npy": ("", np.save),
    "a.npz": ("x", lambda path, array: np.savez_compressed(path, x=array)),
    "a.h5": ("x", _hdf5),
    "a.nc": ("x", _netcdf3),
    "b.nc": ("x", _netcdf4),
    "a.zarr": ("", _zarr(3)),
    "b.zarr": ("", _zarr(2)),
    "a.zarr.zip": ("", _zarr_zip),
    "a.tif": ("", lambda path, array: tifffile.imwrite(path, array, tile=(64, 64), compression="zlib")),
    "a.ome.tif": ("", lambda path, array: tifffile.imwrite(path, array, metadata={"axes": "YX"})),
    "a.png": ("", _picture),
    "a.jpg": ("", _picture),
    "a.csv": ("x", lambda path, array: np.savetxt(path, array.ravel(), "%d", header="x", comments="")),
    "a.parquet": ("x", _column(pq.write_table)),
    "a.feather": ("x", _column(feather.write_feather)),
    "a.fits": ("", lambda path, array: fits.PrimaryHDU(array).writeto(path, overwrite=True)),
    "a.nii": ("", lambda path, array: nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)),
    "a.nii.gz": ("", lambda path, array: nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)),
    "a.nrrd": ("", lambda path, array: nrrd.write(str(path), array)),
}
"""Name of the file: path of its array within it, and what writes it."""


@dataclass(frozen=True)
class Writer:
    """Changes one file."""

    path: Path

    def __call__(self, value, shape=SHAPE):
        """Write it in place."""
        WRITERS[self.path.name][1](self.path, filled(value, shape))

    def replace(self, value, shape=SHAPE):
        """Write another file and rename it over this one."""
        other = self.path.with_name(f".other-{self.path.name}")
        WRITERS[self.path.name][1](other, filled(value, shape))
        if other.is_dir():
            shutil.rmtree(self.path)
        other.rename(self.path)

    def delete(self):
        """Remove it."""
        shutil.rmtree(self.path) if self.path.is_dir() else self.path.unlink()

    def truncate(self):
        """Cut it in half; of a folder, every file."""
        files = [each for each in self.path.rglob("*") if each.is_file()] if self.path.is_dir() else [self.path]
        for each in files:
            os.truncate(each, each.stat().st_size // 2)

    def append(self, value):
        """Add as much again below what is there, in place where the format can."""
        more = filled(value)
        if self.path.name == "a.h5":
            self._grow_hdf5(more)
        elif self.path.suffix == ".zarr":
            zarr.open_array(self.path, mode="r+").append(more)
        elif self.path.suffix == ".csv":
            with self.path.open("a") as file:
                np.savetxt(file, more.ravel(), "%d")
        else:
            self(value, (2 * SHAPE[0], SHAPE[1]))

    def _grow_hdf5(self, more):
        with h5py.File(self.path, "r+") as file:  # as one that locks
            del file["x"]
            file.create_dataset("x", data=np.concatenate([more, more]), chunks=(50, 50), compression="gzip")
