"""`mandeldask export`: levels written as a Zarr store that needs mandeldask no more."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from mandeldask.cli.options import (
    AllowHuge,
    Center,
    Fields,
    Levels,
    Maxiter,
    PyramidOptions,
    Tilesize,
    Width,
    as_levels,
)

if TYPE_CHECKING:
    from concurrent.futures import Executor

STORE = "Store"


def export(
    target: Annotated[str, typer.Argument(help="Folder or URL (fsspec) to write to, such as mandelbrot.zarr.")],
    *,
    only: Annotated[
        str | None,
        typer.Option(help='Levels to write: "44-49" or "3,7". Unless given: the coarsest four.', rich_help_panel=STORE),
    ] = None,
    zarr_format: Annotated[int, typer.Option(min=2, max=3, help="Zarr format.", rich_help_panel=STORE)] = 3,
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
    allow_huge: AllowHuge = False,
) -> None:
    """Write levels as Zarr. Stopped anywhere, the same command goes on where it was.

    **Examples:**

    `mandeldask export mandelbrot.zarr --only 44-49`

    `mandeldask export seahorse.zarr --center "-0.7436+0.1318j" --width 1e-3 --levels 4 --maxiter 2000 --zarr-format 2`
    """
    pyramid = PyramidOptions(levels, tilesize, maxiter, center, width, fields, allow_huge).pyramid()
    coarsest_four = range(max(0, levels - 4), levels)
    chosen = coarsest_four if only is None else as_levels(only, levels)
    from mandeldask.lazy.export import export as export_tree  # noqa: PLC0415  dask and xarray: not for `--help`
    from mandeldask.lazy.tree import open_pyramid  # noqa: PLC0415

    with ExitStack() as stack:
        written = export_tree(
            open_pyramid(pyramid),
            target,
            levels=chosen,
            zarr_format=cast("Literal[2, 3]", zarr_format),
            executor=None if scheduler is None else _cluster(scheduler, stack),
            progress=False if quiet else None,
        )
    there = written.blocks - written.written
    typer.echo(
        f"{written.target}: {len(written.levels)} levels, {written.written} tiles written"
        f"{f', {there} were there' if there else ''}, {written.seconds:.1f} s"
    )


def _cluster(address: str, stack: ExitStack) -> Executor:
    """Return an executor on a dask cluster, which `stack` lets go."""
    from distributed import Client  # noqa: PLC0415  an extra

    client = stack.enter_context(Client(address))  # type: ignore[no-untyped-call]
    executor: Executor = client.get_executor()
    return executor
