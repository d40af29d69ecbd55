"""`mandeldask info`: print a table of a pyramid's levels, or of the content of files and folders."""

from __future__ import annotations

import json
import logging
import shlex
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from mandeldask.cli.options import AllowHuge, Center, Fields, Julia, Levels, Maxiter, PyramidOptions, Tilesize, Width
from mandeldask.cli.paths import (
    SHOWN,
    Exclude,
    FileOptions,
    FollowSymlinks,
    Hidden,
    Include,
    Paths,
    StackOption,
    as_table,
    described,
    walked,
)
from mandeldask.cli.text import in_bytes, pixels, scientific
from mandeldask.fractal.kernels import kernel_of
from mandeldask.fractal.rationals import as_text, point_as_text
from mandeldask.png import texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mandeldask.fractal.pyramid import Pyramid
    from mandeldask.zarrview.nodes import Node


def info(
    paths: Paths = None,
    *,
    include: Include = None,
    exclude: Exclude = None,
    hidden: Hidden = False,
    follow_symlinks: FollowSymlinks = False,
    stack: StackOption = None,
    levels: Levels = 50,
    tilesize: Tilesize = 512,
    maxiter: Maxiter = "255",
    center: Center = "0",
    width: Width = None,
    fields: Fields = "iterations",
    julia: Julia = None,
    allow_huge: AllowHuge = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show the content of files and folders, and what is left out and why; or the levels of a pyramid.

    **Examples:**

    `mandeldask info runs/`

    `mandeldask info spiral.png` (the place that a picture of `render` shows)

    `mandeldask info --center "-0.7436438870371587+0.1318259042053120j" --width 1e-12 --levels 8`
    """
    if paths and all(path.suffix.lower() == ".png" for path in paths) and _show_pictures(paths, as_json=as_json):
        return
    if paths:
        logging.getLogger("mandeldask.files").setLevel(logging.ERROR)  # the table lists what is left out
        files = FileOptions.of(paths, include, exclude, stack, hidden=hidden, follow_symlinks=follow_symlinks)
        _show(files.trees(), as_json=as_json)
        return
    pyramid = PyramidOptions(levels, tilesize, maxiter, center, width, fields, julia, allow_huge).pyramid()
    if as_json:
        typer.echo(json.dumps({**pyramid.as_dict(), "fingerprint": pyramid.fingerprint}, indent=2))
        return
    console = Console()
    console.print(kernel_of(pyramid, 0).about.title, highlight=False)
    console.print(f"center {point_as_text(pyramid.center)}, width {as_text(pyramid.width)}", highlight=False)
    console.print(_table(pyramid))


def _show_pictures(paths: Sequence[Path], *, as_json: bool) -> bool:
    """Print the parameters of pictures that `render` wrote; return whether all pictures have them."""
    scenes = {path: parameters for path in paths if path.is_file() and (parameters := texts_of(path).get("mandeldask"))}
    if len(scenes) < len(paths):
        return False
    shown = {str(path): json.loads(parameters) for path, parameters in scenes.items()}
    if as_json:
        typer.echo(json.dumps(list(shown.values()), indent=2))
        return True
    for path, scene in shown.items():
        typer.echo(f"{path}: drawn by mandeldask")
        for name, value in scene.items():
            if value is not None:
                typer.echo(f"  {name} {value}")
        again = [f"--{name}={shlex.quote(str(scene[name]))}" for name in ("center", "julia") if scene.get(name)]
        again += [f"--{name} {shlex.quote(str(value))}" for name, value in scene.items() if name in _DRAWN and value]
        typer.echo(f"  again: mandeldask render {shlex.quote(path)} {' '.join(again)}")
    return True


_DRAWN = ("width", "size", "maxiter", "field", "cmap", "oversample", "edges")
"""Options of `mandeldask render` that are stored in a picture."""


def _show(trees: Mapping[str, Node], *, as_json: bool) -> None:
    """Print the content of some trees."""
    every = (row for name, node in trees.items() for row in described(walked(name, node)))
    rows = list(islice(every, None if as_json else SHOWN))
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    console = Console()
    console.print(as_table(rows))
    if next(every, None) is not None:
        console.print(f"... and more; --json prints all. Shown are {SHOWN}.", style="dim", highlight=False)


def _table(pyramid: Pyramid) -> Table:
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)  # fits 80 columns
    for title in ("level", "pixels\nacross", "chunks\nacross", "spacing", "maxiter", "dtype", "uncompressed"):
        table.add_column(title, justify="left" if title == "dtype" else "right", no_wrap=title != "dtype")
    for level in range(pyramid.levels):
        size = pyramid.grid(level).shape[0]
        maxiter = pyramid.maxiter_at(level)
        dtypes = kernel_of(pyramid, level).dtypes
        table.add_row(
            str(level),
            pixels(size),
            pixels(size // pyramid.tilesize),
            scientific(pyramid.grid(level).spacing),
            str(maxiter),
            ", ".join(str(dtype) for dtype in dtypes.values()),
            in_bytes(size * size * sum(dtype.itemsize for dtype in dtypes.values())),
        )
    return table
