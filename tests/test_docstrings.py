"""The examples in docstrings are true, in every package."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import mandeldask

ROOT = Path(mandeldask.__file__).parent
EXAMPLES = {path: path.read_text("utf-8").count(">>> ") for path in sorted(ROOT.rglob("*.py"))}
SOURCES = [path.relative_to(ROOT.parent).with_suffix("") for path, examples in EXAMPLES.items() if examples]


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_examples_in_docstrings_are_true(source):
    """All of them: doctest passes over what it does not take for a function or class of the module."""
    module = import_module(".".join(source.parts).removesuffix(".__init__"))
    written = EXAMPLES[ROOT.parent / source.with_suffix(".py")]
    assert doctest.testmod(module) == (0, written)


def test_there_are_examples():
    packages = {source.parts[1] for source in SOURCES}
    assert {"__init__", "cli", "files", "fractal", "images", "lazy", "notebook", "web", "zarrview"} <= packages
