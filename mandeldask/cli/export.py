"""`mandeldask export`: write levels as a Zarr store that can be read without mandeldask."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from mandeldask.cli.options import (
    AllowHuge,
    Center,
    Fields,
    Julia,
    Levels,
    Maxiter,
    PyramidOptions,
    Tilesize,
    Width,
    as_levels,
)
from mandeldask.cli.paths import FILES, Exclude, FileOptions, FollowSymlinks, Hidden, Include, Paths, StackOption
from mandeldask.cli.text import in_bytes
from mandeldask.lazy.cutting import as_window
from mandeldask.zarrview.nodes import Array, Group

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor

    from mandeldask.exports.running import Estimate
    from mandeldask.zarrview.nodes import Node

STORE = "Store"

COMPRESSORS = ("gzip", "zstd", "blosc", "none")
"""Codecs for `--compressor`."""


def export(
    paths: Paths = None,
    target: Annotated[
        str, typer.Argument(help="Folder, .zip file or URL (fsspec) to write to: mandelbrot.zarr.")
    ] = ...,  # type: ignore[assignment] # typer's mark of a required argument
    *,
    include: Include = None,
    exclude: Exclude = None,
    stack: StackOption = None,
    hidden: Hidden = False,
    follow_symlinks: FollowSymlinks = False,
    coarser: Annotated[
        str | None,
        typer.Option(
            "--pyramid",
            help="Write images as groups of levels: auto (larger than 1024 pixels), mean, stride, mode, or none. "
            "Default: auto for files that are one image, otherwise none.",
            rich_help_panel=FILES,
        ),
    ] = None,
    cache_dir: Annotated[
        Path | None,
        typer.Option(help="Cache folder of a server, for partial results of levels.", rich_help_panel=FILES),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(help='Levels to write: "44-49" or "3,7". Default: the coarsest four.', rich_help_panel=STORE),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            help='Only a square of the plane: a link, a location file, "CENTER,WIDTH"; or pixels: "y=0:512,x=0:512".',
            rich_help_panel=STORE,
        ),
    ] = None,
    zarr_format: Annotated[int, typer.Option(min=2, max=3, help="Zarr format.", rich_help_panel=STORE)] = 3,
    shards: Annotated[
        str | None,
        typer.Option(help='Pixels along a shard, or "auto": many chunks in one file (v3).', rich_help_panel=STORE),
    ] = None,
    compressor: Annotated[
        str, typer.Option(help=f"Codec of the chunks: {', '.join(COMPRESSORS)}.", rich_help_panel=STORE)
    ] = "gzip",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace other content of the target.", rich_help_panel=STORE)
    ] = False,
    part: Annotated[
        str, typer.Option(help="Write one share, such as 3/16; the last to finish completes it.", rich_help_panel=STORE)
    ] = "1/1",
    orbits: Annotated[
        Path | None,
        typer.Option(help="Your own folder, in which parts share long reference orbits.", rich_help_panel=STORE),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Compute on this dask cluster, such as tcp://10.0.0.1:8786.", rich_help_panel=STORE),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.", rich_help_panel=STORE)] = False,
    levels: Levels = 50,
    tilesize: Tilesize = 512,
    maxiter: Maxiter = "255",
    center: Center = "0",
    width: Width = None,
    fields: Fields = "iterations",
    julia: Julia = None,
    allow_huge: AllowHuge = False,
) -> None:
    """Write levels of the set, or files and folders, as Zarr. After an interruption, the same command continues.

    **Examples:**

    `mandeldask export mandelbrot.zarr --only 44-49`

    `mandeldask export seahorse.zarr --only 40-43 --window "-0.7436+0.1318j,1e-3"`

    `mandeldask export seahorse.zarr --center "-0.7436+0.1318j" --width 1e-3 --levels 4 --maxiter 2000 --shards auto`

    `mandeldask export scan.tif scan.zarr`
    """
    files = FileOptions.of(paths, include, exclude, stack, hidden=hidden, follow_symlinks=follow_symlinks)
    pyramid = PyramidOptions(levels, tilesize, maxiter, center, width, fields, julia, allow_huge).pyramid()
    coarsest_four = range(max(0, levels - 4), levels)
    chosen: Sequence[int] | None = coarsest_four if only is None else as_levels(only, levels)
    options = {"shards": _as_shards(shards), "part": _as_part(part), **_codecs(compressor, zarr_format)}
    part_of_plane = None if window is None else as_window(window)
    from mandeldask.exporting import export as export_tree  # noqa: PLC0415  slow imports of dask and xarray, not for `--help`
    from mandeldask.lazy.tree import open_pyramid  # noqa: PLC0415

    tree: Any = open_pyramid(pyramid, chunks=None)
    if paths:
        tree, chosen = _of_files(files, coarser, only), None
    with ExitStack() as closing:
        written = export_tree(
            tree,
            target,
            levels=chosen,
            window=part_of_plane,
            pyramid=coarser or ("auto" if isinstance(tree, Array) else "none"),
            cache_dir=cache_dir,
            zarr_format=cast("Literal[2, 3]", zarr_format),
            overwrite=overwrite,
            executor=None if scheduler is None else _cluster(scheduler, closing),
            orbits=orbits,
            progress=False if quiet else "lines",
            announce=None if quiet else _announce,
            **options,
        )
    elsewhere = written.chunks - written.written
    rest = "were there" if written.complete else "are left to other parts"
    typer.echo(
        f"{written.target}: {written.written} chunks written ({in_bytes(written.size)})"
        f"{f', {elsewhere} {rest}' if elsewhere else ''}, {written.seconds:.1f} s"
    )


def _of_files(files: FileOptions, coarser: str | None, only: str | None) -> Node:
    """Return the tree of a single path, or a Group of the trees of several paths by name."""
    if only is not None:
        msg = "--only selects levels of the set; files and folders are written completely"
        raise ValueError(msg)
    from mandeldask.zarrview.imaged import Making, with_levels  # noqa: PLC0415  slow import of zarr, not for `--help`

    trees = files.trees()
    if len(trees) == 1:
        return next(iter(trees.values()))
    each = {name: with_levels(tree, Making()) if isinstance(tree, Array) else tree for name, tree in trees.items()}
    return Group(trees if coarser else each, consolidate=False)


def _announce(estimate: Estimate) -> None:
    """Print an estimate of the chunks that are left to write."""
    size, minutes = in_bytes(estimate.size), estimate.seconds / 60
    time = f"{estimate.seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min"  # noqa: PLR2004
    typer.echo(f"{estimate.chunks} more chunks, about {size} and {time}", err=True)


def _as_shards(text: str | None) -> int | Literal["auto"] | None:
    if text is None or text == "auto":
        return cast("Literal['auto'] | None", text)
    if not text.isdecimal() or not int(text):
        msg = f'--shards must be a number of pixels or "auto", not {text!r}'
        raise ValueError(msg)
    return int(text)


def _as_part(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        msg = f'--part must look like "3/16", with a first number from 1 to the second, not {text!r}'
        raise ValueError(msg)
    return int(match[1]), int(match[2])


def _codecs(name: str, zarr_format: int) -> dict[str, Any]:
    """Return the codec options of a compressor for a Zarr format."""
    if name not in COMPRESSORS:
        msg = f"--compressor must be one of {', '.join(COMPRESSORS)}, not {name!r}"
        raise ValueError(msg)
    if name == "gzip":
        return {}
    if name == "none":
        return {"compressors": None}
    import numcodecs  # noqa: PLC0415  slow import, not for `--help`
    from zarr.codecs import BloscCodec, ZstdCodec  # noqa: PLC0415

    if zarr_format == 2:  # noqa: PLR2004
        return {"compressors": numcodecs.Zstd(level=3) if name == "zstd" else numcodecs.Blosc(cname="zstd", clevel=3)}
    return {"compressors": ZstdCodec(level=3) if name == "zstd" else BloscCodec(cname="zstd", clevel=3)}


def _cluster(address: str, stack: ExitStack) -> Executor:
    """Return an executor on a dask cluster; `stack` closes the connection."""
    from distributed import Client  # noqa: PLC0415  an extra

    client = stack.enter_context(Client(address))  # type: ignore[no-untyped-call]
    executor: Executor = client.get_executor()
    return executor
