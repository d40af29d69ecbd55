"""`open_path`: any file or folder as a tree."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mandeldask.files.choice import Choice
from mandeldask.files.folder import opened_folder
from mandeldask.files.opening import opened_file
from mandeldask.files.patterns import Pattern
from mandeldask.zarrview.nodes import Changed, as_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mandeldask.zarrview.nodes import Node


def open_path(  # noqa: PLR0913  the options of a folder
    path: str | os.PathLike[str],
    *,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    hidden: bool = False,
    follow_symlinks: bool = False,
    stack: str | Iterable[str] = (),
) -> Node:
    """Return a file or a folder as a tree for `to_store`, `to_mapping`, `create_app` and `serve`.

    Only headers are read until chunks are requested. The tree follows changes of the files: a change is seen within a
    second, and old and new content are never mixed.

    Parameters
    ----------
    path : str or PathLike
        A file of a known format, a folder of such files and of folders, or a Zarr store.
    include, exclude : iterable of str
        Patterns of names in folders, such as ``"*.tif"``: files that are shown (all, unless given), and files and
        folders that are not.
    hidden : bool
        Whether names that begin with a dot are shown.
    follow_symlinks : bool
        Whether links, and files that refer to other files, may leave the folder.
    stack : str or iterable of str
        Names of numbered files of a folder that are shown as one array, such as ``"img_{t}_{c}.tif"``: its first
        dimensions are t and c, and its name is the pattern without braces.

    Returns
    -------
    Group or Array
        A file's tree by its format, or a Group with a member for each file and folder, named as they are. What cannot
        be shown is left out and named, with the reason, in the attribute `skipped`.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    ValueError
        If a single file cannot be shown, or a pattern has no dimension in braces; the message says why.

    Examples
    --------
    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/ramp.npy", np.arange(6).reshape(2, 3))
    ...     tree = open_path(folder)
    ...     print(list(tree.members), tree.members["ramp.npy"].shape)
    ['ramp.npy'] (2, 3)
    """
    patterns = tuple(Pattern(text) for text in ((stack,) if isinstance(stack, str) else stack))
    choice = Choice(tuple(include), tuple(exclude), hidden, follow_symlinks, patterns)
    given = os.path.abspath(os.path.expanduser(os.fspath(path)))  # noqa: PTH100, PTH111
    if not os.fspath(path) or not os.path.exists(given):  # noqa: PTH110  "" would be the current folder
        msg = f"there is no file or folder {os.fspath(path) or repr('')}"
        raise FileNotFoundError(msg)
    real = os.path.realpath(given)
    folder = os.path.isdir(real)  # noqa: PTH112
    root = os.sep if follow_symlinks else real if folder else os.path.dirname(real)  # noqa: PTH120
    reopen = partial(opened_folder, given, root, choice) if folder else partial(opened_file, given, root)
    try:
        return replace(reopen(), reopen=partial(_reopened, reopen))
    except ValueError as error:
        msg = f"{os.fspath(path)}: {error}"
        raise ValueError(msg) from error


def _reopened(reopen: Callable[[], Node]) -> Node:
    """Return the current tree; raise Changed if it cannot be read now, because this may be temporary."""
    try:
        return replace(reopen(), reopen=partial(_reopened, reopen))
    except (ValueError, OSError) as error:
        msg = f"it cannot be read now: {error}"
        raise Changed(msg) from error


@as_node.register(Path)
def _(tree: Path) -> Node:
    return open_path(tree)
