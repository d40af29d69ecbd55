"""HTML of the pages, as text. Everything from a tree is escaped."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mandeldask.viewers import vizarr_link

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mandeldask.web.browser.items import Item

HTML = "text/html; charset=utf-8"

LONGEST = 2000
"""Number of characters of an attribute that are shown initially."""


def link(href: str, text: str, **attributes: str) -> str:
    """Return a link."""
    more = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    return f'<a href="{escape(href)}"{more}>{escape(text)}</a>'


def segments(path: str) -> list[str]:
    """Return the names in a path."""
    return [name for name in path.split("/") if name]


def as_url(names: Iterable[str]) -> str:
    """Return names as a relative URL path."""
    return "/".join(quote(name, safe="") for name in names)


def page(title: str, root: str, folder: str, body: str, script: str = "") -> bytes:
    """Return a complete page.

    Parameters
    ----------
    title : str
        Its title.
    root : str
        Relative URL of the server's root, ending in a slash.
    folder : str
        Path of the scripts and styles, from the root.
    body : str
        HTML of the body.
    script : str
        Name of the module that draws into it, if any.
    """
    files = f"{root}{folder}"
    module = f'<script type="module" src="{files}{script}"></script>' if script else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="dark light">
<title>{escape(title)}</title>
<link rel="icon" href="{root}viewer/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{files}browser.css">
{module}
</head>
<body>
{body}
</body>
</html>
""".encode()


def breadcrumbs(root: str, names: Sequence[str], start: str = "browse") -> str:
    """Return links to the parent groups of a node, followed by its name."""
    parts = [link(f"{root}{start}/", "All trees" if names else "mandeldask")]
    for depth, name in enumerate(names):
        here = depth == len(names) - 1
        url = f"{root}{start}/{as_url(names[: depth + 1])}"
        parts.append(f'<span aria-current="page">{escape(name)}</span>' if here else link(url, name))
    items = "".join(f"<li>{part}</li>" for part in parts)
    return f'<nav class="crumbs" aria-label="Path"><ol>{items}</ol></nav>'


def table_of(items: Sequence[Item], prefix: str, thumbnails: Mapping[str, Mapping[str, str]]) -> str:
    """Return the members of a group as a table.

    Parameters
    ----------
    items : sequence of Item
        The members.
    prefix : str
        Relative URL to which a member's name is appended.
    thumbnails : mapping of str to mapping of str to str
        Sources of the thumbnails by member: the URL of an array as ``zarr``, or of the group of its levels as
        ``levels``. Empty if the member has none.
    """
    rows = "\n".join(_row(item, prefix, thumbnails[item.name]) for item in items)
    head = "".join(f'<th scope="col">{title}</th>' for title in ("Name", "Kind", "Shape", "Type", "Size", "About"))
    table = f'<table class="members"><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table>'
    return f'<div class="scroll">{table}</div>'


def data(values: Mapping[str, str]) -> str:
    """Return values as data attributes for a script."""
    return " ".join(f'data-{name}="{escape(value)}"' for name, value in values.items())


def _row(item: Item, prefix: str, thumbnail: Mapping[str, str]) -> str:
    name = f'<div class="member">{_picture(item, thumbnail)}{link(prefix + quote(item.name), item.name)}</div>'
    shape = " × ".join(f"{size:,} <i>{escape(dim)}</i>".replace(" <i></i>", "") for size, dim in item.sides)
    about = next((str(item.attrs[name]) for name in ("long_name", "title", "description") if name in item.attrs), "")
    units = item.attrs.get("units")
    about = f"{about} [{units}]" if isinstance(units, str) else about
    cells = (item.kind, escape(item.type_name), item.size, escape(about[:200]))
    kind, *rest = (f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{name}</th>{kind}<td class="shape">{shape}</td>{"".join(rest)}</tr>'


def _picture(item: Item, thumbnail: Mapping[str, str]) -> str:
    """Return the element in which a script draws a thumbnail of a member; otherwise a symbol of its kind."""
    if not thumbnail:
        return f'<span class="glyph {item.kind}" aria-hidden="true"></span>'
    return f'<canvas class="thumb" width="96" height="64" aria-hidden="true" {data(thumbnail)}></canvas>'


def attributes_of(attrs: Mapping[str, Any]) -> str:
    """Return attributes as a definition list; long values are collapsed."""
    if not attrs:
        return ""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{_value(value)}</dd>" for name, value in attrs.items())
    return f'<section class="attributes"><h2>Attributes</h2><dl>{rows}</dl></section>'


def _value(value: Any) -> str:
    if isinstance(value, str):
        return escape(value[:LONGEST])
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= 80:  # noqa: PLR2004  a line
        return f"<code>{escape(text)}</code>"
    whole = json.dumps(value, ensure_ascii=False, indent=1)
    return f"<details><summary><code>{escape(text[:70])}…</code></summary><pre>{escape(whole[:20_000])}</pre></details>"


def addresses(base: str, root: str, path: str, image: str, item: Item) -> str:
    """Return the URLs of a node, and code that opens it.

    Parameters
    ----------
    base : str
        URL of the server's root, ending in a slash.
    root : str
        The same, relative to the URL of the page, which includes prefixes and keys.
    path : str
        Path of the node below ``zarr/v3/``.
    image : str
        Path of the group of levels of the node as an image, below ``zarr/v3/``; "" if there is none.
    item : Item
        The node.
    """
    v3, v2 = f"{base}zarr/v3/{path}", f"{base}zarr/v2/{path}"
    lines = [("Zarr v3", v3), ("Zarr v2", v2)]
    opened = _xarray(v3) if item.is_group else f'import zarr\narray = zarr.open_array("{v3}", mode="r")'
    lines.append(("Python", opened))
    if not item.is_group:
        store = f'new zarr.FetchStore("{v3}")'
        script = f'import * as zarr from "zarrita";\nconst array = await zarr.open({store}, {{ kind: "array" }});'
        lines.append(("JavaScript", script))
    if image:
        levels = f"{base}zarr/v3/{image}.zarr"
        lines.append(("OME-Zarr", levels))
        lines.append(("vizarr", vizarr_link(levels)))
    elif item.is_group and item.kind == "image":
        lines.append(("vizarr", vizarr_link(v3)))
    rows = "".join(f"<dt>{name}</dt><dd><pre>{escape(text)}</pre></dd>" for name, text in lines)
    section = f'<section class="addresses" {data({"base": base, "root": root})}>'
    return f"{section}<h2>Open it elsewhere</h2><dl>{rows}</dl></section>"


def _xarray(url: str) -> str:
    return f'import xarray as xr\ntree = xr.open_datatree("{url}", engine="zarr", chunks=None)'
