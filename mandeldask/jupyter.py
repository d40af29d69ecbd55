"""Whether this process is the kernel of a notebook, and from where its page comes."""

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
    """Return whether cells of a notebook run in this process, as in JupyterLab and VS Code; nothing is imported."""
    shell = sys.modules.get("IPython")
    running: Any = shell.get_ipython() if shell is not None else None
    return running is not None and hasattr(running, "kernel")


def notebook_origins() -> tuple[str, ...]:
    """Return the origins of the pages of the Jupyter servers that this user runs here; none outside a notebook.

    Jupyter writes a file for each running server. A page at ``localhost`` may as well be at ``127.0.0.1``.
    """
    return tuple(sorted(set(_origins()))) if in_notebook() else ()


def _origins() -> Iterator[str]:
    for file in _runtime_folder().glob("*server-*.json"):
        try:
            url = urlsplit(json.loads(file.read_text("utf-8"))["url"])
            port = f":{url.port}" if url.port else ""
        except (OSError, ValueError, KeyError, TypeError):  # it has just gone, or is another program's
            continue
        names = _LOOPBACK if url.hostname in _LOOPBACK else (url.hostname,)
        yield from (f"{url.scheme}://{name}{port}" for name in names if name)


def _runtime_folder() -> Path:
    """Return where Jupyter's servers write what they are; a kernel's own file stands there too."""
    from jupyter_core.paths import jupyter_runtime_dir  # noqa: PLC0415  every kernel has it, and others need it not

    return Path(os.fspath(jupyter_runtime_dir()))
