"""All script modules of the pages as one module, for a widget, which cannot fetch modules from a server."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING

from mandeldask.web.browser.application import FILES

if TYPE_CHECKING:
    from collections.abc import Iterator

_IMPORT = re.compile(r'from"?\s*"\./([^"]+)"')

_BOOT = """\
const sources = {sources};
const style = {style};
const urls = {{}};
for (const [name, text] of Object.entries(sources)) {{
  const whole = text.replaceAll(/(from\\s*)"\\.\\/([^"]+)"/g, (_, before, path) => `${{before}}"${{urls[path]}}"`);
  urls[name] = URL.createObjectURL(new Blob([whole], {{ type: "text/javascript" }}));
}}
const {{ render }} = await import(urls["{entry}"]);
export default {{ render: (context) => render(context, style) }};
"""


@cache
def bundled(entry: str = "kernel.js", style: str = "browser.css") -> str:
    """Return a module that exports the exports of `entry` and contains all its imports.

    Parameters
    ----------
    entry : str
        Name of a module of the pages; its `render` also receives the text of `style`.
    style : str
        Name of a style sheet of the pages.
    """
    names = dict.fromkeys(_before(entry, ()))
    sources = {name: _text(name) for name in names}
    return _BOOT.format(sources=json.dumps(sources), style=json.dumps(_text(style)), entry=entry)


def _before(name: str, path: tuple[str, ...]) -> Iterator[str]:
    """Yield the modules that `name` imports, each after its own imports, then `name`."""
    for wanted in _IMPORT.findall(_text(name)):
        if wanted not in path:
            yield from _before(wanted, (*path, name))
    yield name


def _text(name: str) -> str:
    return FILES.files()[name].content.decode()
