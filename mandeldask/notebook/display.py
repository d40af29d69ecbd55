"""HTML of pyramids and windows as the result of a cell: a picture and a description of about twelve lines."""

from __future__ import annotations

import sys
from html import escape
from typing import TYPE_CHECKING, Any

import xarray as xr

from mandeldask.lazy.accessor import DataArrayAccessor, TreeAccessor
from mandeldask.notebook.thumbnail import thumbnail
from mandeldask.zarrview.preparing import MARK

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN = 40
"""Largest number of characters of a number that are shown; numbers of deep places have hundreds."""


def register() -> None:
    """Register these functions with IPython; other objects of the same types keep their display."""
    shell = sys.modules["IPython"].get_ipython()
    if shell is None:
        return
    formatter = shell.display_formatter.formatters["text/html"]
    formatter.for_type(xr.DataTree, tree_html)
    formatter.for_type(xr.Dataset, dataset_html)
    formatter.for_type(TreeAccessor, lambda accessor: tree_html(accessor.tree))
    formatter.for_type(DataArrayAccessor, lambda accessor: dataset_html(accessor.array.to_dataset(name="array")))


def tree_html(tree: xr.DataTree) -> str:
    """Return HTML of a pyramid's root; for other trees, xarray's own HTML."""
    if MARK not in tree.attrs or not tree.children:
        return _own(tree)
    levels = sorted(tree.children, key=int)
    fields = list(tree[levels[-1]].data_vars)
    finest = tree[levels[0]][fields[0]].shape
    described = tree.attrs[MARK]
    facts = {
        "Levels": f"{len(levels)}, the finest {' × '.join(_count(size) for size in finest)} pixels",
        "Middle": _short(tree.attrs.get("exact_center", "")),
        "Width": _short(tree.attrs.get("exact_width", "")),
        "maxiter": str(described.get("maxiter", "")),
        "Fields": ", ".join(map(str, fields)),
        "A level": f'tree["{levels[-1]}/{fields[0]}"]',
        "A window": "tree.mandel.window(center, width, shape)",
        "Look at it": "md.view(tree)",
    }
    picture = thumbnail(tree[levels[-1]].to_dataset()[fields[0]])
    rows = (f"<tr>{_cell(level)}{_cell(_sides(tree, level, fields[0]))}</tr>" for level in levels)
    more = f"<details><summary>All levels</summary><table>{''.join(rows)}</table></details>"
    return _card(str(tree.attrs.get("title", tree.name)), picture, facts, more)


def dataset_html(data: xr.Dataset) -> str:
    """Return HTML of a window of a pyramid; for other Datasets, xarray's own HTML."""
    placed = [place for place in data.coords.values() if "exact_spacing" in place.attrs]
    if len(placed) < 2 or not data.data_vars:  # noqa: PLR2004  y and x
        return _own(data)
    fields = list(data.data_vars)
    first = data[fields[0]]
    facts = {
        "Shape": " × ".join(f"{size:,} {name}" for name, size in data.sizes.items()),
        "Middle": _short(data.attrs.get("exact_center", "")),
        "Width": _short(data.attrs.get("exact_width", "")),
        "Spacing": _short(placed[-1].attrs["exact_spacing"]),
        "maxiter": str(data.attrs.get("maxiter", first.attrs.get("maxiter", ""))),
        "Fields": ", ".join(f"{name} ({data[name].dtype})" for name in fields),
    }
    more = f"<details><summary>As xarray shows it</summary>{_own(data)}</details>"
    return _card("Window", thumbnail(first), facts, more)


def _own(shown: Any) -> str:
    """Return xarray's own HTML."""
    return str(shown._repr_html_())


def _card(title: str, picture: str, facts: Mapping[str, str], more: str) -> str:
    rows = "".join(f"<tr>{_cell(name)}{_cell(text)}</tr>" for name, text in facts.items() if text)
    style = "display:flex;gap:1.2em;align-items:flex-start;flex-wrap:wrap"
    table = f"<div><strong>{escape(title)}</strong><table>{rows}</table>{more}</div>"
    return f'<div style="{style}">{picture}{table}</div>'


def _cell(text: str) -> str:
    return f'<td style="text-align:left">{escape(text)}</td>'


def _sides(tree: xr.DataTree, level: str, field: Any) -> str:
    return " × ".join(_count(size) for size in tree[level][field].shape)


def _count(size: int) -> str:
    """Return a number of pixels, as a power of two if it is large."""
    power = size.bit_length() - 1
    return f"2^{power}" if size == 1 << power and power >= 20 else f"{size:,}"  # noqa: PLR2004  a million


def _short(text: Any) -> str:
    whole = str(text)
    return whole if len(whole) <= SHOWN else f"{whole[:SHOWN]}…"
