"""Small files of every format that mandeldask opens, each with the values that its own library reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import imagecodecs
import nibabel
import nrrd
import numpy as np
import tifffile
import xarray as xr
import zarr
from astropy.io import fits
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Sample:
    """A file to write, and what its library reads of it, by path in the tree ("" for the tree itself)."""

    name: str
    write: Callable[[Path], Any]
    read: Callable[[Path], Arrays]


def _random(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "fc":
        return rng.normal(size=shape).astype(dtype)
    return rng.integers(0, 120, shape).astype(dtype)


def _npy(name: str, array: np.ndarray) -> Sample:
    return Sample(name, lambda path: np.save(path, array), lambda path: {"": np.load(path)})


def _npz(name: str, save: Any) -> Sample:
    arrays = {"a": _random((40, 33), ">f4"), "b": np.arange(7)}
    return Sample(name, lambda path: save(path, **arrays), lambda path: dict(np.load(path)))


def _tiff(name: str, array: np.ndarray, **how: Any) -> Sample:
    return Sample(name, lambda path: tifffile.imwrite(path, array, **how), lambda path: {"": tifffile.imread(path)})


def _pyramid(path: Path) -> None:
    image = _random((300, 401), "u2")
    with tifffile.TiffWriter(path) as file:
        file.write(image, subifds=2, tile=(64, 48), compression="zlib", metadata={"axes": "YX"})
        for step in (2, 4):
            file.write(image[::step, ::step], subfiletype=1, tile=(64, 48), compression="zlib")


def _levels(path: Path) -> Arrays:
    with tifffile.TiffFile(path) as file:
        return {str(number): level.asarray() for number, level in enumerate(file.series[0].levels)}


def _two_images(path: Path) -> None:
    with tifffile.TiffWriter(path) as file:
        file.write(_random((30, 40), "u2"))
        file.write(_random((20, 30, 3), "u1"), photometric="rgb")


def _series(path: Path) -> Arrays:
    with tifffile.TiffFile(path) as file:
        return {str(number): series.asarray() for number, series in enumerate(file.series)}


def _picture(name: str, array: np.ndarray, **how: Any) -> Sample:
    def read(path: Path) -> Arrays:
        with Image.open(path) as image:
            return {"": np.asarray(image)}

    return Sample(name, lambda path: Image.fromarray(array).save(path, **how), read)


def _write_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["big"] = _random((50, 33), ">i4")
        file.create_dataset("packed", data=_random((100, 90), "f8"), chunks=(30, 40), compression="gzip", shuffle=True)
        file["group/inner/0d"] = 3.5
        file["truth"] = np.array([True, False, True])
        file["empty"] = np.zeros((0, 3))
        file["half"] = _random((9,), "f2")
        file["complex"] = _random((9,), "c8") + 1j
        file["struct"] = np.array([(1, 2.5), (3, 4.5)], [("i", ">i4"), ("f", ">f8")])
        file["fixed"] = np.array([b"ab", b"c"])


def _read_hdf5(path: Path) -> Arrays:
    found: Arrays = {}

    def visit(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            found[name] = node[()]

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def dataset() -> xr.Dataset:
    """Return a Dataset with what CF has: packing, missing values, times, text, attributes."""
    packed = _random((5, 6, 7), "f4")
    packed[0, 0, 0] = np.nan
    made = xr.Dataset(
        {
            "t": (("time", "y", "x"), packed, {"units": "K", "long_name": "temperature"}),
            "n": (("time",), np.arange(5, dtype="i2")),
            "name": (("y",), np.array(list("abcdef"))),
        },
        coords={
            "time": np.arange("2020-01-01", "2020-01-06", dtype="M8[D]").astype("M8[ns]"),
            "x": np.arange(7.0),
        },
        attrs={"title": "sample", "Conventions": "CF-1.8"},
    )
    made.t.encoding = {"dtype": "i2", "scale_factor": 0.01, "add_offset": 1.0, "_FillValue": -999}
    return made


def _netcdf(name: str, **how: Any) -> Sample:
    def read(path: Path) -> Arrays:
        with xr.open_dataset(path, decode_cf=False, engine="netcdf4") as raw:
            return {str(each): raw[each].values for each in raw.variables if raw[each].dtype.kind not in "OSUT"}

    return Sample(name, lambda path: dataset().to_netcdf(path, **how), read)


def _write_fits(path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = [
        fits.Column("a", "J", array=np.arange(7)),
        fits.Column("s", "5A", array=["ab", "c", "d", "e", "f", "g", "h"]),
        fits.Column("v", "3E", array=rng.random((7, 3))),
        fits.Column("flag", "L", array=[True, False, True, False, True, False, True]),
        fits.Column("scaled", "I", array=np.arange(7)),
    ]
    fits.HDUList(
        [
            fits.PrimaryHDU(rng.integers(0, 65535, (20, 30), dtype="u2")),
            fits.ImageHDU(rng.random((3, 20, 30)).astype("f4"), name="SCI"),
            fits.CompImageHDU(rng.integers(0, 99, (40, 50)).astype("i4"), name="TILED"),
            fits.ImageHDU(np.arange(12, dtype="i2").reshape(3, 4), name="BLANKS"),
            fits.BinTableHDU.from_columns(columns, name="TAB"),
        ]
    ).writeto(path)
    for name, value in (("BSCALE", 0.5), ("BZERO", 3.0), ("BLANK", 5)):
        fits.setval(path, name, value=value, extname="BLANKS")
    for name, value in (("TSCAL5", 0.5), ("TZERO5", 1.0)):
        fits.setval(path, name, value=value, extname="TAB")


def _read_fits(path: Path) -> Arrays:
    with fits.open(path, memmap=False) as file:
        images = {name: np.array(file[name].data) for name in ("PRIMARY", "SCI", "TILED", "BLANKS")}
        table = {f"TAB/{name}": np.array(file["TAB"].data[name]) for name in file["TAB"].columns.names}
    return images | table


def _nifti(name: str, dtype: str, slope: tuple[float, float] | None = None) -> Sample:
    def write(path: Path) -> None:
        kind = nibabel.MGHImage if name.endswith((".mgz", ".mgh")) else nibabel.Nifti1Image
        image = kind(_random((10, 11, 12, 2), dtype), np.eye(4))
        if slope:
            image.header.set_slope_inter(*slope)
        nibabel.save(image, path)

    return Sample(name, write, lambda path: {"": np.asarray(nibabel.load(path).dataobj)})


def _nrrd(name: str, dtype: str, **header: Any) -> Sample:
    return Sample(
        name,
        lambda path: nrrd.write(str(path), _random((5, 6, 7), dtype), header),
        lambda path: {"": nrrd.read(str(path))[0]},
    )


def _zarr(name: str, number: int, **how: Any) -> Sample:
    def write(path: Path) -> None:
        target = zarr.storage.ZipStore(path, mode="w") if name.endswith(".zip") else path
        group = zarr.open_group(target, mode="w", zarr_format=number)
        group.create_array("a", data=_random((50, 33), "i4"), chunks=(20, 20), **how)
        group.create_group("g").create_array("b", data=_random((9,), "f4"), chunks=(4,))
        if name.endswith(".zip"):
            target.close()

    def read(path: Path) -> Arrays:
        source = zarr.storage.ZipStore(path, mode="r") if name.endswith(".zip") else path
        group = zarr.open_group(source, mode="r")
        return {"a": group["a"][:], "g/b": group["g/b"][:]}

    return Sample(name, write, read)


_RGB = _random((60, 71, 3), "u1")

SAMPLES = [
    _npy("c.npy", _random((30, 41, 7), "f4")),
    _npy("fortran.npy", np.asfortranarray(_random((30, 41, 7), "i2"))),
    _npy("big.npy", _random((30, 41), ">f8")),
    _npy("struct.npy", np.array([(1, 2.5), (3, 4.5)], [("i", ">i4"), ("f", ">f8")])),
    _npy("scalar.npy", np.float32(3.5)),
    _npy("empty.npy", np.zeros((0, 3), "i4")),
    _npz("stored.npz", np.savez),
    _npz("packed.npz", np.savez_compressed),
    _zarr("v2.zarr", 2),
    _zarr("v3.zarr", 3),
    _zarr("sharded.zarr", 3, shards=(40, 40)),
    _zarr("v3.zarr.zip", 3),
    _tiff("plain.tif", _random((60, 71), "u2")),
    _tiff("big.tif", _random((60, 71), "u2"), byteorder=">"),
    _tiff("big_packed.tif", _random((60, 71), "f4"), byteorder=">", compression="zlib", predictor=True),
    _tiff("tiled.tif", _random((100, 141), "u2"), tile=(64, 48), compression="zlib"),
    _tiff("strips.tif", _random((60, 71), "u2"), rowsperstrip=7, compression="lzw"),
    _tiff("rgb.tif", _RGB, photometric="rgb", tile=(32, 32), compression="jpeg"),
    _tiff("planar.tif", np.moveaxis(_RGB, -1, 0), photometric="rgb", planarconfig="separate", tile=(32, 32)),
    _tiff("stack.tif", _random((5, 30, 40), "u1"), compression="zlib"),
    _tiff("volume.tif", _random((8, 64, 64), "u1"), volumetric=True, tile=(4, 32, 32), compression="zlib"),
    _tiff("bits.tif", _random((60, 71), "u1") > 60, compression="packbits"),
    _tiff("imagej.tif", _random((2, 3, 4, 20, 30), "f4"), imagej=True, metadata={"axes": "TZCYX"}),
    _tiff("five.ome.tif", _random((2, 3, 4, 20, 30), "u2"), tile=(16, 16), metadata={"axes": "TCZYX"}),
    Sample("pyramid.ome.tif", _pyramid, _levels),
    Sample("two.tif", _two_images, _series),
    _picture("rgb.png", _RGB),
    _picture("grey16.png", _random((60, 71), "u2")),
    _picture("bits.png", _random((60, 71), "u1") > 60),
    _picture("rgb.jpg", _RGB),
    _picture("rgb.webp", _RGB, lossless=True),
    _picture("rgb.bmp", _RGB),
    Sample(
        "rgb16.png",
        lambda path: path.write_bytes(imagecodecs.png_encode(_RGB.astype("u2") * 300)),
        lambda path: {"": imagecodecs.png_decode(path.read_bytes())},
    ),
    Sample("all.h5", _write_hdf5, _read_hdf5),
    _netcdf("four.nc", engine="h5netcdf", unlimited_dims=["time"]),
    _netcdf("c.nc4", engine="netcdf4"),
    _netcdf("classic.nc", format="NETCDF3_CLASSIC", unlimited_dims=["time"]),
    _netcdf("offsets.nc", format="NETCDF3_64BIT"),
    Sample("all.fits", _write_fits, _read_fits),
    _nifti("scaled.nii", "i2", (0.5, 1.0)),
    _nifti("big.nii", ">f8"),
    _nifti("packed.nii.gz", "u1"),
    _nifti("brain.mgz", "f4"),
    _nrrd("raw.nrrd", "i2", encoding="raw"),
    _nrrd("big.nrrd", ">i4", encoding="raw", endian="big"),
    _nrrd("packed.nrrd", "f4", encoding="gzip"),
]
