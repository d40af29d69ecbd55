"""Detect notebooks: whether this process is a notebook's kernel, and the origin of its page."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOPBACK = ("localhost", "127.0.0.1")


def in_notebook() -> bool:
    """Return whether this process runs the cells of a notebook (JupyterLab, VS Code), without importing anything."""
    shell = sys.modules.get("IPython")
    running: Any = shell.get_ipython() if shell is not None else None
    return running is not None and hasattr(running, "kernel")


def notebook_origins() -> tuple[str, ...]:
    """Return the origins of this user's Jupyter servers on this machine; none outside a notebook.

    Jupyter writes a file for each running server. Pages at ``localhost`` and at ``127.0.0.1`` are the same.
    """
    return tuple(sorted(set(_origins()))) if in_notebook() else ()


def _origins() -> Iterator[str]:
    for file in _runtime_folder().glob("*server-*.json"):
        try:
            url = urlsplit(json.loads(file.read_text("utf-8"))["url"])
            port = f":{url.port}" if url.port else ""
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
        ):  # the server has just ended, or the file belongs to another program
            continue
        names = _LOOPBACK if url.hostname in _LOOPBACK else (url.hostname,)
        yield from (f"{url.scheme}://{name}{port}" for name in names if name)


def _runtime_folder() -> Path:
    """Return the runtime folder of Jupyter, with a file for each server and kernel."""
    from jupyter_core.paths import jupyter_runtime_dir  # noqa: PLC0415  only kernels have it

    return Path(os.fspath(jupyter_runtime_dir()))
