"""The examples in docstrings are true, in every package."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

import mandeldask

ROOT = Path(mandeldask.__file__).parent
MODULES = [
    module.name
    for module in pkgutil.walk_packages([str(ROOT)], "mandeldask.")
    if not module.ispkg
    if ">>>" in (ROOT.parent / module.name.replace(".", "/")).with_suffix(".py").read_text()
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name):
    assert doctest.testmod(import_module(name)).failed == 0


def test_there_are_examples():
    packages = {name.split(".")[1] for name in MODULES}
    assert {"fractal", "lazy", "web", "zarrview"} <= packages
    assert len(MODULES) > 15
