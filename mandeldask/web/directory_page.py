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
    """Return an HTML page with links to `names`, the members and documents directly below the URL path `path`.

    Links are relative, so they work behind a proxy's prefix and do not repeat an API key. With ``<base>`` they also
    work in browsers if the URL lacks the trailing slash; fsspec appends them to the URL in both cases.

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
    """Return the link to `name`. fsspec uses links as names, so only characters that HTML forbids are encoded."""
    return escape(quote(name)) if _MARKUP & {*name} else name
