"""Files and folders on the command line: options that select them, and a table of their content."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich import box
from rich.table import Table

from mandeldask.cli.text import in_bytes
from mandeldask.files.paths import open_path
from mandeldask.zarrview.nodes import Array

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mandeldask.zarrview.nodes import Node

FILES = "Files"
"""Title of this group of options in the help."""

SHOWN = 1000
"""Largest number of groups and arrays that `info` lists."""

Paths = Annotated[list[Path] | None, typer.Argument(help="Files, folders and Zarr stores, read in place.")]
Include = Annotated[
    list[str] | None, typer.Option(help='Names of files to show (repeatable): "*.tif".', rich_help_panel=FILES)
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(help="Names of files and folders to leave out (repeatable).", rich_help_panel=FILES),
]
Hidden = Annotated[bool, typer.Option("--hidden", help="Also show names that begin with a dot.", rich_help_panel=FILES)]
FollowSymlinks = Annotated[
    bool,
    typer.Option(
        "--follow-symlinks",
        help="Allow links, and files that refer to other files, to leave the folder.",
        rich_help_panel=FILES,
    ),
]

StackOption = Annotated[
    list[str] | None,
    typer.Option(
        "--stack",
        help='Numbered files of a folder as one array (repeatable): "img_{t}_{c}.tif".',
        rich_help_panel=FILES,
    ),
]
Demo = Annotated[
    bool, typer.Option("--demo", help="Serve a tree with arrays of every kind, to try clients.", rich_help_panel=FILES)
]
Fixtures = Annotated[
    bool,
    typer.Option(
        "--fixtures",
        help="Serve small arrays with known answers, to test clients: data types, codecs, shards, faults.",
        rich_help_panel=FILES,
    ),
]


@dataclass(frozen=True, slots=True)
class FileOptions:
    """The selection of files."""

    paths: tuple[Path, ...]
    """The paths as they were given."""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False
    follow_symlinks: bool = False
    stack: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        paths: list[Path] | None,
        include: list[str] | None,
        exclude: list[str] | None,
        stack: list[str] | None,
        *,
        hidden: bool,
        follow_symlinks: bool,
    ) -> FileOptions:
        """Return the options from the command line."""
        included, excluded = tuple(include or ()), tuple(exclude or ())
        return cls(tuple(paths or ()), included, excluded, hidden, follow_symlinks, tuple(stack or ()))

    def trees(self) -> dict[str, Node]:
        """Return the tree of each path by its name.

        Raises
        ------
        ValueError
            If two paths have one name, or a file cannot be shown.
        FileNotFoundError
            If there is nothing at a path.
        """
        found: dict[str, Node] = {}
        for path in self.paths:
            name = tree_name(path)
            if name in found:
                msg = f"two of the paths have the name {name}; serve the folder that contains them"
                raise ValueError(msg)
            found[name] = open_path(
                path,
                include=self.include,
                exclude=self.exclude,
                hidden=self.hidden,
                follow_symlinks=self.follow_symlinks,
                stack=self.stack,
            )
        return found


def tree_name(path: Path) -> str:
    """Return the name of a path's tree: the name of the file or folder, without a suffix that its URL repeats.

    Examples
    --------
    >>> tree_name(Path("/data/scan.tif")), tree_name(Path("/data/cells.zarr")), tree_name(Path("/data/runs/"))
    ('scan.tif', 'cells', 'runs')
    """
    name = path.name or path.resolve().name or "files"
    name = path.resolve().name if name in {".", ".."} else name
    return name.removesuffix(".zarr") or name


def walked(name: str, node: Node) -> Iterator[tuple[str, Node | None, str]]:
    """Yield the path, node and (for members that are left out) the reason, for everything in a tree."""
    yield name, node, ""
    if isinstance(node, Array):
        return
    for each, reason in node.skipped.items():
        yield f"{name}/{each}", None, reason
    for each in node.members:
        try:
            below = node.members[each]
        except Exception as error:  # noqa: BLE001  continue the list
            yield f"{name}/{each}", None, str(error)
            continue
        yield from walked(f"{name}/{each}", below)


def described(rows: Iterable[tuple[str, Node | None, str]]) -> Iterator[dict[str, Any]]:
    """Yield the description of each group, array and skipped member, as JSON values."""
    for path, node, reason in rows:
        if node is None:
            yield {"path": path, "skipped": reason}
        elif isinstance(node, Array):
            dims = None if node.dims is None else list(node.dims)
            shape, chunks = list(node.shape), list(node.chunks)
            yield {"path": path, "shape": shape, "dtype": str(node.dtype), "chunks": chunks, "dims": dims}
        else:
            yield {"path": path, "members": len(node.members)}


def as_table(rows: Iterable[dict[str, Any]]) -> Table:
    """Return a table of the rows from `described`."""
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for title in ("name", "shape", "dtype", "chunk", "bytes", "dims"):
        table.add_column(title, overflow="fold", no_wrap=title in {"name", "shape", "dtype", "bytes"})
    for row in rows:
        *above, name = row["path"].split("/")
        shown = "  " * len(above) + name
        if "skipped" in row:
            table.add_row(shown, "left out", "", row["skipped"], style="yellow")
        elif "shape" in row:
            table.add_row(shown, *_cells(row))
        else:
            table.add_row(shown, f"{row['members']} below", style="bold")
    return table


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    dims = ", ".join(row["dims"] or ())
    shape, chunk = ("×".join(map(str, row[name])) or "scalar" for name in ("shape", "chunks"))
    try:
        size = in_bytes(prod(row["chunks"]) * np.dtype(row["dtype"]).itemsize)
    except TypeError:  # text of any length
        size = ""
    return shape, row["dtype"], chunk, size, dims
