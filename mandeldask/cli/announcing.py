"""Output of `mandeldask serve PATH` at the start: a URL and a viewer link for each item."""

from __future__ import annotations

import webbrowser
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote

from rich.console import Console

from mandeldask.viewers import vizarr_link
from mandeldask.zarrview.nodes import Array, Group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mandeldask.warming import Warmed
    from mandeldask.zarrview.nodes import Node

LISTED = 20
"""Largest number of members of a folder whose URLs are printed."""


def announce_trees(
    address: str, *, trees: Mapping[str, Node], paths: Mapping[str, str], images: bool, guarded: bool
) -> None:
    """Print the URL of every tree once the server accepts requests; `paths` are below ``/zarr/v3``.

    If the server makes levels of `images`, viewer links point to these.
    """
    base = f"{address}/key/YOUR-KEY" if guarded else address
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"[bold]Viewer[/]  [cyan]{base}/[/]")
    for name, node in trees.items():
        path = paths[name]
        console.print(f"[bold]{name}[/]", highlight=False)
        console.print(f"  Zarr v2 [cyan]{base}/zarr/v2{path}[/]")
        console.print(f"  Zarr v3 [cyan]{base}/zarr/v3{path}[/]")
        console.print(f"  page    [cyan]{base}/browse{path.removesuffix('.zarr') or '/'}[/]")
        if isinstance(node, Array) or "ome" in node.attrs:
            levels = f"{base}/zarr/v3/images{path}" if images else f"{base}/zarr/v3{path}"
            console.print(f"  vizarr  [cyan]{vizarr_link(levels)}[/]")
        else:
            _announce_members(console, f"{base}/zarr/v3{path}", node)
    console.print("Ctrl-C stops.", style="dim")


def announce_root(address: str, *, guarded: bool, image: str) -> None:
    """Print the URL of a tree that is the server's root, and a link that shows an image of it."""
    base = f"{address}/key/YOUR-KEY" if guarded else address
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"[bold]Viewer[/]  [cyan]{base}/[/]")
    console.print(f"[bold]Zarr v2[/] [cyan]{base}/zarr/v2/[/]")
    console.print(f"[bold]Zarr v3[/] [cyan]{base}/zarr/v3/[/]")
    console.print(f"[bold]vizarr[/]  [cyan]{vizarr_link(f'{base}/zarr/v2/{image}')}[/]")
    console.print("Ctrl-C stops.", style="dim")


def opened_in_browser(announce: Callable[[str], None], keys: Sequence[str] | None) -> Callable[[str], None]:
    """Return a function that prints the URLs and then opens the page with the first of `keys`."""

    def announced(address: str) -> None:
        announce(address)
        webbrowser.open(f"{address}/key/{quote(keys[0], safe='')}/" if keys else f"{address}/")

    return announced


def _announce_members(console: Console, url: str, group: Group) -> None:
    """Print the URLs of the first members of a folder, and the names of the members that are left out."""
    names = list(islice(group.members, LISTED + 1))
    for name in names[:LISTED]:
        console.print(f"    [cyan]{url}/{quote(name)}[/]")
    if len(names) > LISTED:
        console.print(f"    ... and more: {url}/", style="dim")
    for name, reason in group.skipped.items():
        console.print(f"    {name} is left out: {reason}", style="yellow", markup=False)


def announce_warmed(warmed: Warmed) -> None:
    """Print how many images have complete levels, and which images failed."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    images = "1 image" if warmed.images == 1 else f"{warmed.images} images"
    console.print(f"Made the levels of {images} in {warmed.seconds:.1f} s.", style="dim")
    for path in warmed.failed:
        console.print(f"The levels of {path} could not be made; see the log.", style="yellow", markup=False)
