"""All commands; an error is printed as one line."""

from __future__ import annotations

import os
import re
import sys
import traceback
import warnings
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mandeldask import __version__
from mandeldask.cli import BAD_INPUT
from mandeldask.cli.export import export
from mandeldask.cli.info import info
from mandeldask.cli.locate import locate
from mandeldask.cli.render import render
from mandeldask.cli.serve import serve
from mandeldask.cli.verify import verify
from mandeldask.cli.zoom import zoom

if TYPE_CHECKING:
    from collections.abc import Sequence

TRACEBACK = "--traceback"
"""Option before or after a command; in the environment, MANDELDASK_TRACEBACK."""

INTERRUPTED = 130
"""Exit code of shells for Ctrl-C."""

_EXTRAS = {
    "PIL": "render",
    "distributed": "cluster",
    "matplotlib": "render",
    "prometheus_client": "serve",
    "starlette": "serve",
    "uvicorn": "serve",
}
"""The extra that installs each module."""

app = typer.Typer(
    name="mandeldask",
    help="The Mandelbrot set as an infinite, exact, offline dataset.",
    add_completion=False,
    rich_markup_mode="markdown",
)
app.command()(serve)
app.command()(export)
app.command()(render)
app.command()(info)
app.command()(verify)
app.command(context_settings={"ignore_unknown_options": True})(zoom)
app.command(context_settings={"ignore_unknown_options": True})(locate)  # a place can begin with a minus sign


_UNSTABLE = "The data type ("
"""Start of zarr-python's warning about types without a v3 specification, which is meant for writers of files."""

_USAGE: Any = typer.BadParameter.__base__
"""click's UsageError, from typer: newer releases of typer include their own click."""


def _show_version(wanted: bool) -> None:  # noqa: FBT001  called by typer
    if wanted:
        typer.echo(f"mandeldask {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
    traceback: Annotated[
        bool, typer.Option(TRACEBACK, help="Show the traceback of an error before its message.")
    ] = False,
) -> None:
    """The Mandelbrot set as an infinite, exact, offline dataset."""  # noqa: D401  shown as help


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code; an error is one line, after a traceback if that was requested."""
    warnings.filterwarnings("ignore", re.escape(_UNSTABLE))
    sys.warnoptions.append(f"ignore:{_UNSTABLE}")  # in worker processes too
    try:
        _check_given(arguments)
        return _run(arguments)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        if TRACEBACK in arguments or os.environ.get("MANDELDASK_TRACEBACK"):
            traceback.print_exception(error)
        return _refuse(_missing(error) if isinstance(error, ModuleNotFoundError) else str(error))


def _run(arguments: Sequence[str]) -> int:
    command = typer.main.get_command(app)
    arguments = [TRACEBACK] * (TRACEBACK in arguments) + [each for each in arguments if each != TRACEBACK]
    try:
        code = command.main(list(arguments) or ["--help"], prog_name="mandeldask", standalone_mode=False)
    except _USAGE as error:
        return _refuse(_named(error.format_message()))
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:  # newer releases of typer return the code, older ones raise Abort
        sys.stderr.write("mandeldask: stopped\n")
    return code if isinstance(code, int) else 0


def _check_given(arguments: Sequence[str]) -> None:
    """Raise ValueError for an empty argument, such as an unset variable of a shell: it would mean a default."""
    for before, each in pairwise(["", *arguments]):
        option, equals, value = each.partition("=")
        if before == "--fields":  # its own message lists the fields
            continue
        if not each or (option.startswith("--") and equals and not value):
            name = option or (before if before.startswith("-") else "")
            msg = f"{f'the value of {name}' if name else 'an argument'} is empty: give it a value, or leave it out"
            raise ValueError(msg)


def _named(message: str) -> str:
    """Return click's message, with an unknown option called that where a place may begin with a minus sign."""
    _, given, extra = message.partition("unexpected extra argument(s) (-")
    return f"No such option: -{extra.partition(' ')[0].rstrip(')')}" if given else message


def _missing(error: ModuleNotFoundError) -> str:
    """Return a message with the extra that installs a module; messages of mandeldask already name it."""
    extra = _EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None or "pip install" in str(error):
        return str(error)
    return f"this needs {error.name}: pip install 'mandeldask[{extra}]'"


def _refuse(message: str) -> int:
    sys.stderr.write(f"mandeldask: {' '.join(message.split())}\n")
    return BAD_INPUT
