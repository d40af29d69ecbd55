"""The command `mandeldask`: serve, export, render and describe pyramids."""

from __future__ import annotations

import atexit
import gc
import sys

_EXTRA = "the command line needs typer and rich: pip install 'mandeldask[cli]'"
"""Message if the extra is not installed."""

BAD_INPUT = 2
"""Exit code for wrong input."""


def main() -> None:
    """Run the command line of this process and exit."""
    atexit.register(gc.freeze)  # at its end, Python searches all objects for cycles: 0.6 s after numba and xarray
    try:
        from mandeldask.cli.commands import run  # noqa: PLC0415  typer is an extra
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "click", "rich"}:
            raise
        sys.stderr.write(f"mandeldask: {_EXTRA}\n")
        sys.exit(BAD_INPUT)
    sys.exit(run(sys.argv[1:]))
