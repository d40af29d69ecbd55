"""The public names, which users' code imports."""

import pkgutil
import re
from pathlib import Path

import mandeldask as md

PUBLIC = [
    "Pyramid",
    "atlas",
    "caches",
    "clear_caches",
    "create_app",
    "demo_tree",
    "export",
    "fixture_tree",
    "limit_caches",
    "nucleus",
    "open_path",
    "open_pyramid",
    "pyramid",
    "render",
    "serve",
    "suggest_maxiter",
    "to_mapping",
    "to_store",
    "verify",
    "view",
    "vizarr_url",
    "window",
]


def test_public_names_are_these():
    assert sorted(md.__all__) == PUBLIC
    assert all(callable(getattr(md, name)) for name in PUBLIC if name != "atlas")  # a module


def test_every_public_name_is_in_the_manual():
    page = (Path(__file__).parents[1] / "docs" / "reference" / "python.md").read_text("utf-8")
    documented = re.findall(r"^\.\. auto(?:function|class):: (?:mandeldask\.fractal\.)?(\w+)", page, re.MULTILINE)
    assert sorted(set(documented)) == PUBLIC


def test_no_module_hides_a_public_name():
    """Importing ``mandeldask.<name>`` would bind the module over the function."""
    modules = {module.name for module in pkgutil.iter_modules(md.__path__)}

    assert not modules & set(PUBLIC)


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(md, "Mandelbrot")


def test_the_version_is_the_same_everywhere():
    root = Path(__file__).parents[1]
    assert f"version: {md.__version__}\n" in (root / "CITATION.cff").read_text("utf-8")
    assert f"Version {md.__version__} " in (root / "README.md").read_text("utf-8")
    assert f"## {md.__version__} " in (root / "CHANGELOG.md").read_text("utf-8")
