"""Every `mandeldask` command of README and the manual has options and values that the command takes."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from mandeldask.cli.commands import app

HOME = Path(__file__).parents[1]
PAGES = [HOME / "README.md", *sorted((HOME / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(?:console|sh|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands():
    """Return (page, command) for every command of ours in a block of a shell."""
    found = []
    for page in PAGES:
        for block in BLOCK.findall(page.read_text("utf-8")):
            lines = block.replace("\\\n", " ").splitlines()
            found += [
                (page.name, line[2:]) for line in lines if line.startswith("$ mandeldask ") and "--help" not in line
            ]
    return found


@pytest.mark.parametrize(("page", "command"), commands())
def test_commands_of_the_manual_are_understood(page, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = shlex.split(command, comments=True)[1:]
    for name in arguments:  # what a page takes for a file is one
        if re.fullmatch(r"[\w/]+\.(tif|kfr|toml|h5)", name):
            (tmp_path / name).write_bytes(b"")
    group = typer.main.get_command(app)
    with group.make_context("mandeldask", list(arguments)) as context:
        name, subcommand, rest = group.resolve_command(context, context._protected_args + context.args)
        assert subcommand.make_context(name, rest, parent=context).command is subcommand


def test_there_are_commands():
    assert len(commands()) > 12


def test_what_the_page_of_claims_names_is_there():
    page = (HOME / "docs" / "explanation" / "claims.md").read_text("utf-8")
    named = re.findall(r"`((?:tests|benchmarks)/[\w/.]+)", page)
    assert len(named) > 15
    assert [path for path in named if not (HOME / path).exists()] == []
