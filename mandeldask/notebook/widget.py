"""view: the pages of a server in a notebook cell, without an open port."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import xarray as xr

from mandeldask.app import create_app, serve
from mandeldask.fractal.pyramid import Pyramid
from mandeldask.jupyter import notebook_origins
from mandeldask.lazy.tree import open_pyramid
from mandeldask.notebook.answering import Answer, answer_to, ask
from mandeldask.notebook.modules import bundled
from mandeldask.zarrview.preparing import prepare

try:
    import anywidget
    import traitlets
except ModuleNotFoundError as error:
    msg = "a view in a notebook needs anywidget: pip install 'mandeldask[notebook]'"
    raise ModuleNotFoundError(msg, name=error.name) from error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mandeldask.web.application import Application
    from mandeldask.web.serving import Handle

HEIGHT = 480
"""Height of the picture in a cell, in pixels."""


class Viewer(anywidget.AnyWidget):
    """The pages of a tree in a cell. The widget contains its code, and reads data through the notebook's own channel.

    Parameters
    ----------
    app : Application, optional
        The application that answers requests; None if the pages are those of a server.
    server : Handle, optional
        The server, if there is one.
    """

    _esm = bundled()
    page = traitlets.Unicode("/browse/").tag(sync=True)
    """Path of the page that is shown; can be set."""
    state = traitlets.Unicode("").tag(sync=True)
    """View of an image: the part of the page's URL after ``#``; can be set."""
    height = traitlets.Int(HEIGHT).tag(sync=True)
    """Height of the picture in pixels."""
    url = traitlets.Unicode("").tag(sync=True)
    """URL of the page of a server, if there is a server."""

    def __init__(self, app: Application | None = None, server: Handle | None = None, **traits: Any) -> None:
        super().__init__(**traits)
        self.app = app
        self.server = server
        self._questions: dict[str, Callable[[], object]] = {}
        self._lock = threading.Lock()
        self.on_msg(self._asked)

    def _asked(self, _: Any, message: dict[str, Any], __: Sequence[memoryview]) -> None:
        """Handle a request of the page, or its cancellation."""
        number = message["id"]
        if message.get("stop"):
            self._questions.pop(number, lambda: None)()
            return

        def answered(answer: Answer) -> None:
            with self._lock:
                self._questions.pop(number, None)
            self.send({"id": number, "status": answer.status}, [answer.body])

        if self.app is not None:
            with self._lock:  # it may be answered before it is stored here
                self._questions[number] = ask(self.app, message["target"], answered, message.get("range"))

    def close(self) -> None:
        """Close it in all cells, and stop its server."""
        for stop in list(self._questions.values()):
            stop()
        if self.server is not None:
            self.server.stop()
        super().close()


def view(tree: Any = None, path: str = "", *, height: int = HEIGHT, server: bool = False, **options: Any) -> Viewer:
    """Return a widget that shows a tree in a notebook: images with sliders and colours, lines, tables, names.

    Data is read through the notebook's own channel, in JupyterLab, VS Code or behind a hub: no port is opened, and no
    other host is contacted. Kernels that are not yet compiled are compiled before this function returns.

    Parameters
    ----------
    tree : any tree, optional
        Any tree that `serve` accepts: a pyramid, a window, a Dataset, an array, a table, or a Mapping of these. The
        default Pyramid if None.
    path : str
        Path of a group or array in the tree; for a Mapping, it begins with the name of a tree. By default the tree
        itself, or the only array of a Dataset.
    height : int
        Height of the picture in pixels.
    server : bool
        Start a server in the background, as `serve` does, and show its page instead; for the Mandelbrot set, this is
        the page that zooms to any depth. The browser must be able to reach this machine.
    **options
        Options of `create_app`; with `server`, options of `serve`.

    Returns
    -------
    Viewer
        The widget. Its `page` and `state` describe what is shown, and can be set; `close()` ends the widget and its
        server.

    Raises
    ------
    ModuleNotFoundError
        If anywidget is not installed: ``pip install 'mandeldask[notebook]'``.
    LookupError
        If there is nothing at `path`.
    TypeError, ValueError
        If the tree cannot be shown.

    Examples
    --------
    >>> import numpy as np
    >>> view(np.zeros((3, 4)), height=300).page
    '/browse/data'
    """
    shown = open_pyramid(tree or Pyramid(), chunks=None) if tree is None or isinstance(tree, Pyramid) else tree
    chosen = {"pyramid": "auto", **options}
    handle = None
    if server:
        chosen["allow_origins"] = (*options.get("allow_origins", ()), *notebook_origins())
        handle = serve(shown, background=True, **chosen)
    app = create_app(shown, **{"places": False, "client_seconds": 0, **chosen}) if handle is None else handle.app
    names = [*app.catalog.names] if len(app.catalog.names) == 1 else []
    inside = [each for each in (path or _only(shown)).split("/") if each]
    pages = ["/browse/" + "/".join(quote(each, safe="") for each in parts) for parts in ([*names, *inside], inside)]
    page = next((each for each in pages if answer_to(app, each).status == OK), None)
    if page is None:
        msg = f"there is nothing at {path!r} in the tree"
        raise LookupError(msg)
    for node in app.catalog.pyramids():
        prepare(node)
    if handle is None:
        return Viewer(app, page=page, height=height)
    url = handle.address + ("/" if app.catalog.has_set and not path else page)
    return Viewer(None, handle, page=page, height=height, url=url)


OK = 200


def _only(tree: Any) -> str:
    """Return the name of the only array of a Dataset, which is shown directly."""
    names = list(tree.data_vars) if isinstance(tree, xr.Dataset) else []
    return str(names[0]) if len(names) == 1 else ""
