"""File formats: detect the format of a file and open it.

The suffix of a file suggests a format, and its first bytes decide. Other packages add formats with the entry point
`mandeldask.files`.
"""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from mandeldask.files.flat import pread
from mandeldask.files.stamps import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from mandeldask.files.stamps import Source

log = logging.getLogger(__name__)

HEAD = 1024
"""Number of bytes at the start of a file that identify its format."""

GROUP = "mandeldask.files"
"""Group of entry points for formats."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format of files."""

    name: str
    """Its usual name."""
    suffixes: tuple[str, ...]
    """Suffixes of file names, in lower case, with their dots."""
    open: Callable[[Source], Any]
    """Returns the tree of a file, of any kind that `as_node` accepts. It reads only the header."""
    magic: Callable[[bytes], bool] | None = None
    """Returns whether the first `HEAD` bytes are of this format; None if the format has no signature."""
    extra: str = "files"
    """The extra of this package that installs its libraries."""

    def claims(self, name: str) -> bool:
        """Return whether the name of a file has a suffix of this format."""
        return name.lower().endswith(self.suffixes)


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens files with the function of a module that is imported at the first use."""

    module: str
    """Name of a module of `mandeldask.files.kinds`."""
    function: str = "opened"
    """Name of the function, which takes a Source."""

    def __call__(self, source: Source) -> Any:
        """Return the tree of a file."""
        return getattr(import_module(f"mandeldask.files.kinds.{self.module}"), self.function)(source)


@dataclass(frozen=True, slots=True)
class Starts:
    """Returns whether a header has one of these byte strings at an offset."""

    beginnings: tuple[bytes, ...]
    """The byte strings."""
    offset: int = 0
    """The offset."""

    def __call__(self, head: bytes) -> bool:
        """Return whether `head` has one of them."""
        return head[self.offset :].startswith(self.beginnings)


def _webp(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def _hdf5(head: bytes) -> bool:
    """Return whether an HDF5 superblock is at 0 or 512; it can also be after a user block of any power of two."""
    return any(head[at : at + 8] == b"\x89HDF\r\n\x1a\n" for at in (0, 512))


def _nifti(head: bytes) -> bool:
    return head[344:348] in {b"n+1\0", b"ni1\0"} or head[4:8] in {b"n+2\0", b"ni2\0"}


def _nifti_or_gzip(head: bytes) -> bool:
    return _nifti(head) or _nifti(_unpacked(head))


def _mgh_or_gzip(head: bytes) -> bool:
    return _MGH(head) or _MGH(_unpacked(head))


def _unpacked(head: bytes) -> bytes:
    """Return the first bytes of gzip data, decompressed."""
    if not head.startswith(b"\x1f\x8b"):
        return b""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, HEAD)
    except zlib.error:
        return b""


_MGH = Starts((b"\0\0\0\1",))
_TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".svs", ".ndpi", ".lsm", ".stk", ".scn", ".qptiff")
_ZIP = Starts((b"PK\x03\x04", b"PK\x05\x06"))

BUILT_IN: tuple[Format, ...] = (
    Format("NPY", (".npy",), Opener("npy"), Starts((b"\x93NUMPY",))),
    Format("NPZ", (".npz",), Opener("npz"), _ZIP),
    Format("HDF5", (".h5", ".hdf5", ".hdf", ".he5", ".h5ad", ".nxs"), Opener("hdf5"), _hdf5),
    Format("NetCDF-4", (".nc", ".nc4", ".cdf", ".netcdf"), Opener("hdf5"), _hdf5),
    Format("NetCDF-3", (".nc", ".nc3", ".cdf", ".netcdf"), Opener("netcdf3"), Starts((b"CDF\1", b"CDF\2", b"CDF\5"))),
    Format("TIFF", _TIFF_SUFFIXES, Opener("tiff"), Starts((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))),
    Format("PNG", (".png",), Opener("pictures"), Starts((b"\x89PNG\r\n\x1a\n",))),
    Format("JPEG", (".jpg", ".jpeg", ".jpe"), Opener("pictures"), Starts((b"\xff\xd8\xff",))),
    Format("WebP", (".webp",), Opener("pictures"), _webp),
    Format("GIF", (".gif",), Opener("pictures"), Starts((b"GIF87a", b"GIF89a"))),
    Format("BMP", (".bmp",), Opener("pictures"), Starts((b"BM",))),
    Format("CSV", (".csv",), Opener("csv")),
    Format("TSV", (".tsv", ".tab"), Opener("csv", "opened_tsv")),
    Format("Parquet", (".parquet", ".pq"), Opener("parquet"), Starts((b"PAR1",))),
    Format("Arrow", (".arrow", ".feather", ".ipc"), Opener("arrow"), Starts((b"ARROW1",))),
    Format("FITS", (".fits", ".fit", ".fts"), Opener("fits"), Starts((b"SIMPLE  =",)), "astro"),
    Format("NIfTI", (".nii", ".nii.gz"), Opener("nifti"), _nifti_or_gzip, "neuro"),
    Format("MGH", (".mgh", ".mgz"), Opener("nifti"), _mgh_or_gzip, "neuro"),
    Format("NRRD", (".nrrd",), Opener("nrrd_files"), Starts((b"NRRD000",)), "neuro"),
    Format("Zarr (zip)", (".zarr.zip", ".zip"), Opener("zarr_stores", "opened_zip"), _ZIP),
)
"""The formats of this package."""


@cache
def formats() -> tuple[Format, ...]:
    """Return the formats of this package and of other packages, which come first."""
    added = []
    for entry in entry_points(group=GROUP):
        try:
            loaded = entry.load()
        except Exception:
            log.exception("the entry point %s of %s cannot be loaded", entry.name, GROUP)
            continue
        if isinstance(loaded, Format):
            added.append(loaded)
        else:
            log.error("the entry point %s of %s is not a Format", entry.name, GROUP)
    return (*added, *BUILT_IN)


@cache
def _suffixes() -> tuple[str, ...]:
    return tuple({suffix for each in formats() for suffix in each.suffixes})


def claimed(name: str) -> bool:
    """Return whether a format has the suffix of this name."""
    return name.lower().endswith(_suffixes())


def format_of(source: Source, name: str) -> Format:
    """Return the format of a file.

    Raises
    ------
    Unreadable
        If it has no bytes, or is of no known format.
    """
    if not source.stamp.size:
        msg = "it has no bytes"
        raise Unreadable(msg)
    head = bytes(pread(source.path, 0, min(HEAD, source.stamp.size)))
    by_name = [each for each in formats() if each.claims(name)]
    for each in by_name:
        if each.magic is None or each.magic(head):
            return each
    for each in formats():
        if each.magic is not None and each.magic(head):
            return each
    if by_name:
        msg = f"its name is that of a {by_name[0].name} file, but its content is not"
        raise Unreadable(msg)
    msg = f"its format is unknown; the known formats are {', '.join(each.name for each in formats())}"
    raise Unreadable(msg)
