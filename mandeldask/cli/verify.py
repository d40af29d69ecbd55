"""`mandeldask verify`: check that an export is complete, undamaged, and equal to its source."""

from __future__ import annotations

from typing import Annotated

import typer

from mandeldask.lazy.cutting import as_window

SHOWN = 20
"""Largest number of faults that are listed."""


def verify(
    target: Annotated[str, typer.Argument(help="An export of `mandeldask export`: a folder, .zip file or URL.")],
    *,
    full: Annotated[bool, typer.Option("--full", help="Compute every chunk again and compare.")] = False,
    sample: Annotated[int, typer.Option(min=0, help="Number of chunks of each array to compute and compare.")] = 16,
    window: Annotated[
        str | None,
        typer.Option(
            help="The exported square or pixels, as for export; needed only if the export has no record of them."
        ),
    ] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Rewrite wrong chunks.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Check every chunk of an export. Exit code 1 means that chunks are wrong.

    **Example:** `mandeldask verify mandelbrot.zarr --full`
    """
    from mandeldask.verification import verify as verify_store  # noqa: PLC0415  slow imports of dask and xarray, not for `--help`

    found = verify_store(
        target,
        window=None if window is None else as_window(window),
        sample=None if full else sample,
        repair=repair,
        progress=False if quiet else "lines",
    )
    for key, fault in found.faults[:SHOWN]:
        typer.echo(f"{fault}: {key}")
    if len(found.faults) > SHOWN:
        typer.echo(f"and {len(found.faults) - SHOWN} more")
    wrong = f"{len(found.faults)} wrong{', rewritten' if repair else ''}" if found.faults else "all right"
    typer.echo(f"{target}: {found.chunks} chunks, {found.compared} compared with the source, {wrong}")
    if found.faults and not repair:
        raise typer.Exit(1)
