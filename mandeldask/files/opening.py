"""The tree of a path: a file by its format, a folder by its content, or a Zarr store."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from mandeldask.files.formats import format_of
from mandeldask.files.stamps import Source, Unreadable, Version, settled, within
from mandeldask.zarrview.nodes import Changed, as_node

if TYPE_CHECKING:
    from mandeldask.files.formats import Format
    from mandeldask.zarrview.nodes import Node


ZARR_MARKS = ("zarr.json", ".zgroup", ".zarray")
"""Documents that make a folder a Zarr store."""


def is_zarr(path: str) -> bool:
    """Return whether the folder at `path` is a Zarr group or array."""
    return any(os.path.isfile(os.path.join(path, mark)) for mark in ZARR_MARKS)  # noqa: PTH113, PTH118


def opened_file(path: str, root: str, name: str | None = None) -> Node:
    """Return the tree of one file in its current state; its version changes when the file does.

    Parameters
    ----------
    path : str
        Path of the file.
    root : str
        Folder outside which nothing is read, links resolved.
    name : str, optional
        Its name, if it is not the last part of the path.

    Raises
    ------
    Changed
        If it is being written.
    Unreadable
        If it cannot be shown.
    OSError
        If there is no such file.
    """
    version = Version(path)
    as_of, real = version(), os.path.realpath(path)
    if not within(real, root):
        msg = "it is a link to a place outside the folder that is served"
        raise Unreadable(msg)
    if not os.path.isfile(real):  # noqa: PTH113
        msg = "it is neither a file nor a folder"
        raise Unreadable(msg)
    source = Source(real, settled(real), root)
    found = format_of(source, name or os.path.basename(path))  # noqa: PTH119
    tree = source.read(lambda: _opened(source, found))
    if tree.version is not None:  # it depends on other files too
        return tree
    return replace(tree, version=version, as_of=as_of)


def _opened(source: Source, format: Format) -> Node:  # noqa: A002  the standard term
    """Return the tree of a file of a format; raise Unreadable with the reason if it has none."""
    try:
        return as_node(format.open(source))
    except (Unreadable, Changed, MemoryError):
        raise
    except ModuleNotFoundError as error:
        msg = f"{format.name} needs {error.name}: pip install 'mandeldask[{format.extra}]'"
        raise Unreadable(msg) from error
    except Exception as error:
        msg = f"it cannot be read as {format.name}: {type(error).__name__}: {error}"
        raise Unreadable(msg) from error
