"""`mandeldask serve`: serve a pyramid over HTTP, with a page that shows it."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from mandeldask.atlas_tables import atlas_tree
from mandeldask.cli.announcing import (
    announce_root,
    announce_trees,
    announce_warmed,
    opened_in_browser,
)
from mandeldask.cli.options import (
    AllowHuge,
    Center,
    Coarser,
    Fields,
    Julia,
    Levels,
    Maxiter,
    PyramidOptions,
    Tilesize,
    Width,
)
from mandeldask.cli.paths import (
    Demo,
    Exclude,
    FileOptions,
    Fixtures,
    FollowSymlinks,
    Hidden,
    Include,
    Paths,
    StackOption,
)
from mandeldask.cli.preparing import prepared
from mandeldask.fractal.kernels import kernel_of
from mandeldask.viewers import VIZARR, vizarr_link
from mandeldask.zarrview.cache_file import FOLDER_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


SERVER, PLACES, ACCESS = "Server", "Places by URL", "Access"


def serve(
    paths: Paths = None,
    *,
    include: Include = None,
    exclude: Exclude = None,
    hidden: Hidden = False,
    follow_symlinks: FollowSymlinks = False,
    stack: StackOption = None,
    demo: Demo = False,
    fixtures: Fixtures = False,
    levels: Levels = 50,
    tilesize: Tilesize = 512,
    maxiter: Maxiter = "255",
    center: Center = "0",
    width: Width = None,
    fields: Fields = "iterations",
    julia: Julia = None,
    allow_huge: AllowHuge = False,
    name: Annotated[
        str | None,
        typer.Option(
            help="Name in URLs: /zarr/v3/NAME. Default: mandelbrot, or the names of the files and folders.",
            rich_help_panel=SERVER,
        ),
    ] = None,
    root: Annotated[
        bool, typer.Option("--root", help="Serve a single tree as /zarr/v3 itself.", rich_help_panel=SERVER)
    ] = False,
    codec: Annotated[
        str, typer.Option(help="Codec of the chunks: gzip, blosc, zstd or none.", rich_help_panel=SERVER)
    ] = "gzip",
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page in a browser on this machine.", rich_help_panel=SERVER)
    ] = False,
    host: Annotated[str, typer.Option(help="Address to listen at.", rich_help_panel=SERVER)] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port; 0 for any free one.", rich_help_panel=SERVER)
    ] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the port.", rich_help_panel=SERVER)] = 1,
    threads: Annotated[
        int, typer.Option(min=0, help="Threads that compute tiles; 0 for one per CPU.", rich_help_panel=SERVER)
    ] = 0,
    queue: Annotated[
        int, typer.Option(min=0, help="Tiles that may wait; further requests get status 503.", rich_help_panel=SERVER)
    ] = 256,
    client_seconds: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="CPU seconds per minute that a client on another machine may use; 0 for no limit. Default: half "
            "of all CPU time.",
            rich_help_panel=SERVER,
        ),
    ] = None,
    connections: Annotated[
        int,
        typer.Option(
            min=0,
            help="Limit of connections per process; 0 for three quarters of the file descriptors it may open.",
            rich_help_panel=SERVER,
        ),
    ] = 0,
    coarser: Coarser = "auto",
    warm: Annotated[
        bool,
        typer.Option(
            "--warm",
            help="Make all levels of images in advance, while serving; --cache-dir keeps them for the next run.",
            rich_help_panel=SERVER,
        ),
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="dask scheduler whose workers compute the tiles, such as tcp://10.0.0.1:8786.",
            envvar="MANDELDASK_SCHEDULER",
            rich_help_panel=SERVER,
        ),
    ] = None,
    cache_bytes: Annotated[
        int, typer.Option(min=0, help="Size of the cache of encoded tiles in memory, in bytes.", rich_help_panel=SERVER)
    ] = 2**30,
    cache_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of the cache of tiles between runs (one file).", rich_help_panel=SERVER),
    ] = None,
    cache_dir_bytes: Annotated[
        int, typer.Option(min=0, help="Greatest size of this folder on the disk, in bytes.", rich_help_panel=SERVER)
    ] = FOLDER_BYTES,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            help=f'Origin whose pages may read (repeatable; "*" for all). Default: {VIZARR}, the origin of vizarr.',
            rich_help_panel=ACCESS,
        ),
    ] = None,
    api_key: Annotated[
        list[str] | None,
        typer.Option(
            help="Key that requests must send (repeatable; KEY:NAME,NAME limits it to these trees).",
            envvar="MANDELDASK_API_KEY",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    api_keys_file: Annotated[
        Path | None,
        typer.Option(
            help="File of such keys, one per line; read again when it changes.",
            envvar="MANDELDASK_API_KEYS_FILE",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            help='Host name that requests may use (repeatable; "*.example.org", "*"). Default: the host and the names '
            "of this machine; any name with a key or --public.",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    public: Annotated[
        bool,
        typer.Option("--public", help="Allow all clients that can reach the host to read.", rich_help_panel=ACCESS),
    ] = False,
    places: Annotated[
        bool | None,
        typer.Option(
            help="Serve any place: /zarr/v3/at/SPEC.zarr. Default: only without PATHS.", rich_help_panel=PLACES
        ),
    ] = None,
    max_iter_limit: Annotated[
        int, typer.Option(min=1, help="Greatest maxiter of a place.", rich_help_panel=PLACES)
    ] = 1_500_000,
    max_depth: Annotated[
        int, typer.Option(min=1, help="Smallest pixel spacing of a place: 10^-N.", rich_help_panel=PLACES)
    ] = 1100,
    max_digits: Annotated[
        int, typer.Option(min=1, help="Greatest number of characters of a place.", rich_help_panel=PLACES)
    ] = 12_000,
    max_seconds: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Greatest estimated seconds of a chunk of any tree. Default: 2400 for a place, 600 "
            "with --public, otherwise no limit.",
            rich_help_panel=SERVER,
        ),
    ] = None,
) -> None:
    """Serve files and folders, or a pyramid, as Zarr v2 and v3, with a page that shows them. Ctrl-C stops.

    **Examples:**

    `mandeldask serve`

    `mandeldask serve scan.tif runs/`

    `mandeldask serve --demo`

    `mandeldask serve --center "-0.7436438870371587+0.1318259042053120j" --width 1e-12 --levels 8 --maxiter auto`
    """
    files = FileOptions.of(paths, include, exclude, stack, hidden=hidden, follow_symlinks=follow_symlinks)
    pyramid = PyramidOptions(levels, tilesize, maxiter, center, width, fields, julia, allow_huge).pyramid()
    own = [option for option, chosen in (("--demo", demo), ("--fixtures", fixtures)) if chosen]
    if own and (paths or own[1:]):
        msg = f"{own[0]} serves its own tree; do not combine it with {own[1] if own[1:] else 'paths'}"
        raise ValueError(msg)
    trees = _own_tree(own[0]) if own else files.trees()
    root = root or bool(own)
    served = _served(trees or {name or kernel_of(pyramid, 0).about.name: pyramid}, name, root=root)
    if not trees and name is None and not root:
        served = {**served, "atlas": atlas_tree()}
    paths_of = {each: "" if root else f"/{quote(each)}.zarr" for each in served}
    announce: Callable[..., None] = partial(
        _announce, path=next(iter(paths_of.values())), coarsest=levels - 1, field=pyramid.fields[0]
    )
    if trees:
        listed = partial(announce_trees, trees=served, paths=paths_of, images=coarser != "none")
        image = "nested/images/medium_image" if demo else "image"
        announce = partial(announce_root, image=image) if own else listed
    announce = partial(announce, guarded=bool(api_key or api_keys_file))
    from mandeldask.app import serve as serve_tree  # noqa: PLC0415  a web server, which is an extra
    from mandeldask.limits import Limits  # noqa: PLC0415  slow to import

    with nullcontext() if trees else prepared(pyramid):
        serve_tree(
            None if root else served,
            root=next(iter(served.values())) if root else None,
            codecs=codec,
            host=host,
            port=port,
            workers=workers,
            connections=connections,
            client_seconds=client_seconds,
            public=public,
            api_keys=tuple(api_key or ()),
            api_keys_file=api_keys_file,
            allowed_hosts=tuple(allowed_host or ()),
            allow_origins=tuple(allow_origin or (VIZARR,)),
            cache_bytes=cache_bytes,
            cache_dir=cache_dir,
            cache_dir_bytes=cache_dir_bytes,
            threads=threads,
            queue=queue,
            scheduler=scheduler,
            pyramid=coarser,
            places=not trees if places is None else places,
            limits=Limits(max_iter=max_iter_limit, max_depth=max_depth, max_digits=max_digits, max_seconds=max_seconds),
            started=opened_in_browser(announce, api_key) if open_page else announce,
            warm=warm,
            warmed=announce_warmed,
        )


def _own_tree(option: str) -> Mapping[str, Any]:
    """Return the tree of an option. Its imports take half a second."""
    if option == "--demo":
        from mandeldask.demo import demo_tree  # noqa: PLC0415

        return {"demo": demo_tree()}
    from mandeldask.fixtures import fixture_tree  # noqa: PLC0415

    return {"fixtures": fixture_tree()}


def _served(trees: Mapping[str, Any], name: str | None, *, root: bool) -> Mapping[str, Any]:
    """Return the trees by the names under which they are served."""
    if len(trees) > 1 and (name is not None or root):
        msg = f"{'--root' if root else '--name'} is for one tree, not for {', '.join(trees)}"
        raise ValueError(msg)
    return trees if name is None else dict.fromkeys([name], *trees.values())


def _announce(address: str, *, path: str, coarsest: int, field: str, guarded: bool) -> None:
    """Print the URLs once the server accepts requests."""
    base = f"{address}/key/YOUR-KEY" if guarded else address
    v2, v3 = (f"{base}/zarr/{format_}{path}" for format_ in ("v2", "v3"))
    console = Console(soft_wrap=True, highlight=False)
    for label, url in (
        ("Viewer", f"{base}/"),
        ("Zarr v2", v2),
        ("Zarr v3", v3),
        ("vizarr", vizarr_link(v3)),
    ):
        console.print(f"[bold]{label:<8}[/] [cyan]{url}[/]")
    console.print("[bold]Python[/]")
    for line in _snippet(v3, coarsest, field):
        console.print(f"  {line}", markup=False)
    console.print("Ctrl-C stops.", style="dim")


def _snippet(url: str, level: int, field: str) -> Sequence[str]:
    return (
        "import xarray as xr",
        f'tree = xr.open_datatree("{url}", engine="zarr", chunks=None)',
        f'tree["{level}/{field}"].mean()',
    )
