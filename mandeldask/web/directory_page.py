"""Directory pages: groups and arrays as HTML links, for browsers and fsspec."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

HTML = "text/html; charset=utf-8"

_MARKUP = {*"<>&'\""}


def page(path: str, names: Iterable[str]) -> bytes:
    """Return the HTML page that links `names`, the members and documents right below the URL path `path`.

    Links are relative, so they hold behind a proxy's prefix and repeat no key. ``<base>`` makes browsers read them
    from the directory where the URL lacks the trailing slash; fsspec appends them to the URL in either case.

    Examples
    --------
    >>> b'<a href="c">c</a>' in page("/a/b", ["c"])
    True
    """
    last = path.rsplit("/", 1)[-1]
    base = "" if not last else f'<base href="{escape(quote(last))}/">'
    links = "\n".join(f'<li><a href="{_href(name)}">{escape(name)}</a></li>' for name in names)
    title = escape(path)
    return f"<!doctype html>\n<title>{title}</title>{base}\n<h1>{title}</h1>\n<ul>\n{links}\n</ul>\n".encode()


def _href(name: str) -> str:
    """Return the link to `name`: fsspec takes links for names as they are, so only what HTML forbids is encoded."""
    return escape(quote(name)) if _MARKUP & {*name} else name
