"""The Mandelbrot set as an infinite, exact, offline dataset.

>>> import mandeldask as md
>>> tree = md.open_pyramid(levels=50)
>>> tree["49/iterations"].shape
(1024, 1024)
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mandeldask.app import create_app as create_app
    from mandeldask.app import serve as serve
    from mandeldask.cache_control import caches as caches
    from mandeldask.cache_control import clear_caches as clear_caches
    from mandeldask.cache_control import limit_caches as limit_caches
    from mandeldask.demo import demo_tree as demo_tree
    from mandeldask.exporting import export as export
    from mandeldask.files.paths import open_path as open_path
    from mandeldask.fixtures import fixture_tree as fixture_tree
    from mandeldask.fractal import atlas as atlas
    from mandeldask.fractal.atlas import nucleus as nucleus
    from mandeldask.fractal.pyramid import Pyramid as Pyramid
    from mandeldask.fractal.suggest_maxiter import suggest_maxiter as suggest_maxiter
    from mandeldask.image_pyramid import pyramid as pyramid
    from mandeldask.lazy.tree import open_pyramid as open_pyramid
    from mandeldask.lazy.window import window as window
    from mandeldask.notebook.widget import view as view
    from mandeldask.picture import render as render
    from mandeldask.verification import verify as verify
    from mandeldask.web.vizarr import vizarr_url as vizarr_url
    from mandeldask.zarrview.mapping import to_mapping as to_mapping
    from mandeldask.zarrview.store import to_store as to_store

__version__ = "0.2.0"

_MODULES = {
    "Pyramid": "mandeldask.fractal.pyramid",
    "atlas": "mandeldask.fractal",
    "caches": "mandeldask.cache_control",
    "clear_caches": "mandeldask.cache_control",
    "create_app": "mandeldask.app",
    "demo_tree": "mandeldask.demo",
    "export": "mandeldask.exporting",
    "fixture_tree": "mandeldask.fixtures",
    "limit_caches": "mandeldask.cache_control",
    "nucleus": "mandeldask.fractal.atlas",
    "open_path": "mandeldask.files.paths",
    "open_pyramid": "mandeldask.lazy.tree",
    "pyramid": "mandeldask.image_pyramid",
    "render": "mandeldask.picture",
    "serve": "mandeldask.app",
    "suggest_maxiter": "mandeldask.fractal.suggest_maxiter",
    "to_mapping": "mandeldask.zarrview.mapping",
    "to_store": "mandeldask.zarrview.store",
    "verify": "mandeldask.verification",
    "view": "mandeldask.notebook.widget",
    "vizarr_url": "mandeldask.web.vizarr",
    "window": "mandeldask.lazy.window",
}
"""The module of each public name; a module is imported on the first use of one of its names."""

_SHOWN = {"open_pyramid", "view", "window"}
"""Names whose first use makes notebooks show pyramids and windows compactly."""

__all__ = [
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


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `import mandeldask` costs neither numba nor a web server."""
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    module = import_module(_MODULES[name])
    value = getattr(module, name) if hasattr(module, name) else import_module(f"{_MODULES[name]}.{name}")
    if name in _SHOWN and "IPython" in sys.modules:  # notebook cells show the results of these as a picture
        import_module("mandeldask.notebook.display").register()
    globals()[name] = value  # the import may have bound the submodule of the same name here; replace it
    return value


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return sorted({*globals(), *__all__})
