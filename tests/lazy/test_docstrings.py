import doctest
import pkgutil
from importlib import import_module

import pytest

import mandeldask.lazy

MODULES = [module.name for module in pkgutil.iter_modules(mandeldask.lazy.__path__, "mandeldask.lazy.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name):
    assert doctest.testmod(import_module(name)).failed == 0


def test_there_are_examples():
    assert sum(doctest.testmod(import_module(name)).attempted for name in MODULES) > 15
