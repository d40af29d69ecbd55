"""The manual: `make site` builds it strictly into build/site, readable offline."""

from __future__ import annotations

from mandeldask import __version__

project = "mandeldask"
author = "The mandeldask developers"
copyright = author  # noqa: A001  Sphinx's own name
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx-mathjax-offline"]
exclude_patterns = ["build", "Thumbs.db"]
html_theme = "furo"
html_title = f"mandeldask {__version__}"
html_copy_source = False
html_show_sphinx = False

myst_enable_extensions = ["dollarmath", "attrs_inline"]
myst_heading_anchors = 4
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300

napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_typehints = "none"  # docstrings say what the types mean
autodoc_member_order = "bysource"
