"""Places that are trees: opened by their spec, and kept open for a while."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from mandeldask.web.messages import Later, Refusal
from mandeldask.zarrview.pool import Busy, Pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from mandeldask.zarrview.nodes import Node
    from mandeldask.zarrview.view import ZarrView

OPENERS = 2
"""Threads that open places, each in a tenth of a second; other threads of Python wait for most of it."""

MAX_OPENING = 256
"""Places that may wait to be opened; those of different clients take turns."""


class OpenPlaces:
    """The places opened last; each is opened once, in a thread of their own, however many ask for it."""

    def __init__(self, places: Callable[[str], Node], view: Callable[..., ZarrView], most: int) -> None:
        self._make = places
        self._view = view
        self._most = most
        self._opened: OrderedDict[tuple[str, int], ZarrView] = OrderedDict()
        self._opening: dict[tuple[str, int], asyncio.Future[ZarrView]] = {}
        self._openers = Pool(OPENERS, MAX_OPENING)

    async def open(self, spec: str, number: int) -> ZarrView:
        """Return the view of a place.

        Raises
        ------
        Refusal
            404 or 403, as the callable that makes places says; 503 if too many are being opened.
        """
        name = spec, number
        if name in self._opened:
            self._opened.move_to_end(name)
            return self._opened[name]
        opening = self._opening.get(name)
        if opening is None:
            try:
                opening = asyncio.wrap_future(self._openers.submit(self._open, spec, number))
            except Busy as error:
                msg = f"{MAX_OPENING} places wait already to be opened"
                raise Later(msg, error.wait_s) from None
            self._opening[name] = opening
            opening.add_done_callback(lambda done: self._landed(name, done))
        try:
            return await asyncio.shield(opening)
        except LookupError as error:
            raise Refusal(404, str(error)) from error
        except PermissionError as error:
            raise Refusal(403, str(error)) from error

    def _landed(self, name: tuple[str, int], opening: asyncio.Future[ZarrView]) -> None:
        del self._opening[name]
        if opening.cancelled() or opening.exception() is not None:
            return
        self._opened[name] = opening.result()
        while len(self._opened) > self._most:
            self._opened.popitem(last=False)

    def _open(self, spec: str, number: int) -> ZarrView:
        view: ZarrView = self._view(self._make(spec), number)
        view.names()  # writes the root's documents: some 50 ms for 50 levels, which the event loop would miss
        return view
