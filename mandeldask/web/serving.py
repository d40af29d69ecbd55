"""Run an application: in the foreground, in several processes, or in a thread of a notebook."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from importlib.metadata import version
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Literal, Self

import uvicorn

from mandeldask.internals.uvicorn_names import Multiprocess
from mandeldask.web.connections import Connections
from mandeldask.web.protocol import BoundedProtocol
from mandeldask.web.sockets import is_loopback, listen

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from mandeldask.web.application import Application


DRAIN_S = 10
"""Seconds that running requests have to finish when the server stops."""

KEEP_ALIVE_S = 75
"""Seconds for which an idle connection is kept. Proxies use 60: they must close it first, or a request could be
lost."""

LISTED = 10
"""Greatest number of trees whose URLs a notebook shows."""

START_S = 60
"""Timeout, in seconds, of starting the worker processes."""


def check_exposure(host: str, *, keys: bool, public: bool) -> None:
    """Raise ValueError if other machines can reach `host` and there are neither keys nor `public`."""
    if not (keys or public or is_loopback(host)):
        msg = f"other machines can reach {host}: set an API key, or state that the data is public"
        raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Handle:
    """A server that runs in a thread of this process; the end of its ``with`` block stops it.

    Examples
    --------
    >>> import mandeldask as md
    >>> with md.serve(background=True) as server:  # doctest: +ELLIPSIS
    ...     print(server.url("v3"))
    http://127.0.0.1:.../
    http://127.0.0.1:.../zarr/v3/mandelbrot.zarr
    """

    app: Application
    """The application that it serves."""
    address: str
    """URL such as ``http://127.0.0.1:8000``, without a slash at the end."""
    _server: uvicorn.Server
    _thread: threading.Thread
    _services: Callable[[], object] | None = None
    """Called to stop further services, such as a watcher, after the server."""

    def url(self, format: Literal["v2", "v3"] = "v3", name: str | None = None, *, pinned: bool = False) -> str:  # noqa: A002
        """Return the URL of a tree's root group.

        Parameters
        ----------
        format : {"v2", "v3"}
            Zarr format.
        name : str, optional
            Name of a tree; the first one by default.
        pinned : bool
            Put the tree's fingerprint into its name: caches may keep everything below that URL forever.

        Raises
        ------
        ValueError
            If the server has no such format or tree.
        """
        return self.address + self.app.path(format, name, pinned=pinned)

    def _repr_html_(self) -> str:
        """Return links to its pages and trees, for notebooks."""
        names = self.app.catalog.names or (None,)
        pages = (("Page", f"{self.address}/"), ("Data", f"{self.address}/browse/"))
        trees = [(f"Zarr {each}", self.url(each, name)) for name in names[:LISTED] for each in ("v2", "v3")]
        left = f"<p>and {len(names) - LISTED} more trees</p>" if len(names) > LISTED else ""
        return f"<table>{''.join(_row(label, url) for label, url in (*pages, *trees))}</table>{left}"

    def stop(self) -> None:
        """Stop serving. Running requests finish first, within the drain deadline. Calling it twice does no harm."""
        self._server.should_exit = True
        if self._services is not None:
            self._services()
        self._thread.join()

    def along_with(self, stop: Callable[[], object]) -> Handle:
        """Return a handle that also calls `stop` when the server stops."""
        return replace(self, _services=stop)

    def __enter__(self) -> Self:
        """Return this handle."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()


def _row(label: str, url: str) -> str:
    link = f'<a href="{escape(url)}" target="_blank" rel="noopener">{escape(url)}</a>'
    return f'<tr><td style="text-align:left">{label}</td><td style="text-align:left">{link}</td></tr>'


def serve_in_background(
    app: Application, host: str, port: int, *, drain_s: float = DRAIN_S, connections: int = 0
) -> Handle:
    """Serve `app` in a thread with its own event loop; return when it accepts requests.

    The parameters are those of `serve_in_foreground`.

    Raises
    ------
    OSError
        If the port is taken (the message names a free one).
    RuntimeError
        If the server did not start.
    """
    bound = listen(host, port)
    server = uvicorn.Server(_config(app, drain_s, connections))
    thread = threading.Thread(target=server.run, args=([bound],), name="mandeldask-server", daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.005)
        if not thread.is_alive():
            bound.close()
            msg = "the server did not start; see the log"
            raise RuntimeError(msg)
    return Handle(app, address_of(bound), server, thread)


def serve_in_foreground(  # noqa: PLR0913  the options of a server
    make: Callable[[], Application],
    host: str,
    port: int,
    *,
    workers: int = 1,
    drain_s: float = DRAIN_S,
    connections: int = 0,
    started: Callable[[str], object] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; then let running requests finish within `drain_s` seconds and return.

    Parameters
    ----------
    make : callable
        Makes the application. With several processes, each calls it, so it must be picklable.
    workers : int
        Number of processes that accept requests at the same port.
    drain_s : float
        Seconds that running requests have to finish.
    connections : int
        Limit of connections per process; 0 for three quarters of the file descriptors that it may open.
    started : callable, optional
        Called with the address when the server accepts requests.

    Raises
    ------
    OSError
        If the port is taken (the message names a free one).
    """
    with listen(host, port) as bound, _signals_end_quietly():
        announce = partial(started, address_of(bound)) if started else lambda: None
        if workers == 1:
            _Announcing(_config(make(), drain_s, connections), announce).run([bound])
        else:
            config = _config(partial(_made_in_a_worker, make), drain_s, connections, workers)
            _AnnouncingWorkers(config, announce, [bound]).run()


class _Announcing(uvicorn.Server):
    """A server that announces when it accepts requests."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], object]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce."""
        await super().startup(sockets)
        if self.started:
            self._announce()


class _AnnouncingWorkers(Multiprocess):
    """Worker processes that are replaced when they die; announces when the first accepts requests."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], object], sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self._announce = announce

    def init_processes(self) -> None:
        """Start, then announce."""
        super().init_processes()
        if any(process.wait_until_ready(START_S, self.should_exit) for process in self.processes):
            self._announce()


def _made_in_a_worker(make: Callable[[], Application]) -> Application:
    """Return the application of a worker process, which stops as on SIGTERM when its parent process has ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), name="mandeldask-parent", daemon=True).start()
    return make()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def address_of(bound: socket.socket) -> str:
    """Return the URL of a listening socket for clients on this machine."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _config(
    app: Application | Callable[[], Application], drain_s: float, connections: int, workers: int = 1
) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        factory=workers > 1,
        workers=workers,
        http=partial(BoundedProtocol, connections=Connections(connections)),  # type: ignore[arg-type] # created by a function
        access_log=False,
        log_config=None,
        headers=[("server", f"mandeldask/{version('mandeldask')}")],
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=drain_s,  # type: ignore[arg-type] # a float is accepted
        ws="none",
        lifespan="on",
    )
    # uvicorn's access log shows keys; `mandeldask.access` does not. Logging configurations can enable it again.
    logging.getLogger("uvicorn.access").disabled = True
    return config


class _Stopped(Exception):  # noqa: N818  not an error
    """Exception: a signal told the server to stop."""


def _stop(*_: object) -> None:
    raise _Stopped


@contextlib.contextmanager
def _signals_end_quietly() -> Iterator[None]:
    """End the block quietly on a signal: at once before the server runs, later after uvicorn has drained."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with contextlib.suppress(_Stopped):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
